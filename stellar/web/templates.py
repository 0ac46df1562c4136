"""Mako templates: the theme chain first, then what plugins and the core bring."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from mako.exceptions import TopLevelLookupException
from mako.lookup import TemplateLookup


class Templates:
    """One theme chain's templates, compiled into a directory of their own below ``cache``.

    A plugin's templates are in ``templates/<plugin>/``, so that names never collide and a theme can override
    each one by the same path.
    """

    def __init__(self, directories: list[Path], cache: Path | None) -> None:
        # Two chains that share a module directory would run each other's compiled code.
        key = hashlib.sha256("\0".join(str(directory) for directory in directories).encode()).hexdigest()[:16]
        self._lookup = TemplateLookup(
            directories=[str(directory) for directory in directories if directory.is_dir()],
            module_directory=str(cache / key) if cache else None,
            default_filters=["h"],
            strict_undefined=True,
            input_encoding="utf-8",
        )

    def render(self, name: str, variables: dict[str, Any]) -> str:
        """``name`` is a path such as ``servers/list.html``; an unknown variable is a ``NameError``."""
        rendered: str = self._lookup.get_template(name).render_unicode(**variables)
        return rendered

    def has(self, name: str) -> bool:
        """Whether there is such a template."""
        try:
            self._lookup.get_template(name)
        except TopLevelLookupException:
            return False
        return True
