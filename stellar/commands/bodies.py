"""What a command was given, as the body that the API takes for the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def body(type_: type[T], values: Mapping[str, Any]) -> T:
    """The values, checked as the API checks it; ``Invalid`` names the field."""
    import msgspec

    from ..http.body import invalid

    try:
        return msgspec.convert(values, type_)
    except msgspec.ValidationError as error:
        raise invalid(error) from None


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a command's options that aren't None; ``Invalid`` when all are."""
    from ..errors import Invalid

    found = {name: value for name, value in options.items() if value is not None}
    if not found:
        raise Invalid("Say what to change; see --help.")
    return found
