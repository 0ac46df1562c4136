"""Theme chains: what extends what, and what wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from stellar.errors import SetupError
from stellar.web.templates import Templates
from stellar.web.themes import chain, find_themes


def make_theme(data: Path, name: str, toml: str) -> Path:
    folder = data / "themes" / name
    (folder / "templates").mkdir(parents=True)
    (folder / "theme.toml").write_text(toml)
    return folder


def test_a_theme_in_the_data_directory_extends_nova(tmp_path: Path) -> None:
    make_theme(tmp_path, "plum", 'title = "Plum"\nstylesheets = ["plum.css"]\n')
    themes = chain("plum", find_themes(tmp_path))
    assert [theme.name for theme in themes] == ["plum", "nova"]


def test_a_built_in_theme_is_not_replaced_by_one_of_its_name(tmp_path: Path) -> None:
    make_theme(tmp_path, "nova", 'title = "Not Nova"\n')
    (theme,) = chain("nova", find_themes(tmp_path))
    assert theme.file.title == "Nova"


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ('title = "P"\nextends = "gone"\n', "There is no theme gone"),
        ('title = "P"\ncolour = "red"\n', "colour"),
        ("title = 3\n", "broken theme.toml"),
        ("title =\n", "broken theme.toml"),
    ],
)
def test_a_broken_theme_is_one_sentence(tmp_path: Path, toml: str, complaint: str) -> None:
    make_theme(tmp_path, "plum", toml)
    with pytest.raises(SetupError, match=complaint):
        chain("plum", find_themes(tmp_path))


def test_themes_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    make_theme(tmp_path, "one", 'title = "1"\nextends = "two"\n')
    make_theme(tmp_path, "two", 'title = "2"\nextends = "one"\n')
    with pytest.raises(SetupError, match="extends itself"):
        chain("one", find_themes(tmp_path))


def test_the_first_directory_of_the_chain_wins(tmp_path: Path) -> None:
    for name in ("theme", "plugin"):
        (tmp_path / name / "shop").mkdir(parents=True)
        (tmp_path / name / "shop/list.html").write_text(f"from the {name}: ${{word}}")
    (tmp_path / "plugin/shop/one.html").write_text("only in the plugin")
    templates = Templates([tmp_path / "theme", tmp_path / "plugin"], tmp_path / "cache")
    assert templates.render("shop/list.html", {"word": "<b>"}) == "from the theme: &lt;b&gt;"
    assert templates.render("shop/one.html", {}) == "only in the plugin"


def test_two_chains_never_run_each_others_code(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.html").write_text(f"I am {name}")
    for name in ("one", "two", "one"):
        assert Templates([tmp_path / name], tmp_path / "cache").render("page.html", {}) == f"I am {name}"


def test_a_variable_that_nobody_gave_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("${nobody}")
    with pytest.raises(NameError):
        Templates([tmp_path], None).render("page.html", {})
