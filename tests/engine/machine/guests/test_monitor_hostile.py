"""Whatever a stranger in VTL0 does, the monitor in VTL1 keeps its secret and itself. On every hypervisor."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.machine.program import check_scenario, load
from engine.session.host import Host
from tests.engine.machine.guests.stranger import ACTIONS, LEARNT, MONITOR, SECRETS
from tests.engine.machine.guests.whole_run import run
from tests.engine.machine.vsm_guest import SETUP, VTL_CALL, put

SECRET = 0x5EC7E7_0B5E55ED
CODE_BYTES = 0x100
"""Of the monitor's page: well before the end of its code, behind which are data that it changes itself."""
FIRST_TIME = "nop\n" * 16 + "mov rbx, 0x20a000\ncmp qword ptr [rbx], 0\njne over\ninc qword ptr [rbx]"
"""VTL0's code has the secret in it, and a stranger who runs astray comes by again."""
PLAN = [{"slot": 0, "base": 0, "size": "2MiB"}, {"slot": 1, "base": "2MiB", "size": 0x1FF000, "flags": ["log"]}]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(ACTIONS, min_size=1, max_size=6))
def test_whatever_vtl0_does_it_does_not_learn_the_secret(host: Host, actions: list[str]) -> None:
    start = f"vtl1 = {MONITOR:#x}\n{FIRST_TIME}\nmov r15, 0x200000\n{put(SECRETS, SECRET)}"
    asm = "\n".join([start, *SETUP, VTL_CALL, f"mov r13, {LEARNT:#x}", *actions, "over: hlt"])
    scenario = {
        "name": "a stranger",
        "ram": "4MiB",
        "slots": PLAN,
        "vcpus": [{"asm": asm, "vtl1": {"base": MONITOR, "guest": "monitor"}}],
        "on_protection": "intercept",
        "limits": {"exits": 300, "seconds": 1},
    }
    with run(scenario, host) as session:
        ram = bytes(session.machine.vm.ram())
    monitor = dict(load(check_scenario(scenario)).writes)[MONITOR]
    assert ram[MONITOR : MONITOR + CODE_BYTES] == monitor[:CODE_BYTES]
    secret = SECRET.to_bytes(8, "little")
    assert ram[SECRETS : SECRETS + 0x2000] == secret.ljust(0x2000, b"\0")
    assert ram[0x20000:].count(secret) == 1
