"""The outbox keeps reports in order until they are acknowledged, over restarts."""

from __future__ import annotations

from pathlib import Path

from stellar.plugins.nodes.agent.outbox import Outbox


def kinds(outbox: Outbox) -> list[str]:
    return [report.kind for _, report in outbox.waiting()]


def test_reports_wait_in_order_until_they_are_acknowledged(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    for kind in ("first", "second", "third"):
        outbox.add(kind, "server", {"bytes": b"\x00\xff"})
    (_, first), (_, second), _ = outbox.waiting()
    outbox.acknowledged(first.id)
    assert kinds(outbox) == ["second", "third"]
    outbox.acknowledged(second.id)
    outbox.acknowledged(first.id)
    assert kinds(outbox) == ["third"]


def test_a_restart_keeps_reports_and_never_uses_an_id_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.add("kept", None, {"n": 1})
    [(_, report)] = outbox.waiting()
    outbox.close()
    again = Outbox(tmp_path / "outbox.db")
    assert again.waiting() == [(1, report)]
    again.acknowledged(report.id)
    again.close()
    third = Outbox(tmp_path / "outbox.db")
    third.add("new", None, {})
    [(_, later)] = third.waiting()
    assert later.id != report.id


def test_an_acknowledgement_of_another_outbox_is_ignored(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.add("kept", None, {})
    for strange in ("someone-else:1", "1", "", f"{outbox.waiting()[0][1].id.split(':')[0]}:x"):
        outbox.acknowledged(strange)
    assert kinds(outbox) == ["kept"]
