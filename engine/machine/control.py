"""The one door: every command, whoever gives it, passes here on its way to the machine."""

from typing import TYPE_CHECKING

from engine.machine.phases import refusal
from engine.model.commands import AnyCommand, Churn, End, Pause, Run, SetPolicy, SetSpeed, Step

if TYPE_CHECKING:
    from engine.machine.machine import Machine


def apply(machine: "Machine", command: AnyCommand, by: str) -> str:
    """Carry it out and log it; the error text, or empty. Called where the machine may be touched."""
    gate = machine.gate
    error = refusal(command, gate.phase, gate.why) or _invalid(machine, command, by)
    if error:
        machine.log_command(command, by, error)
        return error
    match command:
        case Run():
            return _phase(machine, command, by, "running")
        case Step():
            return _phase(machine, command, by, "stepping")
        case Pause():
            return _phase(machine, command, by, "paused")
        case End():
            return _phase(machine, command, by, "ended", command.why)
        case SetPolicy():
            machine.policy = command.on_protection
        case SetSpeed():
            gate.set_speed(command.exits_per_second)
        case Churn():
            pass  # the clock does it (engine.session.clock); here it is only logged
        case _:
            return machine.change(command, by)
    machine.log_command(command, by)
    return ""


def _phase(machine: "Machine", command: AnyCommand, by: str, phase: str, why: str = "") -> str:
    machine.log_command(command, by)
    if machine.gate.phase != phase:
        machine.set_phase(phase, why)
        machine.run_script()
    return ""


def _invalid(machine: "Machine", command: AnyCommand, by: str) -> str:
    match command:
        case End() if by == "user":
            return "end: only a limit ends a run; pause or reset it instead"
        case SetSpeed(exits_per_second=rate) if rate is not None and not 0 < rate <= 1e9:
            return f"set_speed: exits_per_second {rate}: between 0 and 1e9, or none for as fast as they come"
        case Churn(rate=rate) if not 0 <= rate <= 10_000:
            return f"churn: rate {rate}: between 0 and 10000 a second"
        case Churn(slot=slot, rate=rate) if rate and slot not in machine.vm.slots:
            return f"churn: slot {slot}: no such slot"
        case Churn(slot=slot, rate=rate) if rate and machine.vm.slots[slot].base == 0:
            return f"churn: slot {slot}: it holds the system area, which the guest's own page tables are in"
        case _:
            return ""
