"""The library of install scripts: fetching, unpacking, versions."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from game_sources import Sources, sha1, sha256, tarred, zipped
from hypothesis import given
from hypothesis import strategies as st

from stellar.plugins.blueprints.stellar_install import fetch, java, versions
from stellar.plugins.blueprints.stellar_install.unpack import unpack

SITE = "https://example.com"
BIG = os.urandom(900_000)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server's folder, to be in; and no waiting."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fetch, "WAITS", (0, 0, 0))
    return tmp_path


@pytest.fixture
def site(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> Sources:
    """What answers for ``SITE``."""
    sources.put(f"{SITE}/file", BIG)
    monkeypatch.setenv("STELLAR_MIRRORS", sources.mirrors)
    return sources


def test_a_download_goes_on_where_it_was_cut(
    site: Sources, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put(f"{SITE}/file", BIG, cut=600_000, cut_times=2)
    monkeypatch.setattr(fetch, "SAY_SECONDS", 0)
    path = fetch.download(f"{SITE}/file", Path("x/file"), checksum=f"sha256:{sha256(BIG)}", label="The file")
    assert path.read_bytes() == BIG
    assert site.ranges == ["bytes=600000-"]
    printed = capsys.readouterr().out
    assert "only 600 kB of 900 kB came; trying again." in printed
    assert "The file: 66 % of 900 kB\n" in printed
    assert "The file: 100 % of 900 kB\n" in printed
    assert printed.endswith("Downloaded The file (900 kB).\n")


def test_a_download_that_is_cut_again_and_again_fails(site: Sources, capsys: pytest.CaptureFixture[str]) -> None:
    site.put(f"{SITE}/file", BIG, cut=0, cut_times=99)
    Path("file").write_text("old")
    with pytest.raises(SystemExit) as caught:
        fetch.download(f"{SITE}/file", Path("file"))
    assert caught.value.code == 1
    assert "[!] example.com can't be used just now: only 0 kB of 900 kB came" in capsys.readouterr().out
    assert Path("file").read_text() == "old"
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_a_busy_source_is_asked_again(site: Sources) -> None:
    site.put(f"{SITE}/busy", {"a": 1}, fail_times=2)
    assert fetch.get_json(f"{SITE}/busy") == {"a": 1}
    assert site.asked == [f"{SITE}/busy"] * 3


def test_a_refusal_is_not_asked_again(site: Sources, capsys: pytest.CaptureFixture[str]) -> None:
    site.put(f"{SITE}/secret", b"no", status=403)
    with pytest.raises(SystemExit):
        fetch.get(f"{SITE}/secret")
    assert site.asked == [f"{SITE}/secret"]
    assert "it answers 403" in capsys.readouterr().out
    with pytest.raises(fetch.NotThere):
        fetch.get(f"{SITE}/nothing")


def test_a_source_that_is_away(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("STELLAR_MIRRORS", f"{SITE}=http://127.0.0.1:9")
    with pytest.raises(SystemExit):
        fetch.get(f"{SITE}/x")
    printed = capsys.readouterr().out
    assert printed.count("trying again") == 3
    assert "Connection refused" in printed
    assert "Check the node's network, or try again later." in printed


def test_a_wrong_checksum_is_tried_once_more(site: Sources, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fetch.download(f"{SITE}/file", Path("file"), checksum=f"sha1:{sha1(b'other')}")
    assert "wrong checksum" in capsys.readouterr().out
    assert list(Path().iterdir()) == []


def test_what_is_here_is_not_fetched_again(site: Sources) -> None:
    for _ in range(2):
        fetch.download(f"{SITE}/file", Path("file"), checksum=f"sha1:{sha1(BIG).upper()}")
    assert len(site.asked) == 1


def test_an_answer_that_is_no_json(site: Sources, capsys: pytest.CaptureFixture[str]) -> None:
    site.put(f"{SITE}/page", "<html>")
    with pytest.raises(SystemExit):
        fetch.get_json(f"{SITE}/page")
    assert "something that isn't JSON" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/x", "/etc/passwd", "data:,x"])
def test_only_web_addresses_are_fetched(url: str) -> None:
    with pytest.raises(SystemExit):
        fetch.get(url)


def test_redirects_lead_to_mirrors_and_never_out_of_https(site: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    site.put(f"{SITE}/old", location=f"{SITE}/file")
    assert fetch.get(f"{SITE}/old") == BIG
    assert site.asked == [f"{SITE}/old", f"{SITE}/file"]
    request = fetch.urllib.request.Request("https://example.com/x")
    with pytest.raises(fetch.urllib.error.URLError, match="isn't encrypted"):
        fetch._Redirects().redirect_request(request, None, 302, "", {}, "http://example.com/y")


def test_a_redirect_to_a_file_is_refused(site: Sources) -> None:
    site.put(f"{SITE}/evil", location="file:///etc/passwd")
    with pytest.raises(SystemExit):
        fetch.get(f"{SITE}/evil")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/x?y", "http://m/a/x?y"),
        ("https://a.example", "http://m/a"),
        ("https://a.example.evil/x", "https://a.example.evil/x"),
        ("https://b.example/deep/x", "http://n/x"),
        ("https://b.example/deeper", "https://b.example/deeper"),
    ],
)
def test_mirrors(url: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STELLAR_MIRRORS", "https://a.example/=http://m/a/ https://b.example/deep=http://n")
    assert fetch.mirrored(url) == expected


def test_a_broken_mirror_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("STELLAR_MIRRORS", "nonsense")
    with pytest.raises(SystemExit):
        fetch.mirrored("https://a.example")
    assert "[agent] mirrors have 'nonsense'" in capsys.readouterr().out


def test_unpacking_keeps_what_is_the_owners() -> None:
    Path("worlds").mkdir()
    Path("worlds/one").write_text("mine")
    Path("program").write_text("old")
    Path("a.zip").write_bytes(zipped({"top/worlds/one": "new", "top/worlds/two": "new", "top/program": "new"}))
    unpack(Path("a.zip"), Path(), strip=1, keep=["worlds/*"])
    assert Path("worlds/one").read_text() == "mine"
    assert Path("worlds/two").read_text() == "new"
    assert Path("program").read_text() == "new"
    assert not Path(".stellar/unpacking").exists()


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out", "..", "a/b/../../../out"])
@pytest.mark.parametrize("pack", [tarred, zipped])
def test_nothing_is_unpacked_outside(name: str, pack: object, here: Path) -> None:
    (here / "in").mkdir()
    os.chdir(here / "in")
    assert callable(pack)
    Path("a").write_bytes(pack({"fine": "x", name: "x"}))
    with contextlib.suppress(SystemExit):
        unpack(Path("a"), Path("target"))
    assert not (here / "out").exists()
    assert not Path("/tmp/out").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_that_lead_out_are_refused(kind: bytes, here: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = kind, "../../../etc/passwd"
        archive.addfile(member)
    Path("a.tar").write_bytes(buffer.getvalue())
    with pytest.raises(SystemExit):
        unpack(Path("a.tar"), Path("target"))
    assert not Path("target/link").exists()


def test_a_cut_archive_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Path("program").write_text("old")
    Path("a.tar.gz").write_bytes(tarred({"program": BIG})[:-1000])
    with pytest.raises(SystemExit):
        unpack(Path("a.tar.gz"), Path())
    assert "a.tar.gz can't be unpacked" in capsys.readouterr().out
    assert Path("program").read_text() == "old"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9", "1.21.8"),
        ("1.21.8", "26.1"),
        ("21.1.9", "21.1.77"),
        ("1.21-pre1", "1.21"),
        ("21.1.78-beta", "21.1.78"),
        ("1.21-rc1", "1.21-rc2"),
    ],
)
def test_order_of_versions(older: str, newer: str) -> None:
    assert versions.order(older) < versions.order(newer)


@given(st.lists(st.text(max_size=20), max_size=5))
def test_any_versions_can_be_compared(names: list[str]) -> None:
    assert versions.newest(names) in [*names, None]


@pytest.mark.parametrize(
    ("text", "major"),
    [('JAVA_VERSION="1.8.0_402"', 8), ('X="1"\nJAVA_VERSION="17.0.15"', 17), ("JAVA_VERSION=25", 25), ("", None)],
)
def test_versions_of_java(text: str, major: int | None, here: Path) -> None:
    (here / "bin").mkdir()
    (here / "bin" / "java").touch(mode=0o755)
    (here / "release").write_text(text)
    assert java.version_of(here) == major
    assert java.version_of(here / "bin") is None
