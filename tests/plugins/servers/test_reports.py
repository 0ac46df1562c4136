"""Applying what nodes report: once, in order, only of their own servers, and never fatal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import peewee
import pytest
from whole_panel import PLUGIN, database_url_on

from stellar.auth import users
from stellar.auth.models import User
from stellar.auth.permissions import SYSTEM
from stellar.config import Config, prepare_data
from stellar.db import is_postgres
from stellar.db.fields import new_id
from stellar.errors import Unavailable
from stellar.panel import boot
from stellar.plugins.blueprints.service import get_blueprint, sync_builtin
from stellar.plugins.nodes import reports
from stellar.plugins.nodes.models import Node
from stellar.plugins.nodes.protocol import Report
from stellar.plugins.servers.crashes import crashes
from stellar.plugins.servers.known_prompts import KNOWN
from stellar.plugins.servers.models import Crash, Install, OpenPrompt, Server
from stellar.plugins.servers.reports import CRASHES_KEPT
from stellar.plugins.servers.views import detail

INSTALLED = {"ok": True, "exit_code": 0, "log": "fine", "started_at": 1.0, "finished_at": 2.0}
CRASHED = {"at": 5.0, "code": None, "signal": "SIGSEGV", "oom": False, "log": "ow", "restarting": True}


class Bench:
    """A panel without a web server: a node, and a server on it."""

    def __init__(self) -> None:
        self.node = Node.create(name="attic", address="", port_start=28400, port_end=28410)
        self.owner = users.create("ada@example.com", "correct horse battery")
        self.server_id = self.add_server()
        self._positions = count(1)

    def add_server(self) -> str:
        """Another server's id."""
        server = Server.create(
            short_id=new_id()[:8],
            name="A server",
            owner=self.owner,
            node=self.node,
            blueprint=get_blueprint("generic"),
            runtime="process",
            memory_mb=64,
            cpu_percent=0,
            disk_mb=0,
            install_id="current",
        )
        return str(server.id)

    def report(
        self, kind: str, data: dict[str, Any], *, server_id: str | None = None, node: Node | None = None
    ) -> None:
        """A new report of a node."""
        report = Report(f"box:{next(self._positions)}", kind, server_id or self.server_id, data)
        reports.apply_report((node or self.node).id, report)

    def state(self) -> str:
        """What the panel believes."""
        return str(Server.get_by_id(self.server_id).state)

    def heard(self) -> list[tuple[str, dict[str, Any]]]:
        """What plugins have been told of the server."""
        told = sys.modules[f"stellar_data_plugins.{PLUGIN.name}"].HEARD
        return [(event, data) for server_id, event, data in told if server_id == self.server_id]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The module's database, open and up to date."""
    directory = tmp_path_factory.mktemp("reports")
    (directory / "plugins").mkdir()
    (directory / "plugins" / PLUGIN.name).symlink_to(PLUGIN)
    url = database_url_on(request.param, request, directory)
    config = Config(directory, {"redis": {"url": "unix:///nowhere"}, "database": {"url": url}}, {}, "the test's")
    prepare_data(config)
    panel = boot("worker", config=config)
    panel.open()
    panel.migrate()
    sync_builtin()
    panel.start()
    yield
    panel.stop()


@pytest.fixture
def bench(database: None) -> Iterator[Bench]:
    yield Bench()
    for model in (Server, Node, User):
        model.delete().execute()


def test_state_follows_the_newest_report(bench: Bench) -> None:
    bench.report("server.state", {"state": "running", "at": 10.0})
    bench.report("server.state", {"state": "starting", "at": 9.0})
    assert bench.state() == "running"
    bench.report("server.state", {"state": "stopping", "at": 10.0})
    assert bench.state() == "stopping"


def test_plugins_hear_of_changes_once_they_are_committed(bench: Bench) -> None:
    for state, at in (("installing", 1.0), ("offline", 2.0), ("offline", 2.0), ("running", 1.0), ("starting", 3.0)):
        bench.report("server.state", {"state": state, "at": at})
    bench.report("server.installed", {**INSTALLED, "install_id": "current"})
    bench.report("server.crashed", CRASHED)
    assert bench.heard() == [
        ("state", {"state": "offline"}),
        ("state", {"state": "starting"}),
        ("installed", {"ok": True}),
        ("crashed", {"restarting": True}),
    ]


