"""The four labs about a kernel and its monitor, and what their texts say of them, on every hypervisor."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.machine.guests.kernel import SECRET
from engine.machine.program import check_scenario
from engine.model.events import ExitTaken
from engine.model.exits import IoExit
from engine.session.host import Host
from tests.engine.machine.vsm_run import Ran

LABS = Path("labs")
LEARNT, LOG = 0x216000, 0x21C000
Change = tuple[str, str]
Lab = Callable[..., Ran]


@pytest.fixture
def lab(host: Host) -> Lab:
    """A lab, with changes to its text as a student makes them."""

    def ran(name: str, *changes: Change) -> Ran:
        text = (LABS / name / "scenario.yaml").read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        made = check_scenario(text.encode())
        return Ran(host, lambda **_: made, "")

    return ran


ROUNDS = ("learnt: 0x216000}", "learnt: 0x216000, rounds: 4}")
MONITOR = "guest: monitor}"


def told(ran: Ran, port: int) -> list[int]:
    exits = [event.exit for event in ran.of(ExitTaken)]
    return [
        int.from_bytes(exit.data or b"", "little") for exit in exits if isinstance(exit, IoExit) and exit.port == port
    ]


def test_a_kernel_alone_is_at_the_mercy_of_whoever_is_in_it(lab: Lab) -> None:
    ran = lab("kernel-1-alone", ROUNDS)
    assert ran.words(LEARNT, 4) == [4 * 0x66, SECRET, 0, 0]
    assert [told(ran, port) for port in (0x10, 0x11, 0x12, 0x13)] == [[0x66] * 4, [SECRET] * 4, [0] * 4, [0] * 4]


def test_whoever_fences_the_secret_from_outside_makes_it_all_ones(lab: Lab) -> None:
    fence = "masks: [{base: 0x214000, pages: 1, mask: none}]\non_protection: drop\nram:"
    ran = lab("kernel-1-alone", ROUNDS, ("ram:", fence))
    assert told(ran, 0x11) == [0xFFFF_FFFF] * 4


def test_a_kernel_under_a_monitor_goes_on_as_it_was_meant_to(lab: Lab) -> None:
    ran = lab("kernel-2-under-a-monitor", ROUNDS)
    assert ran.words(LEARNT, 4) == [0 + 1 + 2 + 3, 0, 0, 6]
    assert [told(ran, port) for port in (0x10, 0x11, 0x12, 0x13)] == [[0, 1, 2, 3], [0] * 4, [0] * 4, [6] * 4]
    assert len(ran.denied) == 2 * 4
    assert ran.words(LOG, 4) == [5 * 4, 0, 0x210001, 1]


def test_its_patience_ends_at_the_fifth(lab: Lab) -> None:
    ran = lab("kernel-2-under-a-monitor", ("secret_pages: 2}", "secret_pages: 2, patience: 5}"))
    assert (len(ran.denied), ran.end) == (5, "halted")


def test_under_openvmm_nothing_is_fenced_until_the_target_is_the_vtl_that_takes(lab: Lab) -> None:
    profile, target = ("ram:", "vsm_profile: openvmm\nram:"), ("secret_pages: 2}", "secret_pages: 2, target: 0x11}")
    ran = lab("kernel-2-under-a-monitor", ROUNDS, profile)
    masks = {status for call, status, _ in ran.served if call == "ModifyVtlProtectionMask"}
    assert (masks, ran.denied) == ({"INVALID_PARAMETER"}, [])
    assert len(lab("kernel-2-under-a-monitor", ROUNDS, profile, target).denied) == 2 * 4


def test_six_attempts_to_break_in_bring_nothing(lab: Lab) -> None:
    ran = lab("kernel-3-break-in")
    assert ran.words(LEARNT, 5) == [0, 0, 6, 6, 6]
    assert [told(ran, port) for port in (1, 2, 3, 5)] == [[0], [0], [6], [6, 6]]
    assert ran.denied == [(0, 0x214000), (0, 0x214000), (0, 0x218000), (0, 0x214000)]
    assert ran.end == "halted"


@pytest.mark.parametrize(
    ("call", "gpa"),
    [
        ("mov rcx, 0xd\nmov rdx, 0x214000", 0x214000),
        ("mov rcx, 0x100000050\nmov rdx, names\nmov r8, 0x21b000", 0x21B000),
    ],
)
def test_the_hypervisor_is_no_help_in_breaking_in(lab: Lab, call: str, gpa: int) -> None:
    """The monitor is told of the parameters as of VTL0's own accesses, and lets it go on behind the call."""
    names = "names: .quad -1, 0xfffffffe, 0x20010\n"
    code = "".join(f"        {line}\n" for line in f"{call}\ncall r10".split("\n"))
    ran = lab("kernel-3-break-in", ("      ; 1. Just read it.\n", code), ("      mask: ", f"      {names}      mask: "))
    assert (ran.end, ran.words(LEARNT, 1), ran.denied[0]) == ("halted", [0], (0, gpa))


