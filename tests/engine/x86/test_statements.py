"""The grammar in front of keystone."""

import pytest

from engine.x86.statements import AssemblyError, plain_numbers, statements


def test_comments_and_blank_lines_vanish() -> None:
    assert statements("; a\n\n  # b\n// c\n") == []


def test_a_statement_keeps_its_line_names_and_parts() -> None:
    (found,) = statements("\n a: b: Mov RAX, 5 ; five")
    assert (found.line, found.names, found.operation, found.operands) == (2, ("a", "b"), "mov", "RAX, 5")


def test_signs_in_quotes_are_no_comments() -> None:
    found = statements("mov al, ';'\nmov al, '#'\n.ascii \"//;#\"")
    assert [one.operands for one in found] == ["al, ';'", "al, '#'", '"//;#"']


def test_definitions() -> None:
    (found,) = statements("size = 0x1000")
    assert (found.names, found.operation) == (("size",), "=")


@pytest.mark.parametrize(
    "line",
    [
        ".include 'x'", ".macro a", ".rept 5", ".org 5", ".byte", "data16 nop", "rep [rdi]", "mov rax, (5)",
        "mov rax, byte", "mov rax, {k1}", "mov rax,", "1: nop", "nop\x00", "näh", "mov rax, 0x10000000000000000",
        "x" * 300, "lock rep stosb",
    ],
)  # fmt: skip
def test_what_does_not_get_through(line: str) -> None:
    with pytest.raises(AssemblyError) as caught:
        statements(f"nop\n{line}")
    assert caught.value.line == 2


def test_plain_numbers() -> None:
    assert plain_numbers("rax, 0x10, -5, 7, [rdi + 3], ','") == [0x10, 7]
