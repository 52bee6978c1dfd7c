"""Whatever a scenario makes of the kernel and its monitor, nothing breaks. On every hypervisor."""

from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.hypervisor.contract.errors import HypervisorError, Unsupported
from engine.model.problems import ScenarioProblems
from engine.session.host import Host
from tests.engine.machine.guests.stranger import CODE, MONITOR, SECRETS
from tests.engine.machine.guests.whole_run import run

BASES = st.sampled_from([0, 0x10000, 0x1F000, 0x20000, 0x1FF000, CODE, SECRETS, MONITOR, 0x3F4000, 0xFFFF_F000])
SECOND = st.sampled_from(
    [
        {"base": "2MiB", "size": "2MiB"},
        {"base": "2MiB", "size": 0x1FF000},
        {"base": "2MiB", "size": 0x18000},
        {"base": "2MiB", "size": 0x18000, "offset": "1MiB"},
        {"base": 0x210000, "size": 0x10000, "offset": 0x210000},
        {"base": CODE, "size": 0x40000, "offset": 0x20000},
    ]
)
FLAGS = st.sampled_from([["log"], ["log"], [], ["readonly"]])
SLOTS = st.builds(
    lambda first, second, flags: [{"slot": 0, "base": 0, "size": first}, {"slot": 1, "flags": flags, **second}],
    st.sampled_from(["2MiB", "128KiB"]), SECOND, FLAGS,
)  # fmt: skip
KERNELS = st.fixed_dictionaries(
    {}, optional={"code": BASES, "secret": BASES, "learnt": BASES, "rounds": st.integers(0, 3)}
)
MONITORS = st.fixed_dictionaries(
    {},
    optional={
        "code": BASES,
        "code_pages": st.integers(1, 32),
        "secret": BASES,
        "secret_pages": st.integers(1, 32),
        "apart": st.integers(0, 1),
        "answer": st.integers(0, 3),
        "patience": st.integers(0, 3),
        "target": st.integers(0x10, 0x11),
    },
)
COMMANDS = st.one_of(
    st.builds(lambda slot: {"do": "delete_slot", "slot": slot}, st.integers(0, 1)),
    st.builds(lambda base: {"do": "move_slot", "slot": 1, "base": base}, BASES),
    st.builds(
        lambda base, mask: {"do": "set_mask", "base": base, "pages": 3, "mask": mask},
        BASES.filter(lambda base: 0x20000 <= base < 0x3F0000),
        st.sampled_from(["none", "R", "RX", "RWX"]),
    ),
    st.builds(
        lambda policy: {"do": "set_policy", "on_protection": policy},
        st.sampled_from(["complete", "drop", "halt", "relax", "inject"]),
    ),
    st.just({"do": "harvest"}),
)
SCRIPTS = st.lists(
    st.builds(lambda after, do: {"after": {"exits": after}, **do}, st.integers(1, 60), COMMANDS), max_size=3
)
VTL1S = st.one_of(
    st.builds(lambda params: {"guest": "monitor", "params": params}, MONITORS), st.just({"asm": "again: jmp again"})
)
VCPUS = st.one_of(
    st.builds(
        lambda params, base, vtl1: {"guest": "kernel", "params": params, "vtl1": {"base": base, **vtl1}},
        KERNELS, BASES | st.just(MONITOR), VTL1S,
    ),
    st.builds(lambda params: {"guest": "kernel", "params": params}, KERNELS),
    st.just({"guest": "touch", "vtl": 1}),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    slots=SLOTS,
    vcpus=st.lists(VCPUS, min_size=1, max_size=2),
    script=SCRIPTS,
    vsm_profile=st.sampled_from(["tlfs", "openvmm", "kut-vsm"]),
    on_protection=st.sampled_from(["intercept"] * 4 + ["complete", "drop", "inject"]),
    dirty=st.sampled_from(["log", "log", "clear"]),
)
def test_whatever_a_scenario_makes_of_them_nothing_breaks(host: Host, **fields: Any) -> None:
    """It is refused with its problems, or by the host with the reason, or it runs to a limit."""
    limits = {"exits": 200, "seconds": 0.2}
    scenario = {"name": "odd", "ram": "4MiB", "limits": limits, **fields}
    with suppress(ScenarioProblems, Unsupported, HypervisorError), run(scenario, host):
        pass
