"""Applying what nodes report, each report once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import peewee

from stellar.db import is_away, write_tx
from stellar.errors import DomainError, Unavailable
from stellar.panel import Panel

from .models import Node
from .protocol import Report

log = logging.getLogger(__name__)

ReportHandler = Callable[[str, str | None, dict[str, Any]], None]


class ReportRegistrar:
    """Handed to ``register_node_reports``."""

    def __init__(self) -> None:
        self.handlers: dict[str, ReportHandler] = {}

    def on(self, kind: str, handler: ReportHandler) -> None:
        """Apply reports of a kind with ``handler(node_id, server_id, data)``, inside the write transaction."""
        if kind in self.handlers:
            raise ValueError(f"the report {kind} has two handlers")
        self.handlers[kind] = handler


_registrar = ReportRegistrar()


def collect(app: Panel) -> None:
    """Ask the plugins which reports they apply."""
    global _registrar
    _registrar = ReportRegistrar()
    for _ in app.plugins.each("register_node_reports", reports=_registrar):
        pass


def apply_report(node_id: str, report: Report) -> None:
    """Apply a report unless it has been applied before.

    A report that breaks a rule, or a handler, is logged and counts as applied: sending it again would not help, and
    would keep the node from ever being linked. Raises ``Unavailable``, or peewee's error, when the database is away;
    the node then sends the report again.
    """
    outbox, _, position = report.id.partition(":")
    if not position.isdecimal() or len(outbox) > 36:
        log.warning("node %s sent a report with the malformed id %.80r", node_id, report.id)
        return
    try:
        with write_tx():
            if _is_new(node_id, outbox, int(position)):
                _handle(node_id, report)
    except Unavailable:
        raise
    except peewee.IntegrityError as error:
        log.warning("a report of node %s (%s) is of something that has just gone: %s", node_id, report.kind, error)
    except DomainError as error:
        log.warning("a report of node %s (%s) was not applied: %s", node_id, report.kind, error.message)
    except Exception as error:
        if is_away(error):
            raise
        log.exception("a report of node %s (%s) was not applied", node_id, report.kind)


def _is_new(node_id: str, outbox: str, position: int) -> bool:
    later = (Node.outbox_id != outbox) | (Node.outbox_position < position)
    changed = Node.update(outbox_id=outbox, outbox_position=position).where(Node.id == node_id, later).execute()
    return bool(changed)


def _handle(node_id: str, report: Report) -> None:
    handler = _registrar.handlers.get(report.kind)
    if handler is None:
        log.warning("node %s sent a report of the unknown kind %.80r", node_id, report.kind)
        return
    handler(node_id, report.server_id, report.data)
