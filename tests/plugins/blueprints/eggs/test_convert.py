"""From an egg's table to a blueprint: what each oddity becomes, and that nothing is dropped in silence."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from egg_parts import blueprint, egg, files, notes, variable, with_config
from hypothesis import given, settings
from hypothesis import strategies as st

from stellar.errors import Invalid
from stellar.plugins.blueprints.checks import MAX_ITEMS, path_problem
from stellar.plugins.blueprints.eggs.convert import convert, slug
from stellar.plugins.blueprints.render import environment, startup_line
from stellar.plugins.servers.spec import Limits, Port

PNG = b"\x89PNG\r\n\x1a\nnot really"


def test_a_whole_egg() -> None:
    found = blueprint()
    assert (found.name, found.title, found.description) == ("some-game", "Some Game", "A game.")
    assert found.runtimes.docker is not None
    assert [(one.name, one.image) for one in found.runtimes.docker.images] == [
        ("Java 21", "ghcr.io/example/yolks:java_21")
    ]
    assert found.startup.command == egg()["startup"]
    assert (found.startup.shell, found.startup.done) == ("bash", ["Done"])
    assert (found.stop.command, found.stop.signal) == ("stop", None)
    assert found.install.script == "#!/bin/bash\ncurl $URL\n"
    assert (found.install.image, found.install.shell) == ("debian:12", "bash")
    assert found.config[0].values == {"port": "{{SERVER_PORT}}"}
    assert (found.features, found.author) == (["eula"], "somebody@example.org")
    assert notes() == {}


@pytest.mark.parametrize(
    ("changes", "images"),
    [
        ({"docker_images": None, "image": "debian:12"}, ["debian:12"]),
        ({"docker_images": None, "images": ["a:1", "b:2"]}, ["a:1", "b:2"]),
        ({"docker_images": ["a:1"]}, ["a:1"]),
        ({"docker_images": {"x": " ~a:1 \n"}}, ["a:1"]),
        ({"docker_images": {}, "images": {}, "image": "a:1"}, ["a:1"]),
        ({"docker_images": {"x": "--privileged", "y": "a:1"}}, ["a:1"]),
    ],
)
def test_images(changes: dict[str, Any], images: list[str]) -> None:
    docker = blueprint(**changes).runtimes.docker
    assert docker is not None
    assert [one.image for one in docker.images] == images


@pytest.mark.parametrize("image", ["--privileged", "-v/:/host", "", None, "a b", "$(id)", "x" * 500, "nil\0"])
def test_without_a_usable_image_it_is_refused(image: str | None) -> None:
    with pytest.raises(Invalid, match="names no container image that can be used"):
        blueprint(docker_images={"x": image})


@pytest.mark.parametrize(
    ("stop", "command", "signal"),
    [
        ("^C", None, "SIGINT"),
        ("^^C", None, "SIGINT"),
        ("^c", None, "SIGINT"),
        ("^SIGTERM", None, "SIGTERM"),
        ("^KILL", None, "SIGKILL"),
        ("^USR1", None, "SIGUSR1"),
        ("^X", None, "SIGTERM"),
        ("", None, "SIGTERM"),
        (None, None, "SIGTERM"),
        ("/shutdown 3 $(x)", "/shutdown 3 $(x)", None),
    ],
)
def test_stop(stop: str | None, command: str | None, signal: str | None) -> None:
    found = blueprint(**with_config(stop=stop)).stop
    assert (found.command, found.signal) == (command, signal)
    assert found.grace_seconds >= 60


@pytest.mark.parametrize(
    ("startup", "done"),
    [
        ('{"done": "a"}', ["a"]),
        ({"done": ["a", "b"]}, ["a", "b"]),
        ({"done": "regex:^ready [0-9]+$"}, ["regex:^ready [0-9]+$"]),
        ({"done": r"regex:\Qa.b\E\z"}, [r"regex:a\.b\Z"]),
        ({"done": ""}, []),
        ({"done": "regex:("}, []),
        ({"done": "a\nb"}, []),
        (r'{"done": "\u001b[K\u001b[1C\u001b[?25h\u001b[?25lru\u001b[?25hnning\u001b[?25h"}', [" running"]),
        ({"done": "regex:\x1b\\[32mready"}, ["regex:\x1b\\[32mready"]),
        ("", []),
        ("{broken", []),
        ([], []),
        ({"done": "a", "userInteraction": ["x"]}, ["a"]),
    ],
)
def test_done(startup: Any, done: list[str]) -> None:
    assert blueprint(**with_config(startup=startup)).startup.done == done


def test_what_is_left_out_is_listed() -> None:
    assert "not valid JSON" in notes(**with_config(files="{broken"))["config.files"]
    assert "not valid JSON" in notes(**with_config(startup="{broken"))["config.startup"]
    assert "is broken" in notes(**with_config(startup={"done": "regex:("}))["config.startup.done"]
    assert "config.logs" in notes(**with_config(logs='{"custom": false, "location": "logs/latest.log"}'))
    assert "force_outgoing_ip" in notes(force_outgoing_ip=True)
    assert "force_outgoing_ip" not in notes(force_outgoing_ip=False)
    assert "config.startup.userInteraction" in notes(**with_config(startup={"done": "a", "userInteraction": ["x"]}))
    assert "no signal" in notes(**with_config(stop="^X"))["config.stop"]
    assert "parser" in notes(**files("a.cfg", {"a": "b"}, "hocon"))["config.files.a.cfg"]


def test_several_startup_commands() -> None:
    found = blueprint(startup=None, startup_commands={"Default": "a {{JAR}}", "Debug": "b", "Empty": ""}).startup
    assert found.command == "a {{JAR}}"
    assert [(one.name, one.command) for one in found.choices] == [("Debug", "b")]


@pytest.mark.parametrize("startup", [None, "", " \n", {}, []])
def test_without_a_startup_command_it_is_refused(startup: Any) -> None:
    with pytest.raises(Invalid, match="no start-up command"):
        blueprint(startup=startup)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("JAR", "JAR"),
        ("env.JAR", "JAR"),
        ("server.build.env.JAR", "JAR"),
        ("server.build.environment.JAR", "JAR"),
        ("server.environment.JAR", "JAR"),
        ("server.build.default.port", "SERVER_PORT"),
        ("server.build.default.ip", "SERVER_IP"),
        ("server.allocations.default.port", "SERVER_PORT"),
        ("server.allocations.default.ip", "SERVER_IP"),
        ("server.build.memory", "SERVER_MEMORY"),
        ("server.build.memory_limit", "SERVER_MEMORY"),
        ("server.build.env.SERVER_PORT", "SERVER_PORT"),
        ("config.docker.interface", "STELLAR_NODE_IP"),
        ("config.docker.network.interface", "STELLAR_NODE_IP"),
        ("server.uuid", "P_SERVER_UUID"),
        (" SERVER_PORT ", "SERVER_PORT"),
    ],
)
def test_placeholders(written: str, name: str) -> None:
    found = blueprint(startup=f"run {{{{{written}}}}}", **files("a.json", {"a": f"x{{{{{written}}}}}"}))
    assert found.startup.command == f"run {{{{{name}}}}}"
    assert found.config[0].values == {"a": f"x{{{{{name}}}}}"}


@pytest.mark.parametrize("secret", ["config.token", "config.remote", "config.api.ssl.key", "panel.key", "nothing"])
def test_no_placeholder_leads_to_a_secret(secret: str) -> None:
    changes = files("a.json", {"a": f"{{{{{secret}}}}}", "b": "1"})
    assert blueprint(**changes).config[0].values == {"b": 1}
    assert "is not known here" in notes(**changes)["config.files.a.json.find.a"]
    assert "{{" not in blueprint(startup=f"run {{{{{secret}}}}}").startup.command


def test_the_denylist() -> None:
    patterns = ["*.sh", "", "../x", "/absolute", "a\nb", None, 5]
    assert blueprint(file_denylist=patterns).denylist == ["*.sh", "/absolute", "5"]
    assert blueprint(file_denylist={}).denylist == []
    assert blueprint(file_denylist={"0": "a"}).denylist == ["a"]
    assert blueprint(file_denylist='["a"]').denylist == ["a"]
    assert blueprint(file_denylist="a\r\nb").denylist == ["a", "b"]


def test_giant_texts_are_cut_or_refused() -> None:
    found = convert(egg(name="n" * 500, description="d" * 20_000))
    assert (len(found.loaded.blueprint.title), len(found.loaded.blueprint.description)) == (64, 8000)
    assert {note.path for note in found.report.notes} == {"name", "description"}
    with pytest.raises(Invalid, match="no start-up command"):
        blueprint(startup="x" * 100_000)
    with pytest.raises(Invalid, match="install script has more than"):
        blueprint(scripts={"installation": {"script": "x" * 100_000}})


@pytest.mark.parametrize(
    ("image", "icon"),
    [
        (f"data:image/png;base64,{base64.b64encode(PNG).decode()}", "icon.png"),
        ("data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=", "icon.svg"),
        (f"data:image/svg+xml;base64,{base64.b64encode(b'<svg onload=alert(1)>').decode()}", "cube"),
        ("data:text/html;base64,PHNjcmlwdD4=", "cube"),
        ("data:image/png;base64,PHNjcmlwdD4=", "cube"),
        ("data:image/png;base64,====", "cube"),
        ("data:image/jpeg;base64,AAAA", "cube"),
        ("data:image/jpeg;base64,/9j/4AAQSkZJRgAB", "icon.jpg"),
        ("data:image/jpg;base64,/9j/4AAQSkZJRgAB", "icon.jpg"),
        ("data:image/webp;base64,UklGRgAAAABXRUJQVlA4", "icon.webp"),
        ("data:image/gif;base64,R0lGODlhAQABAAAAACw=", "icon.gif"),
        ("data:image/bmp;base64,Qk0=", "cube"),
        ("https://example.org/icon.png", "cube"),
        ("javascript:alert(1)", "cube"),
    ],
)
def test_icons(image: str, icon: str) -> None:
    found = convert(egg(image=image))
    assert found.loaded.blueprint.icon == icon
    assert bool(found.report.notes) is (icon == "cube" and not image.startswith("javascript"))


@pytest.mark.parametrize(
    ("entrypoint", "shell"),
    [("bash", "bash"), ("/bin/ash", "/bin/ash"), (None, "/bin/sh"), ("bash -e", "bash"), ("--help", "/bin/sh")],
)
def test_the_shell_of_the_install(entrypoint: str | None, shell: str) -> None:
    scripts = {"installation": {"script": "x", "container": "--privileged", "entrypoint": entrypoint}}
    found = blueprint(scripts=scripts).install
    assert (found.shell, found.image) == (shell, None)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "http://", "https://a b"])
def test_no_update_from_there(url: str) -> None:
    assert blueprint(meta={"version": "PTDL_v2", "update_url": url}).update_url is None


@pytest.mark.parametrize("title", ["Ärger & Spaß!", "", "---", "日本", "a" * 100, "<script>"])
def test_a_name_is_made_of_any_title(title: str) -> None:
    assert blueprint(name=title).name == slug(title)


LINES = {
    'printf "%s|" {{A}}': None,
    'printf "%s|" "{{A}}"': None,
    'printf "%s|" $( [[ -z ${A} ]] || printf %s "${A}" )': None,
    'printf "%s|" `printf x{{A}}`': None,
    'cat <<< "{{A}}"': None,
    'printf "%s|" "${A:-none}" "$((1+1))" # {{A}}': None,
}


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("value", ["", "$(touch bad)", "`touch bad`", "; touch bad", "a\ntouch bad", "{{B}}", "'\"\\"])
def test_a_value_is_never_code(line: str, value: str, tmp_path: Path) -> None:
    command = blueprint(startup=line, variables=[variable("A"), variable("B")]).startup.command
    limits = Limits()
    values = environment({"A": value, "B": "secret"}, [Port(ip="127.0.0.1", port=1)], limits)
    done = subprocess.run(
        ["/bin/sh", "-c", startup_line(command, "bash", values)],
        env={**values, "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert list(tmp_path.iterdir()) == [], done
    assert "secret" not in done.stdout


def test_words_are_split_as_elsewhere(tmp_path: Path) -> None:
    command = blueprint(startup='printf "%s|" {{A}} "{{A}}"', variables=[variable("A")]).startup.command
    values = environment({"A": "-x 1"}, [], Limits())
    done = subprocess.run(
        ["/bin/sh", "-c", startup_line(command, "bash", values)],
        env={**values, "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "-x|1|-x 1|"


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = [*egg(), "image", "images", "icon", "startup_commands", "tags", "uuid", "stellar", "x"]


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(st.sampled_from(KEYS), anything, max_size=4),
    st.dictionaries(st.sampled_from(["files", "startup", "logs", "stop", "x"]), anything, max_size=3),
    st.dictionaries(st.sampled_from(list(variable("A"))), anything, max_size=4),
    st.dictionaries(st.text(max_size=8), st.dictionaries(st.sampled_from(["parser", "find"]), anything), max_size=2),
)
def test_whatever_is_in_it_it_is_imported_or_refused(
    changes: dict[str, Any], config: dict[str, Any], one: dict[str, Any], patches: dict[str, Any]
) -> None:
    table = egg(**with_config(files=patches, **config) if "files" not in config else with_config(**config))
    table["variables"] = [variable("A", **one), variable("B")]
    table |= changes
    try:
        found = convert(table).loaded.blueprint
    except Invalid as error:
        assert error.message
        return
    assert all(path_problem(patch.file) is None for patch in found.config)
    json.dumps(table)


def test_what_would_be_lost_in_silence_is_listed() -> None:
    found = notes(
        meta={"version": "PTDL_v2", "update_url": None, "more": 1},
        tags=["voice", "steam", ""],
        features=[f"f{number}" for number in range(MAX_ITEMS + 1)],
        scripts={"installation": {"script": "", "container": "a", "entrypoint": "sh", "user": "root"}},
        startup=None,
        startup_commands={"Usual": "run", "Empty": None, "": "one", "Command": "two"},
        **files("a.json", "nothing"),
    )
    assert {"meta.more", "features", "scripts.installation.user"} <= found.keys()
    assert found["tags"] == "'steam' has no meaning here"
    assert "without a name" in found["startup_commands.Usual"]
    assert "is empty" in found["startup_commands.Empty"]
    assert "of the same name" in found["startup_commands"]
    assert "not a table" in found["config.files.a.json.find"]
