"""Reading a blueprint.toml: what is right, and how each mistake is answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from stellar.errors import Invalid
from stellar.plugins.blueprints.beside import icon_names
from stellar.plugins.blueprints.format import Loaded, load, parse
from stellar.plugins.blueprints.structs import Amount, Blueprint, Parser
from stellar.plugins.servers.agent.patches import PARSERS
from stellar.plugins.servers.spec import ConfigPatch, Requirement, Stop

MINIMAL = """
format = 1
name = "x"
title = "X"
description = "A game"
category = "other"
[runtimes.process]
[startup]
command = "x"
"""
PNG = b"\x89PNG\r\n\x1a\n..."
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>'


def read(text: str, **beside: bytes) -> Loaded:
    return parse(text.encode(), lambda name: beside.get(name.replace(".", "_")))


def mistakes(text: str, **beside: bytes) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        read(text, **beside)
    key = next(iter(caught.value.fields), "")
    assert key in caught.value.message
    return caught.value.fields


def top(line: str) -> str:
    return f"{line}\n{MINIMAL}"


def replaced(old: str, new: str) -> str:
    assert old in MINIMAL
    return MINIMAL.replace(old, new)


def test_minimal() -> None:
    blueprint = read(MINIMAL).blueprint
    assert blueprint.stop.signal == "SIGTERM"
    assert blueprint.stop.grace_seconds == 30
    assert [port.name for port in blueprint.ports] == ["game"]
    assert blueprint.install.script == ""
    assert read(MINIMAL).icon.media_type == "image/svg+xml"
    assert read(MINIMAL).source == MINIMAL


def test_everything() -> None:
    loaded = read(
        MINIMAL.replace(
            "[runtimes.process]", 'icon = "icon.png"\n[runtimes.process]\nrequires = [{command="a", package="b-c"}]'
        ).replace('command = "x"', 'command = "x {{A}} {{SERVER_PORT_QUERY}}"\ndone = ["up", "regex:^up$"]')
        + """
        [runtimes.docker]
        images = [{ name = "Debian 12", image = "debian:12-slim" }]
        [stop]
        command = "^C"
        grace_seconds = 5
        [[variables]]
        env = "A"
        label = "A"
        default = "1"
        rules = "required|integer"
        user_viewable = false
        user_editable = false
        [install]
        file = "install.sh"
        [[config]]
        file = "a/b.json"
        parser = "json"
        values = { "a.b" = "{{A}}", n = 1, f = 1.5, t = true }
        [[ports]]
        name = "game"
        protocol = "udp"
        [[ports]]
        name = "query"
        [[ports]]
        name = "rcon"
        protocol = "tcp"
        optional = true
        [resources]
        memory_mb = { minimum = 10, recommended = 20 }
        """,
        icon_png=PNG,
        install_sh=b"echo hi\r\n",
    )
    blueprint = loaded.blueprint
    assert blueprint.stop.signal == "SIGINT"
    assert blueprint.stop.command is None
    assert blueprint.install.script == "echo hi\n"
    assert blueprint.install.file is None
    assert (loaded.icon.media_type, loaded.icon.data) == ("image/png", PNG)
    assert blueprint.config[0].values == {"a.b": "{{A}}", "n": 1, "f": 1.5, "t": True}
    assert blueprint.resources.memory_mb == Amount(10, 20)
    assert msgspec.json.decode(msgspec.json.encode(blueprint), type=Blueprint) == blueprint


def test_a_server_spec_takes_its_parts_as_they_are() -> None:
    blueprint = read(
        MINIMAL.replace("[runtimes.process]", '[runtimes.process]\nrequires = [{command="a", package="bb"}]')
        + '[[config]]\nfile = "a"\nparser = "ini"\nvalues = { a = 1 }\n'
    ).blueprint
    assert blueprint.runtimes.process is not None
    for part, kind in (
        (blueprint.stop, Stop),
        (blueprint.config[0], ConfigPatch),
        (blueprint.runtimes.process.requires[0], Requirement),
    ):
        assert msgspec.convert(msgspec.to_builtins(part), kind)
    assert set(Parser.__args__) >= PARSERS


@pytest.mark.parametrize("icon", icon_names())
def test_named_icons(icon: str) -> None:
    assert read(top(f'icon = "{icon}"')).icon.data.startswith(b"<svg")


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        (top("colour = 1"), "colour", "is not known; allowed here: format, name, title"),
        (MINIMAL + "grace = 1", "startup.grace", "is not known; allowed here: command, shell, done"),
        (MINIMAL + "[stop]\nsignal='SIGINT'\nkill=1", "stop.kill", "allowed here: command, signal, grace_seconds"),
        (MINIMAL + "[runtimes.vm]", "runtimes.vm", "allowed here: process, docker"),
        (MINIMAL + "[[variables]]\nenv='A'\nlabel='A'\nrule=''", "variables[0].rule", "allowed here: env, label"),
        (MINIMAL + "[resources]\nmemory_mb={max=1}", "resources.memory_mb.max", "allowed here: minimum, recommended"),
        (replaced('name = "x"', ""), "name", "is missing; text in quotes is needed"),
        (replaced("format = 1", ""), "format", "is missing; 1 is needed"),
        (replaced("format = 1", "format = 2"), "format", "has to be 1"),
        (replaced("format = 1", "format = true"), "format", "has to be 1, not true or false"),
        (replaced('"A game"', "1"), "description", "has to be text in quotes, not a whole number"),
        (replaced('"A game"', "2020-01-01"), "description", "has to be text in quotes"),
        (replaced('"other"', '"weird"'), "category", "has to be one of minecraft, sandbox"),
        (replaced("[runtimes.process]", "[runtimes]"), "runtimes", "needs at least one of process, docker"),
        (MINIMAL + "done = 'x'", "startup.done", "has to be a list, not text in quotes"),
        (MINIMAL + "done = ['x', 1]", "startup.done[...]", "has to be text in quotes, not a whole number"),
        (MINIMAL + "[stop]\nsignal='SIGWINCH'", "stop.signal", "has to be one of SIGINT, SIGTERM"),
        (MINIMAL + "[stop]\nsignal='SIGINT'\ngrace_seconds='1'", "stop.grace_seconds", "a whole number, not text"),
        (MINIMAL + "[[config]]\nfile='a'\nparser='xls'\nvalues={a=1}", "config[...].parser", "one of properties, ini"),
        (
            MINIMAL + "[[config]]\nfile='a'\nparser='ini'\nvalues={a=[]}",
            "config[...].values",
            "or true or false or a table, not a list",
        ),
        (MINIMAL + "[[ports]]\nname='a'\nprotocol='sctp'", "ports[...].protocol", "has to be one of tcp, udp, both"),
        (replaced("[runtimes.process]", "runtimes = 1"), "runtimes", "has to be a table"),
    ],
)
def test_wrong_shape(text: str, key: str, words: str) -> None:
    found = mistakes(text)
    got = {name.replace("[0]", "[...]").replace("[1]", "[...]"): problem for name, problem in found.items()} | found
    assert key in got, found
    assert words in got[key]


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        (replaced('"x"\ntitle', '"../x"\ntitle'), "name", "a-z, 0-9 and -"),
        (replaced('"x"\ntitle', f'"{"x" * 60}"\ntitle'), "name", "1 to 48"),
        (replaced('"X"', '""'), "title", "1 to 64"),
        (replaced('"X"', '"a\\u001b[m"'), "title", "control characters"),
        (replaced('command = "x"', 'command = ""'), "startup.command", "1 to 16384"),
        (
            replaced('command = "x"', 'command = "x {{NOPE}}"'),
            "startup.command",
            "{{NOPE}} is not known; the known names",
        ),
        (replaced('command = "x"', 'command = "x \'"'), "startup.command", "never closed"),
        (replaced('command = "x"', 'command = "x\\u0000"'), "startup.command", "control characters"),
        (MINIMAL + "done = ['ok', 'regex:(']", "startup.done[1]", "is broken"),
        (MINIMAL + "done = ['']", "startup.done[0]", "needs 1 to"),
        (MINIMAL + f"done = {['x'] * 20}", "startup.done", "At most 16"),
        (MINIMAL + "[stop]", "stop", "needs either command or signal"),
        (MINIMAL + "[stop]\nsignal='SIGINT'\ncommand='x'", "stop", "needs either command or signal"),
        (MINIMAL + "[stop]\ncommand='''a\nb'''", "stop.command", "control characters"),
        (MINIMAL + "[stop]\ncommand='x'\ngrace_seconds=0", "stop.grace_seconds", "between 1 and 3600"),
        (MINIMAL + "[runtimes.docker]\nimages=[]", "runtimes.docker.images", "at least one image"),
        (
            MINIMAL + "[runtimes.docker]\nimages=[{name='a', image='-v /:/x'}]",
            "runtimes.docker.images[0].image",
            "an image's name",
        ),
        (
            replaced("[runtimes.process]", "[runtimes.process]\nrequires=[{command='/bin/sh', package='-y x'}]"),
            "runtimes.process.requires[0].command",
            "without a path",
        ),
        (
            replaced("[runtimes.process]", "[runtimes.process]\nrequires=[{command='sh', package='-y x'}]"),
            "runtimes.process.requires[0].package",
            "Debian package",
        ),
        (MINIMAL + "[resources]\nmemory_mb={minimum=-1}", "resources.memory_mb.minimum", "between 0 and"),
        (
            MINIMAL + "[resources]\ndisk_mb={minimum=9, recommended=8}",
            "resources.disk_mb.recommended",
            "less than the minimum",
        ),
        (MINIMAL + "[[ports]]\nname='a'\noptional=true", "ports[0].optional", "first port is the main one"),
        (MINIMAL + "[[ports]]\nname='a'\nfollows=true", "ports[0].follows", "no port before it"),
        (
            MINIMAL + "[[ports]]\nname='a'\n[[ports]]\nname='b'\nfollows=true\noptional=true",
            "ports[1].optional",
            "in any case",
        ),
        (MINIMAL + "[[ports]]\nname='a b'", "ports[0].name", "a letter first"),
        (MINIMAL + "[[ports]]\nname='a-b'\n[[ports]]\nname='a_b'", "ports[1].name", "is there twice"),
        (
            replaced(
                '"x"\n',
                '"x"\n',
            ).replace('command = "x"', 'command = "{{SERVER_PORT_Q}}"')
            + "[[ports]]\nname='a'\n[[ports]]\nname='q'\noptional=true",
            "startup.command",
            "is not known",
        ),
    ],
)
def test_wrong_values(text: str, key: str, words: str) -> None:
    found = mistakes(text)
    assert words in found.get(key, ""), found


@pytest.mark.parametrize(
    ("fields", "key", "words"),
    [
        ("env='1a'", "env", "letters, digits and _"),
        ("env='A B'", "env", "letters, digits and _"),
        ("env='A=B'", "env", "letters, digits and _"),
        ("env='SERVER_PORT'", "env", "the panel or the system sets it"),
        ("env='SERVER_MEMORY'", "env", "the panel or the system sets it"),
        ("env='P_SERVER_UUID'", "env", "the panel or the system sets it"),
        ("env='LD_PRELOAD'", "env", "the panel or the system sets it"),
        ("env='PATH'", "env", "the panel or the system sets it"),
        ("env='BASH_ENV'", "env", "the panel or the system sets it"),
        ("env='A'\nlabel=''", "label", "1 to 255"),
        ("env='A'\nrules='foo'", "rules", "the known rules are"),
        ("env='A'\nrules='regex:/(/'", "rules", "is broken"),
        ("env='A'\ndefault='x'\nrules='integer'", "default", "must be a whole number"),
        ('env="A"\ndefault="a\\nb"', "default", "single line"),
    ],
)
def test_wrong_variables(fields: str, key: str, words: str) -> None:
    label = "" if "label" in fields else "\nlabel='L'"
    found = mistakes(f"{MINIMAL}[[variables]]\n{fields}{label}")
    assert words in found.get(f"variables[0].{key}", ""), found


def test_a_variable_twice() -> None:
    found = mistakes(MINIMAL + "[[variables]]\nenv='A'\nlabel='a'\n" * 1 + "[[variables]]\nenv='A'\nlabel='b'")
    assert found == {"variables[1].env": "is there twice"}


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./x", "a/.", "~/x", "a\\\\b", "a\\u0000b", "a\\nb", "x" * 300],
)
def test_config_paths_stay_below_the_server(path: str) -> None:
    found = mistakes(f'{MINIMAL}[[config]]\nfile = "{path}"\nparser = "ini"\nvalues = {{ a = 1 }}')
    assert list(found) == ["config[0].file"]


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ("{}", "config[0].values"),
        ("{ a = '{{NOPE}}' }", "config[0].values.a"),
        ("{ a = '{{A' }", "config[0].values.a"),
        ("{ a = nan }", "config[0].values.a"),
        ("{ a = 99999999999999999999 }", "config[0].values.a"),
        ("{ '' = 1 }", "config[0].values."),
    ],
)
def test_config_values(values: str, key: str) -> None:
    found = mistakes(f'{MINIMAL}[[config]]\nfile = "a"\nparser = "ini"\nvalues = {values}')
    assert list(found) == [key]


@pytest.mark.parametrize("name", ["../install.sh", "/etc/passwd", "a/b.sh", ".hidden", "", "a\\u0000"])
def test_file_names_have_no_path(name: str, tmp_path: Path) -> None:
    (tmp_path / "install.sh").write_text("echo")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "blueprint.toml").write_text(f'{MINIMAL}[install]\nfile = "{name}"')
    with pytest.raises(Invalid) as caught:
        load(inner)
    assert "plain name" in caught.value.fields["install.file"]
    (inner / "blueprint.toml").write_text(top(f'icon = "{name}.svg"'))
    with pytest.raises(Invalid) as caught:
        load(inner)
    assert list(caught.value.fields) == ["icon"]


def test_links_out_of_the_directory_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "install.sh").symlink_to(tmp_path / "secret")
    (inner / "blueprint.toml").write_text(f'{MINIMAL}[install]\nfile = "install.sh"')
    with pytest.raises(Invalid, match="not beside the blueprint"):
        load(inner / "blueprint.toml")


def test_load_says_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="No such file"):
        load(tmp_path / "nowhere")
    with pytest.raises(Invalid, match="No such file"):
        load(tmp_path)


def test_scripts() -> None:
    assert read(MINIMAL + "[install]\nscript='echo'").blueprint.install.script == "echo"
    assert "together" in mistakes(MINIMAL + "[install]\nscript='a'\nfile='b'")["install.file"]
    assert "not beside" in mistakes(MINIMAL + "[install]\nfile='b'")["install.file"]
    assert "UTF-8" in mistakes(MINIMAL + "[install]\nfile='b'", b=b"\xff")["install.file"]
    assert "NUL" in mistakes(MINIMAL + "[install]\nfile='b'", b=b"a\0")["install.file"]
    assert "64 KiB" in mistakes(MINIMAL + "[install]\nfile='b'", b=b"x" * 70_000)["install.file"]
    assert "64 KiB" in mistakes(MINIMAL + f"[install]\nscript='{'x' * 70_000}'")["install.script"]


@pytest.mark.parametrize(
    ("icon", "data", "words"),
    [
        ("http://a/b.svg", None, "plain name"),
        ("data:image/png;base64,xx", None, "beside the blueprint, or one of chat, cube"),
        ("nope", None, "beside the blueprint, or one of chat, cube"),
        ("i.bmp", PNG, "beside the blueprint, or one of"),
        ("i.gif", PNG, "is not a GIF"),
        ("i.jpg", PNG, "is not a JPEG"),
        ("i.webp", b"RIFF1234WAVE", "is not a WebP"),
        ("i.png", None, "not beside the blueprint"),
        ("i.png", SVG, "is not a PNG"),
        ("i.png", PNG + b"x" * 200_000, "at most 128 KiB"),
        ("i.svg", PNG, "not a valid SVG"),
        ("i.svg", b"<svg><path/></svg>", "SVG namespace"),
        ("i.svg", b"<html/>", "SVG namespace"),
        ("i.svg", b'<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG, "document type"),
        ("i.svg", SVG.replace(b"<path", b"<script/><path"), "not <script>"),
        ("i.svg", SVG.replace(b"<path", b"<foreignObject/><path"), "not <foreignObject>"),
        ("i.svg", SVG.replace(b"<path", b"<style>@import 'x'</style><path"), "not <style>"),
        ("i.svg", SVG.replace(b"<path", b"<image href='x'/><path"), "not <image>"),
        ("i.svg", SVG.replace(b"<path", b"<path onclick='x'"), "may not use onclick"),
        ("i.svg", SVG.replace(b"<path", b"<path fill='url(http://x)'"), "may not use fill"),
        ("i.svg", SVG.replace(b"<path", b"<path style='fill:url( \"//x\")'"), "may not use style"),
        ("i.svg", SVG.replace(b"<path", b"<use href='http://x'/><path"), "may not use href"),
    ],
)
def test_icons(icon: str, data: bytes | None, words: str) -> None:
    files: dict[str, Any] = {} if data is None else {icon.replace(".", "_"): data}
    assert words in mistakes(top(f'icon = "{icon}"'), **files)["icon"]


def test_good_icons() -> None:
    gradient = SVG.replace(b"<path", b"<defs><linearGradient id='a'/></defs><path fill='url(#a)'")
    for data in (SVG, gradient):
        assert read(top('icon = "i.svg"'), i_svg=data).icon.data == data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "format is missing"),
        (b"x" * 300_000, "at most 256 KiB"),
        (b"\xff", "UTF-8"),
        (b"a = ", "not valid TOML"),
        (b"a = 1\na = 2", "not valid TOML"),
        (b"a = " + b"[" * 100_000, "nested too deeply"),
        (b"a = " + b"9" * 100_000, "not valid TOML"),
        (b"a" + b".a" * 100_000 + b" = 1", "too many parts"),
        (b"[" + b'"a" . ' * 20_000 + b"a]", "too many parts"),
        (b"a\0 = 1", "not valid TOML"),
    ],
)
def test_broken_documents(data: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        parse(data)


def test_all_mistakes_are_reported_at_once() -> None:
    found = mistakes(replaced('"X"', '""') + "done = ['']\n[stop]\n[install]\nfile='nope'")
    assert set(found) == {"title", "startup.done[0]", "stop", "install.file"}
