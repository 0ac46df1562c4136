"""Finding themes: built-in ones, entry points, and folders in the data directory."""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import msgspec

from ..errors import SetupError

log = logging.getLogger(__name__)

ENTRY_POINTS = "stellar.themes"
DEFAULT = "nova"
CORE = Path(__file__).resolve().parent
"""Where the core's own templates and static files are."""


class ThemeFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``theme.toml``. Style sheets are paths below ``static/``; the dark ones come on top when it is dark.

    A theme extends ``nova`` unless it says otherwise; an empty ``extends`` stands alone.
    """

    title: str
    description: str = ""
    extends: str = DEFAULT
    stylesheets: list[str] = []
    dark_stylesheets: list[str] = []


class Theme(msgspec.Struct, frozen=True):
    """A theme in the directory ``path``, with ``templates/`` and ``static/``."""

    name: str
    path: Path
    file: ThemeFile

    @property
    def extends(self) -> str | None:
        """The theme below this one."""
        return self.file.extends if self.file.extends and self.file.extends != self.name else None


def find_themes(data: Path | None) -> dict[str, Path]:
    """The directory of each theme by name; where names collide, built-in ones win, then installed packages."""
    found: dict[str, Path] = {}
    for name, path in _everywhere(data):
        found.setdefault(name, path)
    return found


def chain(name: str, found: dict[str, Path]) -> list[Theme]:
    """The theme and those it extends, most specific first; ``SetupError`` for one that is missing or broken."""
    themes: list[Theme] = []
    wanted: str | None = name
    while wanted is not None:
        if any(theme.name == wanted for theme in themes):
            raise SetupError(f"The theme {name} extends itself through {wanted}; mend `extends` in its theme.toml.")
        if wanted not in found:
            raise SetupError(f"There is no theme {wanted}; the themes are {', '.join(sorted(found)) or 'none'}.")
        themes.append(_load(wanted, found[wanted]))
        wanted = themes[-1].extends
    return themes


def _everywhere(data: Path | None) -> Iterator[tuple[str, Path]]:
    package = CORE.parent
    for root in (package / "themes", package.parent / "themes"):
        yield from _folders(root)
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            file = getattr(point.load(), "__file__", None)
        except Exception:
            log.exception("the theme %s can't be imported", point.name)
            continue
        if file:
            yield point.name, Path(file).parent
    if data is not None:
        yield from _folders(data / "themes")


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    if root.is_dir():
        for folder in sorted(root.iterdir()):
            if (folder / "theme.toml").is_file():
                yield folder.name, folder


def _load(name: str, path: Path) -> Theme:
    try:
        document = tomllib.loads((path / "theme.toml").read_text("utf-8"))
        file = msgspec.convert(document, ThemeFile)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SetupError(f"The theme {name} has a broken theme.toml: {error}.") from None
    return Theme(name, path, file)
