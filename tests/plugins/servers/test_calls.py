"""The parameters of the calls: what is refused, and how."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
import pytest

from stellar.errors import Invalid
from stellar.plugins.servers import calls

ID = str(uuid.uuid4())


@pytest.mark.parametrize("command", ["say hi", "say\thi", "", "été ✓", "x" * calls.MAX_COMMAND])
def test_a_line_of_text_is_a_command(command: str) -> None:
    calls.check_command(command)


@pytest.mark.parametrize("command", ["stop\n", "a\rb", "\x1b[A", "\x03", "\x7f", "\x85", "nul\0", "\ud800"])
def test_control_characters_in_a_command_are_refused(command: str) -> None:
    with pytest.raises(Invalid, match="control characters") as caught:
        calls.check_command(command)
    assert caught.value.code == "bad_command"
    assert "command" in caught.value.fields


@pytest.mark.parametrize("command", ["x" * (calls.MAX_COMMAND + 1), "é" * calls.MAX_COMMAND, "x" * 1_000_000])
def test_an_oversized_command_is_refused(command: str) -> None:
    with pytest.raises(Invalid, match="longer than 4096 bytes"):
        calls.check_command(command)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (calls.Power, {"server_id": ID, "action": "start", "force": True}),
        (calls.Power, {"server_id": ID, "action": "explode"}),
        (calls.Power, {"server_id": "../../etc", "action": "start"}),
        (calls.Power, {"server_id": ID + "\n", "action": "start"}),
        (calls.Power, {"server_id": ID.upper() + "/..", "action": "start"}),
        (calls.Power, {"action": "start"}),
        (calls.Remove, {"server_id": 7}),
        (calls.Apply, {"spec": {"id": ID}}),
        (calls.ConsoleRead, {"server_id": ID, "limit": calls.MAX_READ + 1}),
        (calls.ConsoleRead, {"server_id": ID, "limit": 0}),
        (calls.ConsoleRead, {"server_id": ID, "after": -1}),
        (calls.ConsoleWatch, {"server_id": ID, "seconds": 0}),
        (calls.ConsoleWatch, {"server_id": ID, "seconds": float("inf")}),
        (calls.ConsoleWatch, {"server_id": ID, "seconds": float("nan")}),
        (calls.ConsoleInput, {"server_id": ID, "data": b"x" * (calls.MAX_INPUT + 1)}),
        (calls.ConsoleResize, {"server_id": ID, "cols": 0, "rows": 24}),
        (calls.ConsoleResize, {"server_id": ID, "cols": 80, "rows": 1_000_000}),
        (calls.Probe, {"commands": ["/bin/sh"]}),
        (calls.Probe, {"commands": ["x"] * 257}),
    ],
)
def test_what_is_out_of_bounds_is_refused(kind: type[calls.Params], params: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(params, kind)


def test_a_call_survives_the_wire() -> None:
    sent = calls.ConsoleInput(ID, b"\x1b[A\xff")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(sent), type=calls.ConsoleInput) == sent
