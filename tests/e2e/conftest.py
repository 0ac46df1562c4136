"""Installs the built wheel into a clean virtual environment, once for all workers of the run."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from product import Product

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel under test: ``STELLAR_TEST_WHEEL``, or one built now."""
    if given := os.environ.get("STELLAR_TEST_WHEEL"):
        return Path(given)
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", directory, ROOT], check=True
    )
    return next(directory.glob("*.whl"))


@pytest.fixture(scope="session")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command ``stellar`` as a new user has it (``STELLAR_TEST_COMMAND`` stands in while developing)."""
    if given := os.environ.get("STELLAR_TEST_COMMAND"):
        return given.split()
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    installed, ready = shared / "installed", shared / "installed.ready"
    with (shared / "installed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            venv.create(installed, with_pip=True)
            subprocess.run([installed / "bin/pip", "install", "-q", wheel], check=True, cwd=installed)
            ready.touch()
    return [str(installed / "bin/stellar")]


@pytest.fixture
def new_product(command: list[str], tmp_path: Path) -> Iterator[Callable[..., Product]]:
    """Makes products, not yet started; cleaned up at the end."""
    made: list[Product] = []

    def make(name: str = "data", **options: str) -> Product:
        made.append(Product(command, tmp_path / name, **options))
        return made[-1]

    yield make
    for product in made:
        product.clean_up()


@pytest.fixture
def product(new_product: Callable[..., Product]) -> Product:
    """A running product."""
    made = new_product()
    made.start()
    return made
