"""The section ``[example]``."""

import msgspec


class ExampleSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``greeting``: how people are greeted."""

    greeting: str = "Hello"
