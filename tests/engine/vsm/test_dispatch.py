"""Each shape of call, in memory, registers and XMM registers, to success, failure and continuation."""

import ctypes

import pytest

from engine.abi.tlfs.status import HvStatus
from engine.vsm.call import Call, Parameters, RepResult
from engine.vsm.control import InputValue, ResultValue
from engine.vsm.dispatch import Served, serve
from engine.vsm.parameters import CallRegisters
from engine.vsm.profile import KUT_VSM, TLFS
from engine.vsm.view import Caller, View
from tests.engine.vsm.partition import INPUT, OUTPUT, Partition

OK, FAIL, AGAIN = HvStatus.SUCCESS, HvStatus.INVALID_PARTITION_STATE, HvStatus.TIMEOUT
U64 = ctypes.c_uint64
CODE = 0x1234


class Small(ctypes.LittleEndianStructure):
    """Fits RDX and R8."""

    _fields_ = (("a", U64), ("b", U64))


class Large(ctypes.LittleEndianStructure):
    """Needs XMM registers."""

    _fields_ = (("a", U64), ("rest", U64 * 9))


class Word(ctypes.LittleEndianStructure):
    _fields_ = (("value", U64),)


SHAPES = {
    "simple": {"header": Small},
    "simple, output": {"header": Small, "output": Word},
    "large": {"header": Large},
    "rep": {"header": Small, "element": Word},
    "rep, output": {"header": Small, "element": Word, "output_element": Word},
    "variable": {"header": Small, "variable": True},
    "variable rep": {"header": Small, "element": Word, "variable": True},
}
REPS = 3
VARIABLE = 2
FORMS = ("slow", "fast")
SEEN: list[Parameters] = []


def call_of(shape: str, status: HvStatus, done: int) -> Call:
    """A call that notes what it is given and answers with `status` after `done` reps, each element plus one."""

    def function(caller: Caller, view: View, given: Parameters) -> RepResult:
        SEEN.append(given)
        output = b"".join((rep.value + 1).to_bytes(8, "little") for rep in given.reps[:done] if rep)
        if not SHAPES[shape].get("output_element"):
            output = (given.header.a + 1).to_bytes(8, "little") if "output" in SHAPES[shape] and status is OK else b""
        return RepResult(status, min(done, len(given.reps)), output=output)

    return Call(code=CODE, function=function, **SHAPES[shape])  # type: ignore[arg-type]


