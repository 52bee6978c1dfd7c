"""Exits that end in the guest: an unknown MSR, and a denied access under the policy inject."""

from typing import Any

import pytest

from engine.session.host import Host
from engine.session.outcome import run_to_end

IDT, HANDLER = 0x20000, 0x21000
LOADS_IDT = f"""
mov rbx, {IDT + 13 * 16:#x}
mov rax, {HANDLER & 0xFFFF | 8 << 16 | (0x8E00 | HANDLER >> 16 << 16) << 32:#x}
mov [rbx], rax
mov qword ptr [rbx+8], 0
mov rbx, {IDT + 0x800:#x}
mov word ptr [rbx], 0xff
mov rax, {IDT:#x}
mov [rbx+2], rax
mov rcx, {HANDLER:#x}
mov byte ptr [rcx], 0xf4
lidt [rbx]
"""
"""A gate for #GP whose handler is a HLT."""
FENCED = [{"vtl": 0, "base": 0x210000, "pages": 1, "mask": "RX"}]
STORE = "mov rdi, 0x210000\nmov [rdi], rax\nhlt"


@pytest.mark.parametrize("instruction", ["rdmsr", "wrmsr"])
def test_an_unknown_msr_is_seen_and_is_an_exception(scenario: Any, host: Host, instruction: str) -> None:
    alone = run_to_end(scenario(vcpus=[{"asm": f"mov ecx, 0x12345\n{instruction}\nhlt"}]), host)
    assert alone.exits == {"msr": 1, "shutdown": 1}
    handled = run_to_end(scenario(vcpus=[{"asm": f"{LOADS_IDT}mov ecx, 0x12345\n{instruction}\ninc rdx"}]), host)
    assert handled.exits == {"msr": 1, "hlt": 1}


def test_a_denied_store_that_is_answered_with_an_exception_does_not_happen(scenario: Any, host: Host) -> None:
    found = run_to_end(scenario(vcpus=[{"asm": LOADS_IDT + STORE}], masks=FENCED, on_protection="inject"), host)
    assert found.exits == {"protection": 1, "hlt": 1}
    (denied,) = found.protection
    assert (denied.gpa, denied.gva, denied.text) == ("0x210000", "0x210000", "mov [rdi], rax")
    assert found.dirty == []
