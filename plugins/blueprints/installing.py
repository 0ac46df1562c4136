"""Install scripts in Python: packed with what they import of ``stellar_install`` into lines that /bin/sh runs.

Nodes do that, right before they run one.
"""

from __future__ import annotations

import ast
import base64
import io
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from stellar.errors import Invalid

LIBRARY = "stellar_install"
"""The package beside this module, under the name by which scripts import it."""
PYTHON = "#!/usr/bin/env python3"
"""The first line of a script in Python."""
MAX_PACKED = 96 * 1024
"""Bytes; a shell takes no argument larger than 128 KiB."""

_FOLDER = Path(__file__).with_name(LIBRARY)
_DATE = (1980, 1, 1, 0, 0, 0)
"""The same for every file, so that the same script always packs to the same lines."""
_LINES = """\
if ! command -v python3 >/dev/null; then
    echo '[!] The install needs Python. Install it with: apt-get install python3'
    exit 1
fi
stellar_install=$(mktemp) || exit 1
trap 'rm -f "$stellar_install"' EXIT
base64 -d > "$stellar_install" <<'END' || exit 1
@PACKED@
END
python3 -E -s -B -u "$stellar_install" </dev/null
"""


def runnable(script: str) -> str:
    """An install script for /bin/sh; ``Invalid`` for one in Python that can't be packed."""
    return _packed(script) if is_python(script) else script


def is_python(script: str) -> bool:
    """Whether it is to be packed; a script of an egg names its interpreter elsewhere."""
    return script.partition("\n")[0].rstrip() == PYTHON


def _packed(script: str) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        _add(archive, "__main__.py", script.encode())
        for name in sorted(_needed(script)):
            _add(archive, f"{LIBRARY}/{name}", (_FOLDER / name).read_bytes())
    packed = base64.encodebytes(buffer.getvalue()).decode().strip()
    if len(packed) > MAX_PACKED:
        raise Invalid(f"With all that it imports, the install script has more than {MAX_PACKED // 1024} KiB.")
    return _LINES.replace("@PACKED@", packed)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _DATE), data, zipfile.ZIP_DEFLATED, 9)


def _needed(script: str) -> set[str]:
    """The files of the library that a script imports, and those that they import in turn."""
    found: set[str] = set()
    waiting = list(_imported(script))
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found.add(module)
        waiting += _imported_by(module)
        beside = module.removesuffix(".py") + ".sh"
        if (_FOLDER / beside).is_file():
            found.add(beside)
    return found | {"__init__.py"} if found else found


@cache
def _imported_by(module: str) -> tuple[str, ...]:
    return tuple(_imported((_FOLDER / module).read_text(encoding="utf-8")))


def _imported(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f" in line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise Invalid(f"The install script is not valid Python{where}.") from error
    for node in ast.walk(tree):
        for module in _modules(node):
            if not (_FOLDER / f"{module}.py").is_file():
                known = ", ".join(sorted(path.stem for path in _FOLDER.glob("[a-z]*.py")))
                raise Invalid(f"There is no {LIBRARY}.{module[:64]}; its modules are {known}.")
            yield f"{module}.py"


def _modules(node: ast.AST) -> list[str]:
    """What an import names of the library."""
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[1] for alias in node.names if alias.name.startswith(f"{LIBRARY}.")]
    if not isinstance(node, ast.ImportFrom):
        return []
    package = node.module or ""
    if node.level == 1 or package == LIBRARY:
        return [package] if node.level == 1 and package else [alias.name for alias in node.names]
    return [package.split(".")[1]] if package.startswith(f"{LIBRARY}.") else []
