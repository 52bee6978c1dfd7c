"""Commands from outside: what cannot be meant is refused before anything looks at it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.commands import AnyCommand

decoder = msgspec.json.Decoder(AnyCommand)
SLOT = {"slot": 1, "base": 0, "size": 4096, "offset": 0, "flags": 1}


@pytest.mark.parametrize(
    "command",
    [
        {"do": "run"},
        {"do": "set_mask", "base": 0x200000, "pages": 4, "rights": 1, "vtl": 0},
        {"do": "set_slot", "slot": SLOT},
        {"do": "churn", "slot": 1, "rate": 50},
        {"do": "set_speed", "exits_per_second": None},
    ],
)
def test_commands_read_back(command: dict[str, object]) -> None:
    found = decoder.decode(msgspec.json.encode(command))
    assert msgspec.to_builtins(found) == command


@pytest.mark.parametrize(
    "command",
    [
        {"do": "explode"},
        {"do": "set_mask", "base": -4096, "pages": 1, "rights": 1},
        {"do": "set_mask", "base": 1 << 70, "pages": 1, "rights": 1},
        {"do": "set_mask", "base": 0, "pages": 0, "rights": 1},
        {"do": "set_mask", "base": 0, "pages": 1, "rights": 16},
        {"do": "set_mask", "base": "0x1000", "pages": 1, "rights": 1},
        {"do": "set_slot", "slot": SLOT | {"slot": 1 << 32}},
        {"do": "set_slot", "slot": SLOT | {"size": -1}},
        {"do": "set_slot", "slot": SLOT | {"flags": 4}},
        {"do": "delete_slot", "slot": -1},
        {"do": "churn", "slot": 1, "rate": 1e300},
        {"do": "set_speed", "exits_per_second": 0},
        {"do": "set_policy", "on_protection": "explode"},
    ],
)
def test_values_out_of_bounds_are_refused(command: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decoder.decode(msgspec.json.encode(command) if command.get("base") != 1 << 70 else _huge())


def _huge() -> bytes:
    return b'{"do":"set_mask","base":1180591620717411303424,"pages":1,"rights":1}'


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused_cleanly(data: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError)):
        decoder.decode(data)
