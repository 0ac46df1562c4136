"""A running product whose administrator uses the command line."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from product import EMAIL, PASSWORD, Product

COMMAND = [sys.executable, "-m", "stellar"]


class CliPanel:
    """``stellar run`` from this checkout, and its commands."""

    def __init__(self, product: Product) -> None:
        self.product = product

    def run(self, *arguments: str, given: str = "") -> tuple[int, str, str]:
        """Run a command: exit code, standard output and standard error; never with a traceback."""
        done = self.product.run(*arguments, input=given)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    def ok(self, *arguments: str, given: str = "") -> str:
        """The output of a command that works."""
        code, out, err = self.run(*arguments, given=given)
        assert code == 0, (arguments, out, err)
        return out

    def json(self, *arguments: str, given: str = "") -> Any:
        """The JSON of a command that works."""
        return json.loads(self.ok(*arguments, "--json", given=given))

    def refused(self, *arguments: str, given: str = "") -> str:
        """What a command says that answers with one sentence and the exit code 1."""
        code, out, err = self.run(*arguments, given=given)
        assert (code, out) == (1, ""), (arguments, code, out, err)
        assert err.startswith("stellar: "), err
        return err

    def completions(self, *words: str) -> list[str]:
        """What the shell completes the last of a command's words with."""
        asked = {"_STELLAR_COMPLETE": "bash_complete", "COMP_WORDS": shlex.join(["stellar", *words])}
        environment = {**self.product.environment, **asked, "STELLAR_DATA": str(self.product.data)}
        environment["COMP_CWORD"] = str(len(words))
        done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, check=True, timeout=60)
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    def audited(self, action: str) -> list[dict[str, Any]]:
        """The lines of the audit log that the command line has written of an action, the newest first."""
        answer = self.product.admin().get("/api/v1/admin/audit", params={"action": action})
        assert answer.status_code == 200, answer.text
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return [entry for entry in entries if entry["actor_kind"] == "system"]

    def user(self, email: str, password: str = PASSWORD, *options: str) -> dict[str, Any]:
        """Make an account."""
        made: dict[str, Any] = self.json(
            "user", "create", "--email", email, "--password-stdin", *options, given=f"{password}\n"
        )
        return made

    def signed_in(self, email: str, password: str = PASSWORD) -> httpx.Client:
        """A browser of that account."""
        client = httpx.Client(base_url=self.product.url, timeout=30, trust_env=False)
        answer = client.post("/api/v1/auth/signin", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        return client


@contextmanager
def running(directory: Path) -> Iterator[CliPanel]:
    """A product with one administrator, ``product.EMAIL``."""
    product = Product(COMMAND, directory / "data")
    panel = CliPanel(product)
    panel.ok("user", "create", "--email", EMAIL, "--name", "Ada", "--admin", "--password-stdin", given=PASSWORD)
    product.start()
    try:
        yield panel
    finally:
        product.clean_up()
