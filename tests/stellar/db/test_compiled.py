"""Queries that are compiled once: their parameters, their rows, and that they are prepared where that helps."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import msgspec
import peewee
import pytest

from stellar.db import (
    Compiled,
    IdField,
    JSONField,
    Model,
    Param,
    UTCDateTimeField,
    compiled,
    connect,
    database,
    disconnect,
    filled,
    is_postgres,
    write_tx,
)

NOON = datetime(2026, 5, 1, 12, 0, 0, 250, tzinfo=UTC)


class Thing(Model):
    """A row with every kind of field that is converted."""

    id = IdField()
    name = peewee.CharField()
    on = peewee.BooleanField()
    maybe = peewee.BooleanField(null=True)
    tags = JSONField()
    seen_at = UTCDateTimeField(null=True)
    size = peewee.IntegerField(default=0)

    class Meta:
        table_name = "test_thing"


class View(msgspec.Struct):
    """What it is shown as."""

    name: str
    on: bool
    maybe: bool | None
    tags: Any
    seen_at: datetime | None


COLUMNS = (Thing.name, Thing.on, Thing.maybe, Thing.tags, Thing.seen_at)


@pytest.fixture(autouse=True)
def table(database_url: str) -> Iterator[None]:
    """The table with two rows."""
    connect(database_url)
    database.create_tables([Thing])
    Thing.create(id="a", name="100% \u00e4", on=True, maybe=None, tags=["x", 1], seen_at=NOON, size=1)
    Thing.create(id="b", name="O'Neil", on=False, maybe=False, tags={"y": None}, seen_at=None, size=2)
    yield
    disconnect()


def by_id() -> Compiled[View]:
    """A view by its id."""
    return Compiled(lambda: Thing.select(*COLUMNS).where(Thing.id == Param("id")), View)


def test_rows_become_structs_with_converted_columns() -> None:
    query = by_id()
    assert query.first(id="a") == View("100% \u00e4", True, None, ["x", 1], NOON)
    assert query.first(id="b") == View("O'Neil", False, False, {"y": None}, None)
    found = query.first(id="a")
    assert found is not None and found.on is True and found.seen_at is not None
    assert found.seen_at.utcoffset() == NOON.utcoffset()
    assert query.first(id="c") is None and query.all(id="c") == []


def test_parameters_are_bound_by_name_wherever_they_stand() -> None:
    sizes = Thing.select(Thing.id).where((Thing.size >= Param("least")) & (Thing.on == Param("on")))
    query = Compiled(
        lambda: (
            Thing.select(Thing.id)
            .where((Thing.id.in_(sizes)) | (Thing.name == Param("name")) | (Thing.name == "nobody"))
            .order_by(Thing.id)
            .limit(Param("limit"))
        ),
        str,
    )
    for _ in range(2 * compiled.PREPARE_AFTER):
        assert query.all(least=1, on=True, name="O'Neil", limit=9) == ["a", "b"]
        assert query.all(least=1, on=True, name="O'Neil", limit=1) == ["a"]
        assert query.all(least=2, on=True, name="' or 1=1 --", limit=9) == []
        assert query.all(least=0, on=False, name="%s $1 ?", limit=9) == ["b"]
    with pytest.raises(KeyError, match="name"):
        query.all(least=1, on=True, limit=9)


def test_query_is_built_once() -> None:
    built: list[int] = []

    def build() -> Any:
        built.append(1)
        return Thing.select(Thing.name).order_by(Thing.id)

    query = Compiled(build, str)
    with patch.object(peewee.Context, "sql", autospec=True, side_effect=peewee.Context.sql) as compiling:
        for _ in range(2 * compiled.PREPARE_AFTER):
            assert query.all() == ["100% \u00e4", "O'Neil"]
        first = compiling.call_count
        query.all()
    assert (len(built), compiling.call_count) == (1, first)


def test_rows_are_as_they_are_now() -> None:
    query = by_id()
    for number in range(2 * compiled.PREPARE_AFTER):
        Thing.update(name=f"n{number}").where(Thing.id == "a").execute()
        found = query.first(id="a")
        assert found is not None and found.name == f"n{number}"
    Thing.delete().execute()
    assert query.first(id="a") is None


def test_postgres_keeps_plans_by_connection_and_only_so_many() -> None:
    if not is_postgres():
        pytest.skip("optional: SQLite prepares by itself")
    queries = [by_id() for _ in range(3)]
    with patch.object(compiled, "PREPARED_KEPT", 2):
        for query in queries:
            for _ in range(compiled.PREPARE_AFTER + 2):
                assert query.first(id="a") is not None
    kept = database.execute_sql("select count(*) from pg_prepared_statements where name like 'stellar_%%'")
    assert kept.fetchone() == (2,)
    disconnect()
    for query in queries:
        assert query.first(id="b") is not None


def test_statement_survives_a_transaction_that_is_rolled_back() -> None:
    query = by_id()
    for _ in range(compiled.PREPARE_AFTER + 1):
        with pytest.raises(ZeroDivisionError), write_tx():
            assert query.first(id="a") is not None
            raise ZeroDivisionError
    assert query.first(id="b") is not None


def test_threads_share_a_query() -> None:
    query = by_id()

    def look(number: int) -> str:
        found = query.first(id="ab"[number % 2])
        assert found is not None
        return found.name

    def ended(number: int) -> str:
        try:
            return look(number)
        finally:
            disconnect()

    with ThreadPoolExecutor(8) as threads:
        names = list(threads.map(ended, range(64)))
    assert names == ["100% \u00e4", "O'Neil"] * 32


def test_row_becomes_a_model_again() -> None:
    columns = Thing._meta.sorted_fields
    query = Compiled(lambda: Thing.select(*columns).where(Thing.id == Param("id")), lambda *row: filled(Thing, row))
    found = query.first(id="a")
    assert found is not None
    assert found.__data__ == Thing.get_by_id("a").__data__
    found.size = 7
    found.save()
    assert Thing.get_by_id("a").size == 7
