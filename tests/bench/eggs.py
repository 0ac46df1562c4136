"""Imports every egg below a folder, exports it again, and renders what it would run and write.

``python tests/bench/eggs.py DIR`` prints figures, and the reasons for what didn't work. It needs no panel.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from stellar.errors import DomainError
from stellar.plugins.blueprints.eggs.convert import Egg, convert, load_egg
from stellar.plugins.blueprints.eggs.reading import read_egg
from stellar.plugins.blueprints.eggs.writing import Source, write_egg
from stellar.plugins.blueprints.render import PLACEHOLDER, egg_line, environment, placeholders, startup_line
from stellar.plugins.servers.spec import Limits, Port

ENDINGS = (".json", ".yaml", ".yml")
META = re.compile(rb"""\bmeta["']?\s*:""")
WORDS = (b"PTDL_", b"PLCN_", b"docker_image", b"startup")
VERSIONS = ("PTDL_v2", "PLCN_v3")
STEPS = ("imported", *(f"round trip {version}" for version in VERSIONS), "start-up renders", "config renders")


def main() -> int:
    """Measure and print; 1 when something didn't work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--notes", action="store_true", help="print what blueprints can't say of each egg, too")
    given = parser.parse_args()
    worked: Counter[str] = Counter()
    files = list(eggs_below(given.directory))
    failed = False
    for path in files:
        name = str(path.relative_to(given.directory))
        egg = attempt(name, path)
        if egg is None:
            failed = True
            continue
        problems = dict(checks(egg))
        for step, problem in problems.items():
            if problem is not None:
                failed = True
                report("refused", egg=name, step=step, reason=problem)
        worked.update(["imported", *(step for step, problem in problems.items() if problem is None)])
        if given.notes:
            for note in egg.report.notes:
                report("note", egg=name, path=note.path, problem=note.problem)
    for step in STEPS:
        report(step, eggs=worked[step], of=len(files))
    return 1 if failed else 0


def eggs_below(directory: Path) -> Iterator[Path]:
    """Every JSON and YAML file that looks like an egg; others (an index, a workflow, a game's settings) aren't."""
    for path in sorted(directory.rglob("*")):
        if path.suffix.lower() in ENDINGS and path.is_file() and is_meant(path.read_bytes()):
            yield path


def is_meant(data: bytes) -> bool:
    """Whether somebody meant it to be an egg: it has a ``meta``, and what else eggs have."""
    return META.search(data) is not None and any(word in data for word in WORDS)


def attempt(name: str, path: Path) -> Egg | None:
    """The egg in a file, None with the reason printed where it is refused."""
    try:
        return load_egg(path.read_bytes())
    except DomainError as error:
        report("refused", egg=name, step="imported", reason=error.message, **error.fields)
        return None


def checks(egg: Egg) -> Iterator[tuple[str, str | None]]:
    """Each step after the import, and why it didn't work."""
    for version in VERSIONS:
        yield f"round trip {version}", round_trip(egg, version)
    blueprint = egg.loaded.blueprint
    values = environment(
        {variable.env: variable.default for variable in blueprint.variables},
        [Port(ip="0.0.0.0", port=25565, protocol="both", name="game")],
        Limits(memory_mb=2048, cpu_percent=0, disk_mb=0),
        "00000000-0000-4000-8000-000000000000",
    )
    yield "start-up renders", startup_problem(egg, values)
    yield "config renders", config_problem(egg, values)


def round_trip(egg: Egg, version: str) -> str | None:
    """What differs after an export and an import."""
    source = Source(egg.loaded.blueprint, egg.loaded.icon, egg.table, "2026-01-01T00:00:00+00:00")
    written = write_egg(source, version)  # type: ignore[arg-type]
    again = convert(read_egg(written))
    if again.loaded.icon != egg.loaded.icon:
        return "the icon differs"
    for field in egg.loaded.blueprint.__struct_fields__:
        if getattr(again.loaded.blueprint, field) != getattr(egg.loaded.blueprint, field):
            return f"{field} differs"
    if "stellar" in again.table and "stellar" not in egg.table:
        return f"needs more than the egg itself: {sorted(again.table['stellar'])}"
    source = Source(again.loaded.blueprint, again.loaded.icon, again.table, "")
    return None if write_egg(source, version) == written else "a second export differs"  # type: ignore[arg-type]


def startup_problem(egg: Egg, values: dict[str, str]) -> str | None:
    """Why a command can't be run: a placeholder without a value, or a line that a shell can't read."""
    startup = egg.loaded.blueprint.startup
    for command in (startup.command, *(choice.command for choice in startup.choices)):
        if unknown := set(PLACEHOLDER.findall(command)) - values.keys():
            return f"{sorted(unknown)[0]} has no value"
        try:
            line = startup_line(command, "bash", values)
        except DomainError as error:
            return error.message
        for shell, text in (("sh", line), ("bash", egg_line(command))):
            done = subprocess.run([shell, "-n", "-c", text], capture_output=True, text=True, check=False)
            if done.returncode:
                return done.stderr.strip()
    return None


def config_problem(egg: Egg, values: dict[str, str]) -> str | None:
    """A placeholder in a config file that has no value."""
    for patch in egg.loaded.blueprint.config:
        for key, value in patch.values.items():
            for one in value.values() if isinstance(value, dict) else [value]:
                unknown = placeholders(one) - values.keys() if isinstance(one, str) else set()
                if unknown:
                    return f"{patch.file}: {key}: {sorted(unknown)[0]} has no value"
    return None


def report(what: str, **values: object) -> None:
    """One line of JSON."""
    print(json.dumps({"what": what, **values}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