def test_a_monitor_that_is_called_last_has_kept_nothing(lab: Lab) -> None:
    first = "        call ask                  ; the first VTL call: the monitor sets up its fence\n"
    ran = lab("kernel-3-break-in", (first, ""), ("      ; 3. Lift", f"{first}      ; 3. Lift"))
    assert ran.words(LEARNT, 2) == [SECRET, SECRET]


AS_IT_STANDS = [3 * 0x66, SECRET, 0, 0]
LIFT = """\
          mov rdx, fence
          mov dword ptr [rdx + 8], 0xf ; MapFlags: R 1, W 2, kernel X 4, user X 8
          mov rcx, 0x10000000c
          call hypercall
          mov rbx, 0x21a000
"""
SKIP = """\
          mov rbx, 0x21a000
          movzx rax, byte ptr [rbx + 0x14]
          and rax, 15
          add rax, [rbx + 0x28]
          mov rdx, skip
          mov [rdx + 32], rax
          mov rcx, 0x100000051
          call hypercall
"""
SKIP_DATA = ("        fence:  ", "        skip:\n          .quad -1, 0x10fffffffe, 0x20010, 0, 0, 0\n        fence:  ")
FENCE_CODE = """\
          mov rcx, 0x10000000c
          mov rdx, code
          call hypercall
          mov rcx, 1              ; a fast VTL return"""
CODE_DATA = ("        fence:  ", "        code:\n          .quad -1, 0x100000000d, 0x210\n        fence:  ")
YES = "          mov rax, 0              ; a request"
JUDGE = """\
          mov rax, 6
          cmp rdi, 0x210000
          jne answer
          mov rdx, code
          mov dword ptr [rdx + 8], 0xd
          cmp rsi, 1
          jne change
          mov dword ptr [rdx + 8], 0xf
        change:
          mov rcx, 0x10000000c
          call hypercall
          mov rax, 0
        answer:                   ; a request"""
KEEP_SECRET = ((LIFT, SKIP), SKIP_DATA)
KEEP_CODE = (("          mov rcx, 1              ; a fast VTL return", FENCE_CODE), CODE_DATA)


@pytest.mark.parametrize(
    ("changes", "learnt"),
    [
        ((), AS_IT_STANDS),
        (KEEP_SECRET, [3 * 0x66, 0, 0, 0]),
        ((*KEEP_SECRET, *KEEP_CODE), [0, 0, 0, 0]),
        ((*KEEP_SECRET, *KEEP_CODE, (YES, JUDGE)), [0 + 1 + 2, 0, 0, 6]),
    ],
    ids=["as it stands", "keep the secret", "keep the code", "open on request"],
)
def test_a_monitor_is_written_step_by_step(lab: Lab, changes: tuple[Change, ...], learnt: list[int]) -> None:
    ran = lab("kernel-4-write-a-monitor", *changes)
    assert (ran.words(LEARNT, 4), ran.end) == (learnt, "halted")
