"""A join command names an address that the other machine can use, where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from stellar.config import load_config
from stellar.plugins.nodes.address import is_loopback, own_address, panel_url


def url(tmp_path: Path, asked: str = "", **web: str) -> str:
    environment = {f"STELLAR_WEB_{name}".upper(): value for name, value in web.items()}
    return panel_url(load_config(tmp_path, environment), asked)


def test_the_public_address_comes_first(tmp_path: Path) -> None:
    public = "https://panel.example.com/"
    assert url(tmp_path, "http://10.0.0.5:8080", public_url=public) == "https://panel.example.com"


def test_then_the_address_that_the_browser_uses(tmp_path: Path) -> None:
    assert url(tmp_path, "http://10.0.0.5:8080", host="0.0.0.0") == "http://10.0.0.5:8080"


@pytest.mark.parametrize("asked", ["", "http://localhost:9000", "http://127.0.0.1:9000", "http://[::1]:9000"])
def test_a_loopback_address_is_replaced_where_there_is_another(tmp_path: Path, asked: str) -> None:
    assert url(tmp_path, asked, host="0.0.0.0", port="9000") == f"http://{own_address()}:9000"


def test_a_panel_for_this_machine_alone_says_so(tmp_path: Path) -> None:
    assert url(tmp_path, host="127.0.0.1", port="9000") == "http://127.0.0.1:9000"
    assert is_loopback("http://127.0.0.1:9000")
    assert not is_loopback("http://10.0.0.5:9000")


def test_commands_learn_where_the_panel_listens(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    running = load_config(tmp_path, {"STELLAR_WEB_HOST": "10.0.0.5", "STELLAR_WEB_PORT": "9000"})
    beside = load_config(tmp_path, {})
    beside.recall_address()
    assert panel_url(beside) == "http://127.0.0.1:8080"
    running.remember_address()
    beside.recall_address()
    assert panel_url(beside) == "http://10.0.0.5:9000"
