"""Finding plugins: built-in ones, entry points, and folders in the data directory."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

ENTRY_POINTS = "stellar.plugins"
FOLDER_PACKAGE = "stellar_data_plugins"


@dataclass(frozen=True)
class Candidate:
    """A plugin that has been found, not yet imported. ``source`` says where, for people."""

    name: str
    source: str
    builtin: bool
    load: Callable[[], ModuleType]


def find_plugins(data: Path | None, *, safe: bool) -> Iterator[Candidate]:
    """Built-in plugins first; with ``safe`` nothing else."""
    yield from _builtin()
    if safe:
        return
    yield from _installed()
    if data is not None:
        yield from _folders(data / "plugins")


def _builtin() -> Iterator[Candidate]:
    package = importlib.import_module("stellar.plugins")
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        name = f"stellar.plugins.{found.name}"
        yield Candidate(found.name, "built-in", True, partial(importlib.import_module, name))


def _installed() -> Iterator[Candidate]:
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        version = f" {point.dist.name} {point.dist.version}" if point.dist else ""
        yield Candidate(point.name, f"package{version}", False, point.load)


def _folders(directory: Path) -> Iterator[Candidate]:
    if not directory.is_dir():
        return
    for folder in sorted(directory.iterdir()):
        if (folder / "__init__.py").is_file():
            yield Candidate(folder.name, str(folder), False, partial(_load_folder, folder))


def _load_folder(folder: Path) -> ModuleType:
    name = f"{FOLDER_PACKAGE}.{folder.name}"
    if FOLDER_PACKAGE not in sys.modules:
        parent = ModuleType(FOLDER_PACKAGE)
        parent.__path__ = []
        sys.modules[FOLDER_PACKAGE] = parent
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} can't be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
