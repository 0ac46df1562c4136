"""Fields that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import peewee


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


if TYPE_CHECKING:
    _DatetimeField = peewee.Field[datetime]
else:
    _DatetimeField = peewee.Field


class UTCDateTimeField(_DatetimeField):
    """An aware datetime, kept as fixed-width ISO text in UTC, so that it sorts by time on both databases."""

    field_type = "VARCHAR(32)"

    def db_value(self, value: datetime | None) -> str | None:
        """Refuses a naive datetime: its zone would be a guess."""
        if value is None:
            return None
        if isinstance(value, str):
            return value
        if value.tzinfo is None:
            raise ValueError("a datetime without a time zone can't be stored")
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def python_value(self, value: str | None) -> datetime | None:
        """The aware datetime."""
        return None if value is None else datetime.fromisoformat(value)


class JSONField(peewee.TextField):
    """Anything JSON, as text."""

    def db_value(self, value: Any) -> str | None:
        """Encode."""
        return None if value is None else msgspec.json.encode(value).decode()

    def python_value(self, value: str | None) -> Any:
        """Decode."""
        return None if value is None else msgspec.json.decode(value)


class IdField(peewee.CharField):
    """A random UUID as text; the primary key of nearly every table."""

    def __init__(self, **options: Any) -> None:
        options = {"max_length": 36, "primary_key": True, "default": new_id, **options}
        super().__init__(**options)


def new_id() -> str:
    """A new random id."""
    return str(uuid.uuid4())
