"""The CPUID leaves of Hv#1."""

import struct

import pytest
from msgspec.structs import replace

from engine.abi.tlfs import discovery, interface
from engine.vsm.discovery import leaves
from engine.vsm.state import new_partition

STATE = new_partition(3)


def leaf(function: int, **fields: object) -> tuple[int, int, int, int]:
    found = {one.function: one for one in leaves(replace(STATE, **fields))}[function]
    return found.eax, found.ebx, found.ecx, found.edx


def test_the_leaves_that_an_hv1_hypervisor_has_at_least() -> None:
    assert [one.function for one in leaves(STATE)] == list(range(0x4000_0000, 0x4000_0006))
    assert leaf(0x4000_0000)[0] == 0x4000_0005
    assert struct.pack("<3I", *leaf(0x4000_0000)[1:]) == b"Microsoft Hv"
    assert leaf(0x4000_0001) == (0x31237648, 0, 0, 0)
    assert leaf(0x4000_0005)[0] == 3


def test_privileges_are_two_registers() -> None:
    mask = interface.PRIVILEGE_ACCESS_VSM | interface.PRIVILEGE_ACCESS_SYNIC_REGS
    assert leaf(0x4000_0003, privileges=mask)[:3] == (1 << 2, 1 << 16, 0)


@pytest.mark.parametrize(
    ("fields", "bits"),
    [
        ({"xmm_input": False, "xmm_output": False}, 0),
        ({"xmm_input": True, "xmm_output": False}, 1 << 4),
        ({"xmm_input": True, "xmm_output": True}, 1 << 4 | 1 << 15),
    ],
)
def test_facilities_are_what_the_partition_offers(fields: dict[str, bool], bits: int) -> None:
    assert leaf(0x4000_0003, **fields)[3] == bits | discovery.FEATURE_HYPERCALL_MSR_LOCK