ASKED = {"name": "eula", "at": 5.0, "line": "You need to agree to the EULA"}


def test_a_question_is_kept_once_until_the_game_starts_anew(bench: Bench) -> None:
    bench.report("server.prompt", ASKED)
    bench.report("server.prompt", {**ASKED, "line": "again\0", "at": 6.0})
    (row,) = OpenPrompt.select()
    assert (row.name, row.line, row.at) == ("eula", "again\ufffd", 6.0)
    assert [prompt.name for prompt in detail(SYSTEM, bench.server_id).prompts] == ["eula"]
    bench.report("server.state", {"state": "offline", "at": 7.0})
    bench.report("server.state", {"state": "starting", "at": 5.5})
    assert OpenPrompt.select().count() == 1
    bench.report("server.state", {"state": "starting", "at": 8.0})
    assert OpenPrompt.select().count() == 0
    assert ("prompt", {"prompt": "eula", "title": KNOWN["eula"].title}) in bench.heard()


@pytest.mark.parametrize("wrong", [{"name": "nonsense"}, {"name": "x" * 99}, {"line": "x" * 2000}, {"at": "now"}])
def test_a_question_that_the_panel_does_not_know_is_refused(bench: Bench, wrong: dict[str, Any]) -> None:
    bench.report("server.prompt", {**ASKED, **wrong})
    assert OpenPrompt.select().count() == 0


def test_why_a_node_has_ended_a_server_is_shown(bench: Bench) -> None:
    bench.report("server.crashed", {**CRASHED, "reason": "It was not running 30 s after its start.\0"})
    bench.report("server.crashed", {**CRASHED, "at": 6.0, "oom": True})
    bench.report("server.crashed", {**CRASHED, "at": 7.0})
    bench.report("server.crashed", {**CRASHED, "at": 8.0, "signal": None})
    assert [crash.summary for crash in crashes(SYSTEM, bench.server_id).items] == [
        "It ended, and nobody knows how.",
        "It was ended by SIGSEGV.",
        "It ran out of memory.",
        "It was not running 30 s after its start.\ufffd",
    ]


OVER = {"level": "over", "used_bytes": 6 * 2**30, "limit_bytes": 5 * 2**30, "at": 10.0}


def test_a_server_over_its_disk_limit_is_shown_until_it_is_not(bench: Bench) -> None:
    assert detail(SYSTEM, bench.server_id).disk_warning is None
    bench.report("server.disk", OVER)
    warning = detail(SYSTEM, bench.server_id).disk_warning
    assert warning is not None
    assert (warning.used_bytes, warning.stopped, warning.at.timestamp()) == (6 * 2**30, False, 10.0)
    bench.report("server.disk", {**OVER, "level": "stopped", "at": 20.0})
    bench.report("server.disk", {**OVER, "level": "ok", "at": 15.0})
    warning = detail(SYSTEM, bench.server_id).disk_warning
    assert warning is not None
    assert warning.stopped
    bench.report("server.disk", {**OVER, "level": "ok", "at": 30.0})
    assert detail(SYSTEM, bench.server_id).disk_warning is None
    assert [data["level"] for event, data in bench.heard() if event == "disk"] == ["over", "stopped", "ok"]


@pytest.mark.parametrize(
    "bad", [{"level": "fine"}, {"used_bytes": -1}, {"used_bytes": 2**63}, {"at": 1e300}, {"at": "x"}]
)
def test_a_strange_report_of_disk_use_changes_nothing(bench: Bench, bad: dict[str, Any]) -> None:
    bench.report("server.disk", {**OVER, **bad})
    assert detail(SYSTEM, bench.server_id).disk_warning is None


def test_install_is_kept_if_it_is_the_wanted_one(bench: Bench) -> None:
    bench.report("server.installed", {**INSTALLED, "install_id": "older"})
    assert Install.select().count() == 0
    for log in ("first", "second"):
        bench.report("server.installed", {**INSTALLED, "install_id": "current", "log": log})
    assert [(row.ok, row.log) for row in Install.select()] == [(True, "second")]


def test_result_of_an_earlier_install_is_not_shown(bench: Bench) -> None:
    bench.report("server.installed", {**INSTALLED, "install_id": "current"})
    assert detail(SYSTEM, bench.server_id).install is not None
    Server.update(install_id="next").execute()
    assert detail(SYSTEM, bench.server_id).install is None


