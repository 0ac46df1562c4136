"""How a game is stopped, from the one text that blueprints and eggs have for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellar.errors import Invalid
from stellar.plugins.blueprints.format import parse
from stellar.plugins.blueprints.stops import SIGNALS, parse_stop, stop_problem
from stellar.plugins.blueprints.structs import Stop

MINIMAL = """
format = 1
name = "x"
title = "X"
description = "A game"
category = "other"
icon = "cube"
[runtimes.process]
[startup]
command = "./run"
[resources]
"""


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("^C", "SIGINT"),
        ("^^C", "SIGINT"),
        ("^c", "SIGINT"),
        ("^SIGINT", "SIGINT"),
        ("^SIGTERM", "SIGTERM"),
        ("^term", "SIGTERM"),
        ("^^SIGKILL", "SIGKILL"),
        ("^SIGABRT", "SIGABRT"),
        ("^\\", "SIGQUIT"),
    ],
)
def test_keys_and_names_are_signals_with_the_whole_grace_period(text: str, signal: str) -> None:
    stop = parse_stop(text, 90)
    assert (stop.command, stop.signal, stop.grace_seconds) == (None, signal, 90)
    assert stop_problem(text) is None


@pytest.mark.parametrize("text", ["stop", "/shutdown 3 SIGTERM bye", "C", "shutdown; exit;", "say ^C"])
def test_anything_else_is_typed(text: str) -> None:
    assert parse_stop(text) == Stop(command=text)
    assert stop_problem(text) is None


@pytest.mark.parametrize("text", ["^X", "^", "^^", "^SIGNAL", "^9"])
def test_what_names_no_signal_still_lets_the_game_save(text: str) -> None:
    assert parse_stop(text).signal == "SIGTERM"
    assert "SIGINT" in (stop_problem(text) or "")


@given(st.text(max_size=40))
def test_whatever_the_text_there_is_one_way_to_stop(text: str) -> None:
    stop = parse_stop(text)
    assert (stop.command is None) == (stop.signal in SIGNALS)


def test_a_blueprint_says_it_the_same_way() -> None:
    assert parse((MINIMAL + "[stop]\ncommand='^^C'").encode()).blueprint.stop.signal == "SIGINT"
    assert parse((MINIMAL + "[stop]\ncommand='^SIGKILL'\ngrace_seconds=5").encode()).blueprint.stop == Stop(
        signal="SIGKILL", grace_seconds=5
    )
    with pytest.raises(Invalid) as refused:
        parse((MINIMAL + "[stop]\ncommand='^X'").encode())
    assert "names no signal" in refused.value.fields["stop.command"]


@pytest.mark.parametrize(
    ("startup", "key"),
    [
        ("ready=[{port='query'}]", "startup.ready[0].port"),
        ("ready=[{port='game', protocol='tcp'}]", "startup.ready[0].protocol"),
        ("timeout_seconds=-1", "startup.timeout_seconds"),
        ("timeout_seconds=999999", "startup.timeout_seconds"),
    ],
)
def test_readiness_is_checked(startup: str, key: str) -> None:
    ports = "[[ports]]\nname='game'\nprotocol='udp'\n"
    text = (
        MINIMAL.replace("[resources]", f"{startup}\n{ports}[resources]").replace("[stop]", "")
        + "[stop]\nsignal='SIGINT'\n"
    )
    with pytest.raises(Invalid) as refused:
        parse(text.encode())
    assert key in refused.value.fields


def test_a_port_can_mean_that_it_runs() -> None:
    text = MINIMAL.replace("[resources]", "ready=[{port='game', protocol='udp'}]\ntimeout_seconds=60\n[resources]")
    startup = parse((text + "[stop]\nsignal='SIGINT'\n").encode()).blueprint.startup
    assert (startup.ready[0].protocol, startup.timeout_seconds) == ("udp", 60)
