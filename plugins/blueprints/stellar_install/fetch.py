"""Getting things from the games' sources: retried, resumed, checked, and whole or not at all.

``STELLAR_MIRRORS`` (``[agent] mirrors`` of the node) may send addresses elsewhere: ``https://source=http://mirror …``.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .console import fail, say

AGENT = "Mozilla/5.0 (compatible; Stellar-Install/1; game server panel)"
"""Some sources refuse programs that don't say what they are."""
TIMEOUT = 30
WAITS = (0.5, 1.5, 4)
"""Seconds before each further try."""
MAX_ANSWER = 64 * 1024 * 1024
"""Bytes of what is read into memory."""
PIECE = 256 * 1024
SAY_SECONDS = 3.0
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NETWORK_ERRORS = (urllib.error.URLError, http.client.HTTPException, OSError)


class NotThere(Exception):
    """The source answers that it has no such thing."""


class Broken(Exception):
    """It didn't come whole; trying again may help."""


class Wrong(Broken):
    """It isn't what its source promises; trying again helps only where something was spoiled on the way."""


def get(url: str) -> bytes:
    """What is at an address. ``NotThere`` without it; any other failure ends the install."""

    def attempt() -> bytes:
        with _open(url) as answer:
            data: bytes = answer.read(MAX_ANSWER + 1)
            _check_length(len(data), _length(answer))
        if len(data) > MAX_ANSWER:
            fail(f"{url} answers with more than {_size(MAX_ANSWER)}; that can't be right.")
        return data

    data: bytes = _retried(url, attempt)
    return data


def get_text(url: str) -> str:
    """``get`` as text."""
    return get(url).decode("utf-8", "replace")


def get_json(url: str, checksum: str = "") -> Any:
    """``get`` as JSON; for ``checksum`` see ``download``."""
    data = get(url)
    if checksum and _digest_of(data, checksum) != checksum.lower():
        fail(f"What came from {url} isn't what its source promises (wrong checksum). Try again later.")
    try:
        return json.loads(data)
    except ValueError:
        fail(f"{url} answers with something that isn't JSON; it may have changed, or something stands in between.")


def download(url: str, target: Path, *, checksum: str = "", label: str = "") -> Path:
    """Fetch a file to ``target``, which is replaced when all of it is there and right.

    ``checksum`` is ``sha1:…`` or ``sha256:…``: with it, a file that is here already isn't fetched again.
    ``NotThere`` without such a file at the source; any other failure ends the install.
    """
    label = label or target.name
    if checksum and target.is_file() and _digest(target, checksum) == checksum.lower():
        say(f"{label} is here already.")
        return target
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    say(f"Downloading {label} …")

    def attempt() -> None:
        _receive(url, part, label)
        if checksum and _digest(part, checksum) != checksum.lower():
            part.unlink()
            raise Wrong("it isn't what its source promises (wrong checksum)")

    try:
        _retried(url, attempt)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    say(f"Downloaded {label} ({_size(target.stat().st_size)}).")
    return target


def _receive(url: str, part: Path, label: str) -> None:
    """Go on at the end of ``part`` where the source can."""
    here = part.stat().st_size if part.exists() else 0
    with _open(url, {"Range": f"bytes={here}-"} if here else {}) as answer:
        resumed = answer.status == http.client.PARTIAL_CONTENT and _begins_at(answer, here)
        if answer.status == http.client.PARTIAL_CONTENT and not resumed:
            part.unlink()
            raise Broken("it went on at another place than asked for")
        done = here if resumed else 0
        length = _length(answer)
        total = None if length is None else done + length
        say_at = time.monotonic() + SAY_SECONDS
        with part.open("ab" if resumed else "wb") as file:
            while piece := answer.read(PIECE):
                file.write(piece)
                done += len(piece)
                if time.monotonic() >= say_at:
                    say_at = time.monotonic() + SAY_SECONDS
                    say(f"{label}: {100 * done // total} % of {_size(total)}" if total else f"{label}: {_size(done)}")
        _check_length(done, total)


def _retried(url: str, attempt: Any) -> Any:
    for wait in (*WAITS, None):
        final = wait is None
        try:
            return attempt()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (400, 404, 410):
                raise NotThere(url) from None
            reason = f"it answers {error.code} {error.reason}"
            final = final or error.code not in BUSY
        except Broken as error:
            reason = str(error)
            final = final or (isinstance(error, Wrong) and wait != WAITS[0])
        except NETWORK_ERRORS as error:
            if isinstance(error, OSError) and error.errno in FULL:
                fail(f"There isn't enough disk space here ({error.strerror}).")
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        if final or wait is None:
            host = urlsplit(url).netloc
            fail(f"{host} can't be used just now: {reason} ({url}). Check the node's network, or try again later.")
        say(f"{urlsplit(url).netloc}: {reason}; trying again.")
        time.sleep(wait)
    raise AssertionError("the last try has ended the install")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects through the mirrors too, and never from https to http."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: PLR0917
        if req.type == "https" and newurl.startswith("http:"):
            raise urllib.error.URLError("it sends on to an address that isn't encrypted")
        return super().redirect_request(req, fp, code, msg, headers, mirrored(newurl))


_opener = urllib.request.build_opener(_Redirects)


def _open(url: str, headers: dict[str, str] | None = None) -> Any:
    where = mirrored(url)
    if not where.startswith(("https://", "http://")):
        fail(f"{url!r} isn't an address that can be fetched.")
    request = urllib.request.Request(where, headers={"User-Agent": AGENT, **(headers or {})})  # noqa: S310
    return _opener.open(request, timeout=TIMEOUT)


def mirrored(url: str) -> str:
    """Where ``url`` is fetched from on this node."""
    for entry in os.environ.get("STELLAR_MIRRORS", "").split():
        source, _, mirror = entry.partition("=")
        source = source.rstrip("/")
        if not source.startswith("http") or not mirror.startswith("http"):
            fail(f"The node's [agent] mirrors have {entry!r}; write https://source=http://mirror.")
        if url == source or url.startswith(source + "/"):
            return mirror.rstrip("/") + url[len(source) :]
    return url


def _begins_at(answer: Any, offset: int) -> bool:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == offset


def _length(answer: Any) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def _check_length(done: int, wanted: int | None) -> None:
    if wanted is not None and done != wanted:
        raise Broken(f"only {_size(done)} of {_size(wanted)} came")


def _digest(path: Path, checksum: str) -> str:
    kind = checksum.partition(":")[0]
    digest = hashlib.new(kind)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return f"{kind}:{digest.hexdigest()}"


def _digest_of(data: bytes, checksum: str) -> str:
    kind = checksum.partition(":")[0]
    return f"{kind}:{hashlib.new(kind, data).hexdigest()}"


def _size(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 1_000_000 else f"{count / 1000:.0f} kB"