def test_log_may_hold_anything(bench: Bench) -> None:
    bench.report("server.installed", {**INSTALLED, "install_id": "current", "log": "a\0b\x1b[0m\U0001f333"})
    bench.report("server.crashed", {**CRASHED, "log": "\0\0"})
    assert Install.get().log == "a\ufffdb\x1b[0m\U0001f333"
    assert Crash.get().log == "\ufffd\ufffd"


def test_only_the_latest_crashes_are_kept(bench: Bench) -> None:
    other = bench.add_server()
    bench.report("server.crashed", CRASHED, server_id=other)
    for at in range(CRASHES_KEPT + 5):
        bench.report("server.crashed", {**CRASHED, "at": float(at)})
    kept = [row.at for row in Crash.select().where(Crash.server == bench.server_id).order_by(Crash.at)]
    assert kept == [float(at) for at in range(5, CRASHES_KEPT + 5)]
    assert Crash.select().where(Crash.server == other).count() == 1


def test_node_may_not_report_another_nodes_server(bench: Bench) -> None:
    other = Node.create(name="cellar", address="", port_start=1, port_end=2)
    for kind, data in (
        ("server.state", {"state": "running", "at": 1e12}),
        ("server.installed", {**INSTALLED, "install_id": "current"}),
        ("server.crashed", CRASHED),
    ):
        bench.report(kind, data, node=other)
    assert bench.state() == "installing"
    assert Install.select().count() == Crash.select().count() == 0


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("server.state", {"state": "restoring?", "at": 1.0}),
        ("server.state", {"at": 1.0}),
        ("server.installed", {**INSTALLED, "install_id": "current", "log": "x" * (256 * 1024 + 1)}),
        ("server.installed", {**INSTALLED, "install_id": "current", "exit_code": "0"}),
        ("server.crashed", {**CRASHED, "signal": "S" * 17}),
        ("server.crashed", {**CRASHED, "at": None}),
    ],
)
def test_malformed_report_changes_nothing(bench: Bench, kind: str, data: dict[str, Any]) -> None:
    bench.report(kind, data)
    assert bench.state() == "installing"
    assert Install.select().count() == Crash.select().count() == 0


def test_huge_numbers_do_not_keep_a_node_from_being_linked(bench: Bench) -> None:
    bench.report("server.crashed", {**CRASHED, "code": 2**62})
    bench.report("server.installed", {**INSTALLED, "install_id": "current", "exit_code": -(2**40)})
    bench.report("server.state", {"state": "offline", "at": 1.0})
    assert bench.state() == "offline"


def test_report_of_a_deleted_server_is_forgotten(bench: Bench) -> None:
    Server.delete().execute()
    bench.report("server.state", {"state": "running", "at": 1.0})
    bench.report("server.crashed", CRASHED)
    assert Crash.select().count() == 0


@pytest.mark.parametrize("error", [RuntimeError("a plugin's mistake"), peewee.IntegrityError("just deleted")])
def test_handler_that_fails_does_not_block_what_comes_after(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(node_id: str, server_id: str | None, data: dict[str, Any]) -> None:
        Server.update(state="running").execute()
        raise error

    monkeypatch.setitem(reports._registrar.handlers, "test.fails", fail)
    bench.report("test.fails", {})
    assert bench.state() == "installing"
    bench.report("server.state", {"state": "offline", "at": 1.0})
    assert bench.state() == "offline"


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("away"),
        peewee.OperationalError("server closed the connection"),
        peewee.DatabaseError("server closed the connection unexpectedly"),
    ],
)
def test_report_that_meets_no_database_is_to_be_sent_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    attempts = []

    def fail_first(node_id: str, server_id: str | None, data: dict[str, Any]) -> None:
        attempts.append(data)
        if len(attempts) == 1:
            raise error

    if type(error) is peewee.DatabaseError and not is_postgres():
        pytest.skip("optional: only PostgreSQL's driver says so")
    monkeypatch.setitem(reports._registrar.handlers, "test.fails", fail_first)
    report = Report("box:1", "test.fails", None, {})
    with pytest.raises(type(error)):
        reports.apply_report(bench.node.id, report)
    for _ in range(2):
        reports.apply_report(bench.node.id, report)
    assert len(attempts) == 2
