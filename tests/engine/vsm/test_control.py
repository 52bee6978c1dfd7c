"""Input and result values: vectors from the tables of the TLFS, and no bit lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.abi.tlfs.interface import CallCode
from engine.abi.tlfs.status import HvStatus
from engine.vsm.control import InputValue, ResultValue

U64 = st.integers(0, (1 << 64) - 1)


@pytest.mark.parametrize(
    ("control", "value"),
    [
        (InputValue(code=CallCode.EnablePartitionVtl), 0x0000_0000_0000_000D),
        (InputValue(code=CallCode.ModifyVtlProtectionMask, rep_count=510), 0x0000_01FE_0000_000C),
        (InputValue(code=CallCode.ModifyVtlProtectionMask, rep_count=510, rep_start=64), 0x0040_01FE_0000_000C),
        (InputValue(code=CallCode.GetVpRegisters, fast=True, rep_count=1), 0x0000_0001_0001_0050),
        (InputValue(code=0x13, variable_header=3), 0x0000_0000_0006_0013),
        (InputValue(code=0, nested=True), 0x0000_0000_8000_0000),
        (InputValue(code=0, reserved=0xFFF), 0xF000_F000_7800_0000),
    ],
)
def test_input_value(control: InputValue, value: int) -> None:
    assert control.encode() == value
    assert InputValue.decode(value) == control


@pytest.mark.parametrize(
    ("result", "value"),
    [
        (ResultValue(HvStatus.SUCCESS, 510), 0x0000_01FE_0000_0000),
        (ResultValue(HvStatus.ACCESS_DENIED), 0x0000_0000_0000_0006),
        (ResultValue(HvStatus.INVALID_PARAMETER, 12), 0x0000_000C_0000_0005),
    ],
)
def test_result_value(result: ResultValue, value: int) -> None:
    assert result.encode() == value
    assert ResultValue.decode(value) == result


@given(U64)
def test_an_input_value_comes_back_whole(value: int) -> None:
    assert InputValue.decode(value).encode() == value


@given(U64)
def test_a_result_value_comes_back_whole(value: int) -> None:
    assert ResultValue.decode(value).encode() == value
