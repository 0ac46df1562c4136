"""Built-in blueprints in the database, on SQLite and PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import stellar.plugins.blueprints
from stellar.auth import permissions
from stellar.auth.permissions import ANONYMOUS, SYSTEM
from stellar.db import connect, database, disconnect
from stellar.db.migrate import migrate
from stellar.errors import NotFound
from stellar.extend.registry import Permission
from stellar.plugins.blueprints import service
from stellar.plugins.blueprints.models import Blueprint

PLUGIN = Path(stellar.plugins.blueprints.__file__).parent
BUILT_IN = sorted(path.name for path in service.BUILTIN.iterdir())


@pytest.fixture(autouse=True)
def migrated(database_url: str, tmp_path: Path) -> Iterator[None]:
    connect(database_url)
    permissions.configure([Permission("blueprints", "blueprints.manage", "Change blueprints")], None)
    migrate({"blueprints": PLUGIN / "migrations"}, tmp_path / "lock")
    yield
    disconnect()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the built-in blueprints."""
    copy = tmp_path / "builtin"
    shutil.copytree(PLUGIN / "builtin", copy)
    return copy


def rows() -> dict[str, tuple[str, str, str]]:
    return {row.name: (row.id, row.digest, row.title) for row in Blueprint.select()}


def edit(directory: Path, old: str, new: str) -> None:
    file = directory / "generic" / "blueprint.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_the_schema_is_that_of_the_model() -> None:
    columns = {column.name: column.null for column in database.get_columns("blueprints_blueprint")}
    assert columns == {field.column_name: field.null for field in Blueprint._meta.sorted_fields}


def test_sync_brings_them_in_once() -> None:
    service.sync_builtin()
    first = rows()
    assert sorted(first) == BUILT_IN
    service.sync_builtin()
    assert rows() == first


def test_sync_follows_a_change_and_keeps_the_id(directory: Path) -> None:
    service.sync_builtin(directory)
    before = rows()
    edit(directory, 'title = "Any command"', 'title = "Anything"')
    service.sync_builtin(directory)
    after = rows()
    assert after["generic"][0] == before["generic"][0]
    assert after["generic"][2] == "Anything"
    assert service.document_of(service.get_blueprint("generic")).title == "Anything"
    assert {name: row for name, row in after.items() if name != "generic"} == {
        name: row for name, row in before.items() if name != "generic"
    }


@pytest.mark.parametrize(("file", "text"), [("install.sh", "\n# more\n"), ("icon.svg", "\n<!-- more -->\n")])
def test_sync_follows_a_change_beside_the_blueprint(directory: Path, file: str, text: str) -> None:
    service.sync_builtin(directory)
    before = rows()
    with (directory / "luanti" / file).open("a") as target:
        target.write(text)
    service.sync_builtin(directory)
    assert rows()["luanti"][1] != before["luanti"][1]


def test_sync_leaves_an_edited_copy_alone(directory: Path) -> None:
    service.sync_builtin(directory)
    Blueprint.update(builtin=False, title="Mine").where(Blueprint.name == "generic").execute()
    before = rows()
    edit(directory, 'title = "Any command"', 'title = "Anything"')
    service.sync_builtin(directory)
    assert rows() == before


def test_get_by_id_and_name() -> None:
    service.sync_builtin()
    found = service.get_blueprint("luanti")
    assert service.get_blueprint(found.id).name == "luanti"
    for ref in ("", "nope", "Luanti", "luanti\0" if database.obj.__class__.__name__ == "SqliteDatabase" else "x"):
        with pytest.raises(NotFound):
            service.get_blueprint(ref)


def test_documents() -> None:
    service.sync_builtin()
    documents = service.all_documents()
    assert [document.title for document in documents] == sorted(document.title for document in documents)
    by_name = {document.name: document for document in documents}
    assert by_name["luanti"].stop.signal == "SIGINT"
    assert "worldmods" in by_name["luanti"].install.script


def test_views_hide_what_only_administrators_see(directory: Path) -> None:
    edit(directory, 'env = "INSTALL_COMMAND"', 'env = "INSTALL_COMMAND"\nuser_viewable = false')
    service.sync_builtin(directory)
    seen = service.detail(ANONYMOUS, "generic")
    assert [variable.env for variable in seen.variables] == ["START_COMMAND"]
    assert (seen.source, seen.install_script) == (None, None)
    everything = service.detail(SYSTEM, "generic")
    assert [variable.env for variable in everything.variables] == ["START_COMMAND", "INSTALL_COMMAND"]
    assert everything.source is not None
    assert everything.source.startswith("format = 1")
    assert "INSTALL_COMMAND" in (everything.install_script or "")


def test_the_list_takes_one_query(monkeypatch: pytest.MonkeyPatch) -> None:
    service.sync_builtin()
    queries: list[str] = []
    real = database.obj.execute_sql
    monkeypatch.setattr(database.obj, "execute_sql", lambda sql, *args: (queries.append(sql), real(sql, *args))[1])
    assert len(service.views(SYSTEM)) == len(BUILT_IN)
    assert len(queries) == 1
    assert '"icon"' not in queries[0]
