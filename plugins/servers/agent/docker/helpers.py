"""Docker's credential helpers: programs ``docker-credential-…`` that keep what ``docker login`` was told.

``credHelpers`` of Docker's configuration names one for a registry, ``credsStore`` the one for all others.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
from typing import Any

log = logging.getLogger(__name__)

SECONDS = 10.0
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
TOKEN = "<token>"  # noqa: S105 what helpers call the user of a token


def ask(helper: str, server: str) -> dict[str, str] | None:
    """What a helper knows about a registry, as the fields of ``X-Registry-Auth``; None where it knows nothing."""
    if not NAME.fullmatch(helper):
        log.warning("Docker's configuration names %r as a credential helper, which is no such name", helper)
        return None
    program = shutil.which(f"docker-credential-{helper}")
    if program is None:
        log.warning("Docker's configuration names docker-credential-%s, which isn't on the agent's PATH", helper)
        return None
    try:
        return _fields(json.loads(_run(program, server)))
    except subprocess.TimeoutExpired:
        log.warning("%s did not answer within %g s, so images are pulled without it", program, SECONDS)
    except (OSError, ValueError):
        log.info("%s has no credentials for %s", program, server)
    return None


def _run(program: str, server: str) -> bytes:
    """What it prints; whatever it has started ends with it when it takes too long."""
    with subprocess.Popen(
        [program, "get"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            answer, _ = process.communicate(server.encode(), timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode != 0:
        raise ValueError(f"it ended with {process.returncode}")
    return answer


def _fields(answer: Any) -> dict[str, str] | None:
    username, secret = (answer.get(key) for key in ("Username", "Secret")) if isinstance(answer, dict) else ("", "")
    if not isinstance(username, str) or not isinstance(secret, str) or not secret:
        return None
    if username == TOKEN:
        return {"identitytoken": secret}
    return {"username": username, "password": secret}
