"""What a plugin needs to be one: its manifest and the marker for its hooks."""

from .manifest import Manifest
from .markers import hookimpl, hookspec

__all__ = ["Manifest", "hookimpl", "hookspec"]
