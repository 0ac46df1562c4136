"""``stellar user``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from web_parts import PASSWORD

SCRIPT = [sys.executable, "-m", "stellar", "user"]


def stellar_user(data: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "STELLAR_SAFE_MODE": "1"}
    return subprocess.run(
        [*SCRIPT, *arguments, "--data", str(data)],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )


def test_create_and_list(tmp_path: Path) -> None:
    made = stellar_user(
        tmp_path, "create", "--email", "Root@Example.com", "--admin", "--password-stdin", given=f"{PASSWORD}\n"
    )
    assert (made.returncode, made.stdout, made.stderr) == (0, "Created the administrator root@example.com.\n", "")
    again = stellar_user(tmp_path, "create", "--email", "root@example.com", "--password-stdin", given=PASSWORD)
    assert (again.returncode, again.stdout) == (1, "")
    assert "already an account" in again.stderr and "Traceback" not in again.stderr
    (user,) = json.loads(stellar_user(tmp_path, "list", "--json").stdout)
    assert (user["email"], user["role"], user["name"]) == ("root@example.com", "admin", "root")
    assert "hash" not in str(user) and "password" not in user


def test_a_poor_password_is_one_sentence(tmp_path: Path) -> None:
    made = stellar_user(tmp_path, "create", "--email", "a@example.com", "--password-stdin", given="short\n")
    assert made.returncode == 1
    assert "at least 8 characters" in made.stderr and "Traceback" not in made.stderr
    assert json.loads(stellar_user(tmp_path, "list", "--json").stdout) == []


def test_without_a_terminal_it_does_not_ask(tmp_path: Path) -> None:
    made = stellar_user(tmp_path, "create", "--email", "a@example.com")
    assert made.returncode == 1
    assert "--password-stdin" in made.stderr
