"""Fixtures for all tests: a real Valkey and a real PostgreSQL. In CI nothing that is required may be skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import described
import pytest
from cli_parts import CliPanel, running
from postgres_server import PostgresServer, find_binaries

from stellar.testing.valkey import ValkeyServer

pytest_plugins = ["stellar.testing"]

MAY_SKIP_IN_CI = ("optional:",)
"""How the reason of a skip begins that CI accepts."""

os.environ.setdefault("STELLAR_DOCKER_HOST", "off")
"""Servers of tests aren't to run in the machine's own Docker; those that want one start it themselves."""

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect the skips that CI doesn't accept."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(MAY_SKIP_IN_CI):
        _skipped.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a missing component is a failure."""
    if os.environ.get("CI") and _skipped and not hasattr(session.config, "workerinput"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which skips made the run fail."""
    if os.environ.get("CI"):
        for line in _skipped:
            terminalreporter.write_line(f"skipped, which CI does not accept: {line}", red=True)


@pytest.fixture(scope="session", autouse=True)
def _watched() -> Iterator[None]:
    """Watch what panels in this process answer."""
    with described.watched():
        yield


@pytest.fixture(autouse=True)
def _described(_watched: None) -> Iterator[None]:
    """No test gets an answer that the API's description doesn't know."""
    yield
    assert not described.undescribed()


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """One Valkey for the whole run; see ``redis_url``."""
    server = ValkeyServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def redis_url(valkey: ValkeyServer) -> Iterator[str]:
    """The URL of a Valkey that is empty when the test begins."""
    with valkey.client() as client:
        client.flushall()
    yield valkey.url


@pytest.fixture
def own_valkey() -> Iterator[ValkeyServer]:
    """A Valkey that the test may stop and start."""
    server = ValkeyServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL cluster for the whole run."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is missing: apt-get install -y postgresql")
    server = PostgresServer(binaries)
    server.start()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database; a test that uses it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture(scope="session")
def cli_panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliPanel]:
    """One ``stellar run`` for the tests of commands, with one administrator."""
    with running(tmp_path_factory.mktemp("cli")) as panel:
        yield panel