def run(shape: str, form: str, status: HvStatus, done: int = REPS, start: int = 0) -> tuple[Served, Partition]:
    """Input is 100, 101, ...; variable header 200, 201; elements 300, 301, ..."""
    SEEN.clear()
    call, guest = call_of(shape, status, done), Partition()
    words = [100 + n for n in range(call.header_size // 8)]
    words += [200 + n for n in range(VARIABLE)] if call.variable else []
    words += [300 + n for n in range(REPS)] if call.is_rep else []
    data = b"".join(word.to_bytes(8, "little") for word in words)
    control = InputValue(
        code=CODE,
        fast=form == "fast",
        variable_header=VARIABLE if call.variable else 0,
        rep_count=REPS if call.is_rep else 0,
        rep_start=start,
    )
    registers = CallRegisters(rcx=control.encode(), rdx=INPUT, r8=OUTPUT)
    if form == "fast":
        registers = registers.with_output(0, data.ljust(112, b"\x00"))
    guest.memory[INPUT : INPUT + len(data)] = data
    served = serve({CODE: call}, Caller(0, 0), guest, guest, registers)
    assert isinstance(served, Served)
    guest.perform(served.effects)
    return served, guest


def output(shape: str, form: str, served: Served, guest: Partition, words: int) -> list[int]:
    """The output list, wherever it is: in memory, or behind the input in XMM registers."""
    at = {"rep, output": 48, "simple, output": 16}[shape]
    place = served.registers.block[at:] if form == "fast" else guest.memory[OUTPUT:]
    return [int.from_bytes(place[n * 8 : n * 8 + 8], "little") for n in range(words)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_success(shape: str, form: str) -> None:
    served, _ = run(shape, form, OK)
    is_rep = "rep" in shape
    assert served.finished
    assert ResultValue.decode(served.rax) == ResultValue(OK, REPS if is_rep else 0)
    assert SEEN[0].header.a == 100
    assert [rep.value for rep in SEEN[0].reps] == ([300, 301, 302] if is_rep else [])
    expected = b"".join(n.to_bytes(8, "little") for n in (200, 201)) if "variable" in shape else b""
    assert SEEN[0].variable == expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_failure_tells_how_far_it_got(shape: str, form: str) -> None:
    served, _ = run(shape, form, FAIL, done=1)
    assert served.finished
    assert ResultValue.decode(served.rax) == ResultValue(FAIL, 1 if "rep" in shape else 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_call_out_of_time_is_made_again_from_where_it_stopped(shape: str, form: str) -> None:
    served, _ = run(shape, form, AGAIN, done=2)
    assert not served.finished
    assert InputValue.decode(served.registers.rcx).rep_start == (2 if "rep" in shape else 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if "rep" in shape])
def test_a_call_goes_on_at_its_start_index(shape: str, form: str) -> None:
    served, _ = run(shape, form, OK, start=2)
    assert [rep.value for rep in SEEN[0].reps] == [302]
    assert ResultValue.decode(served.rax) == ResultValue(OK, 3)


@pytest.mark.parametrize("form", FORMS)
def test_output_of_a_simple_call(form: str) -> None:
    served, guest = run("simple, output", form, OK)
    assert output("simple, output", form, served, guest, 1) == [101]


@pytest.mark.parametrize("form", FORMS)
def test_output_elements_of_the_reps_that_were_done(form: str) -> None:
    served, guest = run("rep, output", form, FAIL, done=2)
    assert output("rep, output", form, served, guest, 3) == [301, 302, 0]


@pytest.mark.parametrize("form", FORMS)
def test_output_elements_lie_at_their_own_index(form: str) -> None:
    served, guest = run("rep, output", form, OK, start=2)
    assert output("rep, output", form, served, guest, 3) == [0, 0, 303]


INVALID = HvStatus.INVALID_HYPERCALL_INPUT
CONTROLS = [
    ("simple", InputValue(code=CODE + 1), HvStatus.INVALID_HYPERCALL_CODE),
    ("simple", InputValue(code=CODE, reserved=1 << 0), INVALID),
    ("simple", InputValue(code=CODE, reserved=1 << 4), INVALID),
    ("simple", InputValue(code=CODE, reserved=1 << 11), INVALID),
    ("simple", InputValue(code=CODE, nested=True), INVALID),
    ("simple", InputValue(code=CODE, rep_count=1), INVALID),
    ("simple", InputValue(code=CODE, rep_start=1), INVALID),
    ("simple", InputValue(code=CODE, variable_header=1), INVALID),
    ("rep", InputValue(code=CODE), INVALID),
    ("rep", InputValue(code=CODE, rep_start=1), INVALID),
    ("rep", InputValue(code=CODE, rep_count=3, rep_start=3), INVALID),
    ("rep", InputValue(code=CODE, rep_count=3, rep_start=4), INVALID),
    ("rep", InputValue(code=CODE, rep_count=3, variable_header=1), INVALID),
    ("variable", InputValue(code=CODE, rep_count=1), INVALID),
]


@pytest.mark.parametrize(("shape", "control", "status"), CONTROLS)
def test_what_an_input_value_must_not_be(shape: str, control: InputValue, status: HvStatus) -> None:
    """TLFS, Common Hypercall Status Codes. The function is not reached."""
    SEEN.clear()
    guest = Partition()
    served = serve({CODE: call_of(shape, OK, REPS)}, Caller(0, 0), guest, guest, CallRegisters(rcx=control.encode()))
    assert isinstance(served, Served)
    assert (served.status, served.reps, served.finished, served.effects, SEEN) == (status, 0, True, (), [])


def test_a_profile_may_let_a_rep_call_have_no_reps() -> None:
    rcx, call = InputValue(code=CODE).encode(), call_of("rep", OK, REPS)
    answers = [
        serve({CODE: call}, Caller(0, 0), Partition(profile), Partition(), CallRegisters(rcx=rcx))
        for profile in (TLFS, KUT_VSM)
    ]
    assert [answer.status for answer in answers if isinstance(answer, Served)] == [INVALID, OK]
