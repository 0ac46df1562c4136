"""A real PostgreSQL for tests: a cluster of its own on a unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from urllib.parse import quote

import psycopg2

UNPRIVILEGED = ("postgres", "nobody")
"""PostgreSQL refuses to run as root."""


def find_binaries() -> Path | None:
    """Where initdb and postgres are, the newest version first."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if versions:
        return versions[0].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class PostgresServer:
    """A cluster whose databases are made per test."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self.directory = Path(tempfile.mkdtemp(prefix="stellar-postgres-"))
        self._user = _user()
        if self._user:
            shutil.chown(self.directory, self._user)

    def start(self) -> None:
        """Make the cluster and start it; returns when it answers."""
        self._run("initdb", "-D", str(self._data), "-U", "stellar", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        options = f"-k {self.directory} -c listen_addresses='' -c fsync=off -c max_connections=100"
        log = str(self.directory / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", "60", "-l", log, "-o", options, "start")

    def remove(self) -> None:
        """Stop it and delete everything."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "stop")
        shutil.rmtree(self.directory, ignore_errors=True)

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{uuid.uuid4().hex}"
        connection = psycopg2.connect(host=str(self.directory), user="stellar", dbname="postgres")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(f'create database "{name}"')
        finally:
            connection.close()
        return f"postgresql://stellar@/{name}?host={quote(str(self.directory), safe='')}"

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        done = subprocess.run(
            command, user=self._user, cwd="/", stdin=subprocess.DEVNULL, capture_output=program != "pg_ctl", check=False
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {(done.stderr or b'').decode()}")


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in UNPRIVILEGED if name in known)
