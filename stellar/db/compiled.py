"""Hot reads: a query whose SQL is made once, and whose rows go straight into structs.

Building a query and a model for each row costs several times what the database takes to answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import peewee

from .fields import JSONField, UTCDateTimeField
from .handle import database, is_postgres

T = TypeVar("T")
M = TypeVar("M", bound=peewee.Model)
Row = Sequence[Any]

PREPARE_AFTER = 3
"""Runs of a statement after which PostgreSQL keeps its plan: making it costs as much as running it."""

PREPARED_KEPT = 100
"""Statements that a connection keeps; more are sent as text each time."""

_names = itertools.count(1)
_prepared: MutableMapping[Any, set[str]] = WeakKeyDictionary()
"""The names of what is prepared, by connection."""

Convert = Callable[[Any], Any]


class Param(peewee.Node):
    """A place in a query for a value that each run gives, by name, as the column holds it."""

    def __init__(self, name: str) -> None:
        self._place = _Place(name)

    def __sql__(self, ctx: peewee.Context) -> Any:
        # Unconverted: the field that it is compared with would try to convert the place itself.
        return ctx.value(self._place, converter=False)


class Compiled(Generic[T]):
    """A select that ``build`` makes once per kind of database; ``into`` gets the columns of a row in their order.

    Times arrive aware, JSON decoded, booleans as such, NULL as None. Any thread may run it.
    """

    def __init__(self, build: Callable[[], peewee.Query], into: Callable[..., T]) -> None:
        self._build = build
        self._into = into
        self._statements: dict[bool, _Statement] = {}

    def all(self, **values: Any) -> list[T]:
        """Every row, made into what ``into`` returns."""
        into = self._into
        return [into(*row) for row in self._rows(values)]

    def first(self, **values: Any) -> T | None:
        """The first row; None when there is none."""
        rows = self._rows(values)
        return self._into(*rows[0]) if rows else None

    def _rows(self, values: dict[str, Any]) -> list[Row]:
        statement = self._statements.get(is_postgres())
        if statement is None:
            # Two threads may both compile it, to the same end.
            statement = self._statements[is_postgres()] = _Statement(self._build())
        return statement.rows(values)


def filled(model: type[M], columns: Sequence[Any]) -> M:
    """A row as a model, from all of its columns in their order; for rules that are about models."""
    values = dict(zip(model._meta.sorted_field_names, columns, strict=True))
    return model(__no_default__=1, **values)


class _Place:
    def __init__(self, name: str) -> None:
        self.name = name


class _Statement:
    """SQL for one kind of database; its values that don't vary are bound already."""

    def __init__(self, query: Any) -> None:
        sql, values = query.sql()
        self._sql: str = sql
        self._values: list[Any] = list(values)
        self._places = [(index, value.name) for index, value in enumerate(values) if isinstance(value, _Place)]
        converters = [(index, _converter(column)) for index, column in enumerate(query._returning)]
        self._converters = [(index, convert) for index, convert in converters if convert is not None]
        self._name = f"stellar_{next(_names)}"
        arguments = ", ".join(["%s"] * len(values))
        self._execute = f"execute {self._name} ({arguments})" if arguments else f"execute {self._name}"
        self._runs = 0

    def rows(self, values: dict[str, Any]) -> list[Row]:
        """The rows with converted columns."""
        bound = self._values.copy()
        for index, name in self._places:
            bound[index] = values[name]
        found: list[Row] = database.execute_sql(self._executed(), bound).fetchall()
        return [self._converted(row) for row in found] if self._converters else found

    def _executed(self) -> str:
        if not is_postgres():
            return self._sql
        self._runs += 1
        if self._runs <= PREPARE_AFTER:
            return self._sql
        return self._execute if self._prepare() else self._sql

    def _prepare(self) -> bool:
        """Whether this thread's connection knows the statement by its name."""
        names = _prepared.setdefault(database.connection(), set())
        if self._name not in names:
            if len(names) >= PREPARED_KEPT:
                return False
            text, *rest = self._sql.split("%s")
            numbered = text + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))
            database.execute_sql(f"prepare {self._name} as {numbered}")
            names.add(self._name)
        return True

    def _converted(self, row: Row) -> Row:
        columns = list(row)
        for index, convert in self._converters:
            if columns[index] is not None:
                columns[index] = convert(columns[index])
        return columns


def _converter(column: Any) -> Convert | None:
    if isinstance(column, (UTCDateTimeField, JSONField)):
        return column.python_value
    return bool if isinstance(column, peewee.BooleanField) else None
