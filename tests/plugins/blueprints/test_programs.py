"""Programs of the owner's own, and Mumble: installed and started for real."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from game_sources import Sources, zipped
from java_parts import jar_of

MakeGame = Callable[..., Any]

NODE = """
const { word } = require('./word')
console.log(word, process.argv.slice(2).join('|'), process.env.SERVER_PORT)
setInterval(() => {}, 1000)
"""
PYTHON = """
import os, signal, sys
print("hello", sys.prefix.endswith(".venv"), sys.argv[1:], os.environ["SERVER_PORT"])
try:
    import own_package
    print("package", own_package.VALUE)
except ImportError:
    print("no package")
signal.pause()
"""


def repository(folder: Path, files: dict[str, str]) -> None:
    """A Git repository with one commit."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"], ["update-server-info"]):
        subprocess.run([*git, *command], cwd=folder, check=True, capture_output=True)


def serve(sources: Sources, folder: Path) -> str:
    """The repository's address: what Git reads of a plain web server."""
    base = "https://example.com/program.git"
    for path in (folder / ".git").rglob("*"):
        if path.is_file():
            sources.put(f"{base}/{path.relative_to(folder / '.git')}", path.read_bytes())
    sources.put(f"{base}/info/refs?service=git-upload-pack", sources.answers[f"{base}/info/refs"].body)
    return f"http://127.0.0.1:{sources.port}/{base}"


def test_node_from_a_repository(game: MakeGame, sources: Sources, tmp_path: Path) -> None:
    files = {
        "index.js": NODE,
        "word.js": "exports.word = 'first'\n",
        "package.json": '{"name": "x", "version": "1.0.0"}',
    }
    repository(tmp_path, files)
    server = game("generic-node", GIT_URL=serve(sources, tmp_path), ARGUMENTS="one * $(id)", memory_mb=256)
    server.install()
    server.start()
    server.wait_output(b"first one|*|$(id) %d" % server.port)
    server.stop()
    repository(tmp_path, {"word.js": "exports.word = 'second'\n"})
    serve(sources, tmp_path)
    (server.home / "data.txt").write_text("mine")
    server.install()
    server.start()
    server.wait_output(b"second one")
    server.stop()
    (server.home / "word.js").write_text("exports.word = 'mine'\n")
    repository(tmp_path, {"word.js": "exports.word = 'third'\n"})
    serve(sources, tmp_path)
    assert "files here were changed" in server.install(1)
    assert (server.home / "word.js").read_text() == "exports.word = 'mine'\n"


def test_node_with_uploaded_files(game: MakeGame) -> None:
    server = game("generic-node", START_FILE="bot.js")
    (server.home / "bot.js").write_text("console.log('uploaded')")
    assert "upload the program's files" in server.install()
    server.start()
    server.wait_output(b"uploaded")


def test_a_repository_never_overwrites_what_is_there(game: MakeGame) -> None:
    server = game("generic-node", GIT_URL="https://example.com/x.git")
    (server.home / "index.js").write_text("mine")
    assert "There are files here already (index.js)" in server.install(1)


@pytest.mark.parametrize("url", ["ext::sh -c touch% bad", "file:///etc", "--upload-pack=touch bad"])
def test_a_repository_is_on_the_web(game: MakeGame, url: str) -> None:
    server = game("generic-node", GIT_URL=url)
    assert "can't be cloned" in server.install(1)
    assert not (server.home / "bad").exists()


def test_python(game: MakeGame, tmp_path: Path) -> None:
    server = game("generic-python", ARGUMENTS="a b")
    wheel = {
        "own_package.py": "VALUE = 7\n",
        "own_package-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: own-package\nVersion: 1.0\n",
        "own_package-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "own_package-1.0.dist-info/RECORD": "own_package.py,,\nown_package-1.0.dist-info/METADATA,,\n"
        "own_package-1.0.dist-info/WHEEL,,\nown_package-1.0.dist-info/RECORD,,\n",
    }
    (server.home / "own_package-1.0-py3-none-any.whl").write_bytes(zipped(dict(wheel)))
    (server.home / "requirements.txt").write_text("./own_package-1.0-py3-none-any.whl\n")
    (server.home / "main.py").write_text(PYTHON)
    assert "The program is ready." in server.install()
    server.start()
    server.wait_output(b"hello True ['a', 'b'] %d" % server.port)
    server.wait_output(b"package 7")
    server.stop()
    (server.home / "requirements.txt").write_text("./missing.whl\n")
    assert "Its packages can't be installed" in server.install(1)


def test_packages_are_no_options(game: MakeGame) -> None:
    server = game("generic-python", PACKAGES="--index-url=http://evil.example x")
    assert "--index-url=http://evil.example is an option, not a package." in server.install(1)


HELLO = """
public class Hello {
    public static void main(String[] args) throws Exception {
        System.out.println("hello " + String.join("|", args) + " " + System.getProperty("flag"));
        Thread.sleep(600000);
    }
}
"""


def test_java(game: MakeGame, sources: Sources, tmp_path: Path) -> None:
    sources.put("https://example.com/hello.jar", jar_of(tmp_path, "Hello", HELLO))
    address = f"http://127.0.0.1:{sources.port}/https://example.com/hello.jar"
    given = {"JAVA_VERSION": "17", "JAR_URL": address, "ARGUMENTS": "a $(id)", "JVM_FLAGS": "-Dflag=own"}
    server = game("generic-java", memory_mb=512, **given)
    server.install()
    server.start()
    server.wait_output(b"hello a|$(id) own")


def test_java_without_a_program(game: MakeGame) -> None:
    server = game("generic-java", JAVA_VERSION="17", JAR_FILE="bot.jar")
    assert "Upload bot.jar, then start the server." in server.install()


def test_mumble(game: MakeGame) -> None:
    if not any(Path("/usr/sbin", name).exists() for name in ("murmurd", "mumble-server")):
        pytest.skip("this machine lacks Mumble; apt-get install mumble-server")
    server = game("mumble", PASSWORD="a; b=c", WELCOME="Hi <b>you</b>", SUPERUSER_PASSWORD="secret-word")
    server.install()
    server.start()
    server.wait_done()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10):
        pass
    assert b"Superuser password set" in server.output
    settings = (server.home / "mumble-server.ini").read_text()
    assert "Your own settings" in settings
    (server.home / "mumble-server.ini").write_text(settings + "; mine\n")
    server.stop()
    server.install()
    assert "; mine" in (server.home / "mumble-server.ini").read_text()
    assert (server.home / "mumble-server.sqlite").exists()
