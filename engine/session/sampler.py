"""From the view to frames: what has changed since the last one, encoded once."""

import time

import msgspec

from engine.hypervisor.contract.capabilities import Capabilities
from engine.model.address import PAGE_SHIFT
from engine.model.bitmap import pack_bitmap
from engine.model.layout import SYSTEM_AREA
from engine.model.registers import Registers
from engine.model.scenario import Scenario
from engine.model.text import content_id
from engine.session.fold import View
from engine.session.frame import (
    EXITS,
    FAULTS,
    INFO,
    KEYFRAME,
    MASKS,
    STATUS,
    Header,
    Section,
    bitmap_section,
    encode_frame,
    json_section,
    u32_section,
)
from engine.session.message_layout import message_fields
from engine.session.rates import Rate
from engine.session.records import Listing, exit_record
from engine.session.status import ChurnStatus, ExitRecord, Info, SlotStatus, Status, VcpuStatus


def info(scenario: Scenario, host: Capabilities, why_not_kvm: str) -> Info:
    return Info(
        name=scenario.name,
        about=scenario.about,
        scenario=content_id(scenario),
        hypervisor=host.name,
        label=host.label,
        real=host.real,
        why_not_kvm=why_not_kvm,
        clock=host.clock,
        ram=scenario.ram,
        system_pages=SYSTEM_AREA.count,
        masks=host.masks,
        mask_reason=host.mask_reason,
        message=message_fields(),
    )


class Sampler:
    """Frames of one session, seq 1, 2, 3, ...; not thread-safe."""

    def __init__(self, about: Info, listings: list[Listing]) -> None:
        self._info, self._listings = about, listings
        self._pages = about.ram >> PAGE_SHIFT
        self._seq = 0
        self._exit_rate, self._dirty_rate = Rate(), Rate()
        self._vcpu_rates = [Rate() for _ in listings]

    def frame(
        self,
        view: View,
        now: int,
        keyframe: bool,
        registers: list[Registers] | None,
        instructions: int | None,
    ) -> bytes:
        """Everything fresh in the view, which is then stale; `now` in the run's clock."""
        self._seq += 1
        sections = [json_section(STATUS, self._status(view, registers, instructions)), *self._fresh(view, keyframe)]
        if keyframe:
            sections.insert(0, json_section(INFO, self._info))
        flags = KEYFRAME if keyframe else 0
        header = Header(flags, self._seq, now, self._pages, self._seq, 0, time.time_ns())
        return encode_frame(header, sections)

    def _fresh(self, view: View, keyframe: bool) -> list[Section]:
        sections: list[Section] = []
        if view.fresh_dirty:
            sections.append(self._dirty(view))
        if keyframe or view.masks_changed:
            sections.append(u32_section(MASKS, [number for run in view.masks.runs() for number in run]))
            view.masks_changed = False
        if view.fresh_exits:
            sections.append(json_section(EXITS, self._exits(view)))
        if view.fresh_faults:
            sections.append(u32_section(FAULTS, list(view.fresh_faults)))
            view.fresh_faults.clear()
        return sections

    def _exits(self, view: View) -> list[ExitRecord]:
        records = [
            exit_record(
                event,
                self._listings[event.exit.vcpu],
                view.fresh_outcomes.get(event.seq),
                view.fresh_setters.get(event.seq),
                view.fresh_messages.get(event.seq),
            )
            for event in view.fresh_exits
        ]
        view.fresh_exits.clear()
        view.fresh_outcomes.clear()
        view.fresh_setters.clear()
        view.fresh_messages.clear()
        return records

    def _dirty(self, view: View) -> Section:
        if len(view.fresh_dirty) == 1:
            (only,) = view.fresh_dirty
            view.fresh_dirty = []
            return bitmap_section(only.bitmap, only.packed, self._pages)
        return bitmap_section(*pack_bitmap(view.take_dirty().bitmap(self._pages)), self._pages)

    def _status(self, view: View, registers: list[Registers] | None, instructions: int | None) -> Status:
        host = time.monotonic()
        churn = view.churn
        return Status(
            phase=view.phase,
            why=view.why,
            on_protection=view.on_protection,
            speed=view.speed,
            vcpus=self._vcpus(view, registers, host),
            slots=[SlotStatus(s.slot, s.base, s.size, s.offset, s.flags) for s in view.slots.values()],
            churn=ChurnStatus(churn.slot, churn.rate, view.churned) if churn else None,
            exits=dict(view.exits),
            exits_per_second=self._exit_rate.feed(host, view.exits.total()),
            dirty_per_second=self._dirty_rate.feed(host, view.dirty_pages),
            dirty_losses=view.dirty_losses,
            instructions=instructions,
            dropped=view.unshown,
            last_seq=view.last_seq,
        )

    def _vcpus(self, view: View, registers: list[Registers] | None, host: float) -> list[VcpuStatus]:
        return [
            VcpuStatus(
                index=index,
                vtl=vcpu.vtl,
                state=vcpu.state,
                rip=registers[index].rip if registers else vcpu.rip,
                exits=vcpu.exits,
                rate=self._vcpu_rates[index].feed(host, vcpu.exits),
                switches=vcpu.switches,
                registers=msgspec.structs.asdict(registers[index]) if registers else None,
            )
            for index, vcpu in enumerate(view.vcpus)
        ]
