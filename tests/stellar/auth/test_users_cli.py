"""``stellar user``, beside a running panel and without one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
from cli_parts import CliPanel
from product import PASSWORD


def test_create_list_and_filters(cli_panel: CliPanel) -> None:
    made = cli_panel.user("grace@example.com", PASSWORD, "--role", "support", "--name", "Grace 花")
    assert (made["role"], made["name"]) == ("support", "Grace 花")
    found = cli_panel.json("user", "list", "--search", "GRACE")
    assert [row["id"] for row in found] == [made["id"]]
    assert made["id"] in [row["id"] for row in cli_panel.json("user", "list", "--role", "support")]
    table = cli_panel.ok("user", "list", "--search", "grace").splitlines()
    assert table[0].split() == ["E-MAIL", "NAME", "ROLE", "STATE", "ID"]
    assert table[1].split() == ["grace@example.com", "Grace", "花", "support", "active", made["id"]]
    assert "already an account" in cli_panel.refused(
        "user", "create", "--email", "Grace@example.com", "--password-stdin", given=PASSWORD
    )
    assert "no such role" in cli_panel.refused(
        "user", "create", "--email", "x@example.com", "--role", "emperor", "--password-stdin", given=PASSWORD
    )
    assert cli_panel.audited("user.create")[0]["details"] == {"email": "grace@example.com", "role": "support"}


def test_a_reset_link_is_good_for_one_new_password(cli_panel: CliPanel) -> None:
    cli_panel.user("link@example.com")
    url = cli_panel.ok("user", "reset-password", "link@example.com").strip()
    assert url.startswith(f"{cli_panel.product.url}/auth/reset?token=")
    again = cli_panel.json("user", "reset-password", "link@example.com")["url"]
    new = {"token": url.partition("token=")[2], "password": "brand new horse"}
    reset = f"{cli_panel.product.url}/api/v1/auth/password/reset"
    assert httpx.post(reset, json=new, trust_env=False).status_code == 404, "an earlier link still works"
    new["token"] = again.partition("token=")[2]
    assert httpx.post(reset, json=new, trust_env=False).is_success
    assert httpx.post(reset, json=new, trust_env=False).status_code == 404
    cli_panel.signed_in("link@example.com", "brand new horse")


def test_a_password_from_standard_input_ends_the_sessions(cli_panel: CliPanel) -> None:
    cli_panel.user("typed@example.com")
    browser = cli_panel.signed_in("typed@example.com")
    assert "at least 8" in cli_panel.refused(
        "user", "reset-password", "typed@example.com", "--password-stdin", given="short\n"
    )
    assert browser.get("/api/v1/users/me").status_code == 200
    cli_panel.ok("user", "reset-password", "typed@example.com", "--password-stdin", given="brand new horse\n")
    assert browser.get("/api/v1/users/me").status_code == 401
    cli_panel.signed_in("typed@example.com", "brand new horse")
    assert cli_panel.audited("user.password")


def test_role_suspend_and_unsuspend(cli_panel: CliPanel) -> None:
    cli_panel.user("role@example.com")
    browser = cli_panel.signed_in("role@example.com")
    assert browser.get("/api/v1/admin/users").status_code == 403
    cli_panel.ok("user", "role", "role@example.com", "admin")
    assert browser.get("/api/v1/admin/users").status_code == 200, "the open session doesn't have the new role"
    cli_panel.ok("user", "role", "role@example.com", "user")
    assert browser.get("/api/v1/admin/users").status_code == 403
    cli_panel.ok("user", "suspend", "role@example.com")
    assert browser.get("/api/v1/users/me").status_code == 401
    assert "suspended" in cli_panel.ok("user", "list", "--suspended")
    cli_panel.ok("user", "unsuspend", "role@example.com")
    cli_panel.signed_in("role@example.com")
    for action in ("user.role", "user.suspend", "user.unsuspend"):
        assert cli_panel.audited(action), action


def test_the_last_administrator_stays(cli_panel: CliPanel) -> None:
    assert "last administrator" in cli_panel.refused("user", "suspend", "ada@example.com")
    assert "last administrator" in cli_panel.refused("user", "role", "ada@example.com", "user")
    assert "There are admin, support, user" in cli_panel.refused("user", "role", "ada@example.com", "emperor")
    assert "Did you mean support?" in cli_panel.refused("user", "role", "ada@example.com", "suport")
    assert "no user nobody@example.com" in cli_panel.refused("user", "suspend", "nobody@example.com")


def test_without_a_running_panel(tmp_path: Path) -> None:
    def stellar(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "stellar", *arguments, "--data", str(tmp_path / "data")]
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)

    nowhere = stellar("user", "list")
    assert nowhere.returncode == 1 and "There is no panel in" in nowhere.stderr
    assert not (tmp_path / "data").exists()
    stellar("user", "create", "--email", "a@example.com", "--admin", "--password-stdin", given=PASSWORD)
    assert re.search(r"/auth/reset\?token=\S+", stellar("user", "reset-password", "a@example.com").stdout)
    for arguments in (
        ("user", "suspend", "a@example.com"),
        ("user", "role", "a@example.com", "user"),
        ("user", "reset-password", "a@example.com", "--password-stdin"),
    ):
        away = stellar(*arguments, given="brand new horse\n")
        assert (away.returncode, away.stdout) == (1, ""), arguments
        assert "Redis does not answer" in away.stderr and "stellar run" in away.stderr
        assert "Traceback" not in away.stderr
