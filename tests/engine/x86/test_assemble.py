"""Assembling: bytes and addresses by line, and every refusal with its line."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.x86.assemble import MAX_SOURCE, AssemblyError, assemble
from engine.x86.decode import decode, listing

BASE = 0x10000


def fault(source: str) -> AssemblyError:
    with pytest.raises(AssemblyError) as caught:
        assemble(source, BASE)
    return caught.value


def test_lines_have_addresses_and_bytes() -> None:
    made = assemble("mov rdi, 0x210000  ; where\n\nagain: inc qword ptr [rdi]  # count\n  jmp again // on", BASE)
    assert [(line.line, line.address, line.code.hex()) for line in made.lines] == [
        (1, 0x10000, "48c7c700002100"),
        (3, 0x10007, "48ff07"),
        (4, 0x1000A, "ebfb"),
    ]
    assert made.code == b"".join(line.code for line in made.lines)


def test_names_forward_backward_and_as_numbers() -> None:
    made = assemble("count = 3\nmov ecx, count\nlea rax, [rip + data]\nmov rbx, data\njmp 0x10000\ndata: .quad 7", BASE)
    texts = [line.text for line in listing(made.code[:-8], BASE)]
    assert texts == ["mov ecx, 0x3", "lea rax, [0x10015]", "mov rbx, 0x10015", "jmp 0x10000"]
    assert made.code[-8:] == (7).to_bytes(8, "little")


def test_data_directives() -> None:
    made = assemble('.byte 1, 2\n.word 3\n.long 4\n.ascii "a;b"\n.asciz "#"\n.zero 3\n.align 8', BASE)
    assert made.code.startswith(b"\x01\x02\x03\x00\x04\x00\x00\x00a;b#\x00\x00\x00\x00")
    assert len(made.code) % 8 == 0


def test_no_code_from_no_source() -> None:
    assert assemble("  \n; nothing\n", BASE).code == b""


@pytest.mark.parametrize(
    ("source", "line", "text"),
    [
        ("nop\nbogus rax\nnop", 2, "bogus rax"),
        ("nop\n\n  inc qword ptr [rdi\n", 3, "inc qword ptr [rdi"),
        ("nop\njmp nowhere\nnop", 2, "jmp nowhere"),
        ("x: nop\nnop\nx: nop", 3, "x: nop"),
        ("loop far\nnop\n.zero 300\nfar: nop", 1, "loop far"),
        ("nop\nmov eax, 0x1ffffffff", 2, "mov eax, 0x1ffffffff"),
        ("mov byte ptr [rdi], 300", 1, "mov byte ptr [rdi], 300"),
        ("mov rcx, [0x500]", 1, "mov rcx, [0x500]"),
        ("nop\nadd rax, 0xffffffff", 2, "add rax, 0xffffffff"),
        ("pushad", 1, "pushad"),
        ("lock\ninc qword ptr [rdi]", 1, "lock"),
        ('nop\n.incbin "/etc/hostname"', 2, '.incbin "/etc/hostname"'),
        (".fill 100000000", 1, ".fill 100000000"),
        (".zero 0x100000", 1, ".zero 0x100000"),
        ("nop\n(", 2, "("),
    ],
)
def test_an_error_names_its_line_and_quotes_it(source: str, line: int, text: str) -> None:
    error = fault(source)
    assert (error.line, error.text) == (line, text)
    assert error.reason
    assert str(error) == f"line {line}: `{text}`: {error.reason}"


def test_too_much_source_is_refused() -> None:
    assert "16384" in fault("nop\n" * (MAX_SOURCE // 4 + 1)).reason


def test_a_long_source_is_quick() -> None:
    source = "\n".join(f"l{n}: jmp l{(n * 7) % 1000}" for n in range(1000))
    started = time.monotonic()
    assert len(assemble(source, BASE).lines) == 1000
    assert time.monotonic() - started < 5


def test_a_statement_that_keystone_never_returns_from_is_an_error_soon() -> None:
    started = time.monotonic()
    error = fault("nop\nname: .word -0x200000, _\nnop")
    assert error.line == 2
    assert time.monotonic() - started < 10
    assert assemble("nop", BASE + 1).code == b"\x90", "the next one works"


# Statements whose text iced writes the way it is read here.
REGISTER = st.sampled_from(["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r15"])
NUMBER = st.integers(0x10, 0x7FFF_FFFF).map(hex)
STATEMENT = st.one_of(
    st.tuples(st.sampled_from(["mov", "add", "xor", "cmp"]), REGISTER, st.one_of(REGISTER, NUMBER)).map(
        lambda parts: f"{parts[0]} {parts[1]}, {parts[2]}"
    ),
    st.tuples(st.sampled_from(["inc", "dec", "lock inc"]), REGISTER).map(lambda p: f"{p[0]} qword ptr [{p[1]}]"),
    st.sampled_from(["nop", "hlt", "ret", "pause", "push rax", "pop rdi", "rep stosb [rdi]", "mov cr3, rax"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STATEMENT, min_size=1, max_size=8))
def test_assembling_what_was_disassembled_gives_the_same_code(texts: list[str]) -> None:
    source = "\n".join(text.replace("stosb [rdi]", "stosb") for text in texts)
    made = assemble(source, BASE)
    again = [line.text.replace("stosb [rdi]", "stosb") for line in listing(made.code, BASE)]
    assert assemble("\n".join(again), BASE).code == made.code
    assert len(made.lines) == len(texts)
    assert all(decode(line.code, line.address) is not None for line in made.lines)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_code_or_an_error(source: str) -> None:
    lines = source.count("\n") + 1
    try:
        made = assemble(source, BASE)
    except AssemblyError as error:
        guilty = error.line
    else:
        guilty = 1
        assert made.code == b"".join(line.code for line in made.lines)
    assert 1 <= guilty <= lines
