"""Frames say what is fresh, once."""

import struct

import msgspec
import pytest

from engine.model.commands import Pause, Run, SetMask
from engine.session.fold import SETTER_SHIFT, Setter
from engine.session.frame import DIRTY, EXITS, FAULTS, INFO, KEYFRAME, MASKS, STATUS, decode_frame
from engine.session.host import Host
from engine.session.session import Session
from engine.session.status import ExitRecord, Info, Status

STORES = {"asm": "mov rdi, 0x210000\nagain: inc qword ptr [rdi]\njmp again"}


@pytest.fixture
def session(scenario, sim: Host):
    made = Session(scenario(vcpus=[STORES], limits={"exits": 20}), sim)
    yield made
    made.close()


def sections(session: Session, keyframe: bool = False) -> dict[int, bytes]:
    return {section.kind: section.payload for section in decode_frame(session.frame(keyframe))[1]}


def test_a_keyframe_stands_alone(session: Session) -> None:
    header, _ = decode_frame(session.frame(keyframe=True))
    assert (header.flags & KEYFRAME, header.pages, header.seq) == (KEYFRAME, 1024, 1)
    found = sections(session, keyframe=True)
    info = msgspec.json.decode(found[INFO], type=Info)
    assert (info.name, info.ram, info.real, info.system_pages) == ("test", 4 << 20, False, 32)
    assert MASKS in found


def test_status_has_registers_only_while_nothing_runs(session: Session) -> None:
    status = msgspec.json.decode(sections(session)[STATUS], type=Status)
    assert status.phase == "paused"
    assert status.vcpus[0].registers is not None
    assert status.vcpus[0].registers["rip"] == 0x10000


def test_exits_faults_masks_and_dirt_are_told_once(session: Session) -> None:
    sections(session, keyframe=True)
    session.handle(SetMask(base=0x210000, pages=1, rights=0xD))
    session.handle(Run())
    while session.view.phase != "ended":
        pass
    session.handle(Pause())
    found = sections(session)
    exits = msgspec.json.decode(found[EXITS], type=list[ExitRecord])
    assert [record.kind for record in exits] == ["protection"] * 20
    assert struct.unpack("<I", found[FAULTS]) == (0x210,)
    assert struct.unpack("<3I", found[MASKS]) == (0x210, 1, 0xD | Setter.COMMAND << SETTER_SHIFT)
    again = sections(session)
    assert not {EXITS, FAULTS, MASKS, DIRTY} & set(again)
