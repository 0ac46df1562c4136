"""Makes the built-in plugins importable as ``stellar.plugins`` from a source checkout too."""

from pathlib import Path

_checkout = Path(__file__).resolve().parents[2] / "plugins"
if _checkout.is_dir():
    __path__.append(str(_checkout))
