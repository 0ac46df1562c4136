"""Fetching: what is dialled is checked, whatever the address looks like, and whatever it leads to."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from source_parts import Source

from stellar.errors import DomainError, Invalid, Unavailable
from stellar.http.outbound import MAX_REDIRECTS, Fetched, fetch, is_allowed


@pytest.fixture
def source() -> Iterator[Source]:
    with Source().running() as found:
        yield found


def get(url: str, **options: Any) -> Fetched:
    return asyncio.run(fetch(url, **{"limit": 1000, "seconds": 10.0, **options}))


def resolving(monkeypatch: pytest.MonkeyPatch, answer: Callable[[int], str]) -> list[str]:
    """Every name has the address that ``answer`` gives for the first, second … question; returns the questions."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *rest: Any, **more: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        if name.replace(".", "").isdigit() or ":" in name:
            return real(host, port, *rest, **more)
        asked.append(name)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer(len(asked)), port))]

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1"),
        *("fe80::1%eth0", "fd00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::", "::127.0.0.1", "::10.0.0.1"),
        *("fec0::1", "not an address", ""),
    ],
)
def test_addresses_that_are_not_dialled(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert is_allowed(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "fd00::1", "fec0::1", "::1", "::ffff:192.168.0.1"])
def test_private_ones_where_that_is_wanted(address: str) -> None:
    assert is_allowed(address, private=True)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.0", "224.0.0.1"])
def test_secrets_of_a_cloud_never(address: str) -> None:
    assert not is_allowed(address, private=True)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0"],
)
def test_however_this_machine_is_written(source: Source, host: str) -> None:
    source.answers["/"] = (200, {}, b"secret")
    with pytest.raises((Invalid, Unavailable)):
        get(f"http://{host}:{source.port}/")
    assert source.asked == []


@pytest.mark.parametrize(
    "url",
    [
        *("", "nonsense", "/etc/passwd", "file:///etc/passwd", "ftp://example.org/x", "gopher://example.org"),
        *("http://", "http:///x", "http://[::1", "http://user:secret@example.org/", "http://exa\x00mple.org/"),
        *("//example.org/x", "javascript:alert(1)", "data:text/plain,x", "http://x/" + "a" * 3000),
    ],
)
def test_what_is_no_address_to_fetch(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        get(url)
    assert caught.value.code == "fetch_refused"
    assert "secret" not in caught.value.message


def test_a_document(source: Source) -> None:
    source.answers["/egg.json?x=1"] = (200, {}, b"{}")
    assert get(f"{source.url}/egg.json?x=1", private=True) == Fetched(f"{source.url}/egg.json?x=1", b"{}")
    assert source.hosts == [f"127.0.0.1:{source.port}"]


def test_redirects_are_followed_so_far(source: Source) -> None:
    source.answers["/0"] = (302, {"Location": "1"}, b"")
    for number in range(1, MAX_REDIRECTS + 5):
        source.answers[f"/{number}"] = (302, {"Location": f"{source.url}/{number + 1}"}, b"")
    source.answers["/3"] = (200, {}, b"here")
    assert get(f"{source.url}/0", private=True) == Fetched(f"{source.url}/3", b"here")
    with pytest.raises(Invalid, match="more than 5 redirects"):
        get(f"{source.url}/4", private=True)


@pytest.mark.parametrize(
    "onward", ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "http://[fe80::1]/", "//0.0.0.0/"]
)
def test_a_redirect_leads_to_nothing_that_is_not_allowed(source: Source, onward: str) -> None:
    source.answers["/"] = (302, {"Location": onward}, b"")
    with pytest.raises(Invalid):
        get(f"{source.url}/", private=True)


def test_a_name_of_a_private_address(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    asked = resolving(monkeypatch, lambda number: "127.0.0.1")
    with pytest.raises(Invalid, match="in a private network or on this machine"):
        get(f"http://innocent.example:{source.port}/")
    assert (asked, source.asked) == (["innocent.example"], [])


def test_a_name_that_changes_its_address_is_asked_for_once(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    """A public address when it is checked, this machine when it is dialled: only a second question would get there."""
    asked = resolving(monkeypatch, lambda number: "203.0.113.1" if number == 1 else "127.0.0.1")
    monkeypatch.setattr("stellar.http.outbound.is_allowed", lambda address, private: address == "203.0.113.1")
    with pytest.raises(Unavailable):
        get(f"http://rebinding.example:{source.port}/", seconds=1.0)
    assert (asked, source.asked) == (["rebinding.example"], [])


def test_the_name_is_still_what_the_server_is_told(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    resolving(monkeypatch, lambda number: "127.0.0.1")
    source.answers["/"] = (200, {}, b"x")
    get(f"http://mirror.example:{source.port}/", private=True)
    assert source.hosts == [f"mirror.example:{source.port}"]


def test_too_large(source: Source) -> None:
    source.answers["/"] = (200, {}, b"x" * 2000)
    with pytest.raises(Invalid, match="has more than 0 KiB"):
        get(f"{source.url}/", private=True)


@pytest.mark.parametrize("status", [404, 500, 204, 401])
def test_other_answers(source: Source, status: int) -> None:
    source.answers["/?token=secret"] = (status, {}, b"")
    with pytest.raises(Unavailable, match=f"answered with {status}") as caught:
        get(f"{source.url}/?token=secret", private=True)
    assert "secret" not in caught.value.message


def test_one_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(Unavailable, match="did not answer within"):
            get(url, private=True, seconds=0.3)


def test_one_that_speaks_no_http() -> None:
    def speak() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(100)
            connection.sendall(b"SSH-2.0-nonsense\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=speak)
        thread.start()
        with pytest.raises(DomainError) as caught:
            get(f"http://127.0.0.1:{server.getsockname()[1]}/", private=True)
        thread.join()
    assert caught.value.code == "fetch_failed"
