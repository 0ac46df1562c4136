"""Settings: their order, and every mistake as one sentence that names the key."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from stellar.config import (
    SOCKET_PATH_LIMIT,
    OAuthSettings,
    OpenIdSettings,
    ProviderSettings,
    load_config,
    prepare_data,
)
from stellar.errors import SetupError


def write(data: Path, text: str) -> None:
    (data / "config.toml").write_text(text, "utf-8")


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    write(tmp_path, '[web]\nhost = "10.0.0.1"\nport = 1234\n')
    config = load_config(tmp_path, {"STELLAR_WEB_PORT": "4321"})
    assert (config.web.host, config.web.port, config.web.public_url) == ("10.0.0.1", 4321, "")


def test_lists_and_switches_come_from_the_environment_too(tmp_path: Path) -> None:
    variables = {"STELLAR_WEB_TRUSTED_PROXIES": "10.0.0.1, 10.0.0.2", "STELLAR_AUTH_OPEN_REGISTRATION": "true"}
    config = load_config(tmp_path, variables)
    assert config.web.trusted_proxies == ["10.0.0.1", "10.0.0.2"]
    assert config.sections()["auth"].open_registration is True  # type: ignore[attr-defined]


def test_tables_in_a_section_come_from_the_environment_too(tmp_path: Path) -> None:
    write(tmp_path, '[oauth.oidc]\nissuer = "https://id.example"\nlabel = "Example"\n')
    variables = {"STELLAR_OAUTH_OIDC_CLIENT_SECRET": "s", "STELLAR_OAUTH_OIDC_LABEL": "Ours"}
    oauth = load_config(tmp_path, variables).section(OAuthSettings)
    assert oauth.oidc == OpenIdSettings(client_secret="s", issuer="https://id.example", label="Ours")
    assert oauth.github == ProviderSettings()
    with pytest.raises(SetupError, match=r"STELLAR_OAUTH_OIDC_ID: \[oauth\.oidc\] .*client_id"):
        load_config(tmp_path, {"STELLAR_OAUTH_OIDC_ID": "1"})
    with pytest.raises(SetupError, match=r"STELLAR_OAUTH_GITLAB_ID: \[oauth\] .*github"):
        load_config(tmp_path, {"STELLAR_OAUTH_GITLAB_ID": "1"})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[web]\nprot = 1\n", "'prot'"),
        ('[web]\nport = "80"\n', "web.port"),
        ("[web]\nport = true\n", "web.port"),
        ("web = 3\n", "[web]"),
        ("[oauth]\noidc = 3\n", "[oauth.oidc]"),
        ("[oauth.oidc]\nid = 3\n", "[oauth.oidc] has no key 'id'"),
        ("[web\n", "not valid TOML"),
        ("\xff", "not valid TOML"),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "config.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(SetupError) as caught:
        load_config(tmp_path, {})
    assert named in caught.value.message
    assert "\n" not in caught.value.message


def test_an_unknown_section_is_named_with_those_that_exist(tmp_path: Path) -> None:
    write(tmp_path, "[wbe]\nport = 1\n")
    with pytest.raises(SetupError, match=r"no section \[wbe\].*web"):
        load_config(tmp_path, {}).refuse_unknown_sections()


def test_a_broken_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="STELLAR_WEB_PORT"):
        load_config(tmp_path, {"STELLAR_WEB_PORT": "many"})


def test_an_unknown_variable_of_a_section_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"STELLAR_WEB_PROT.*port"):
        load_config(tmp_path, {"STELLAR_WEB_PROT": "1"})
    load_config(tmp_path, {"STELLAR_ELSEWHERE": "1", "STELLAR_DATA": "/x"})


def test_a_named_file_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="does not exist"):
        load_config(tmp_path, {"STELLAR_CONFIG": str(tmp_path / "none.toml")})


def test_the_data_directory_and_its_secret_are_the_owners_alone(tmp_path: Path) -> None:
    config = load_config(tmp_path / "data", {})
    prepare_data(config)
    assert config.data.stat().st_mode & 0o777 == 0o700
    assert (config.data / "secret.key").stat().st_mode & 0o777 == 0o600
    assert len(config.secret()) == 32
    assert load_config(tmp_path / "data", {}).secret() == config.secret()


def test_an_unusable_data_directory_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="--data"):
        prepare_data(load_config(tmp_path / "file" / "data", {}))


@pytest.mark.parametrize("name", ["long" * 40, "my data", "a=b", "été"])
def test_socket_paths_are_short_and_plain(tmp_path: Path, name: str) -> None:
    config = load_config(tmp_path / name, {})
    prepare_data(config)
    path = config.socket_path("valkey.sock")
    assert len(os.fsencode(path)) <= SOCKET_PATH_LIMIT
    assert name not in str(path)
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_url_names_the_data_directory_whatever_it_is_called(tmp_path: Path) -> None:
    config = load_config(tmp_path / "50%20#of?it", {})
    assert unquote(urlsplit(config.database_url).path) == str(tmp_path / "50%20#of?it" / "stellar.db")
    socket = urlsplit(config.redis_url)
    assert (unquote(socket.path), socket.query) == (str(config.socket_path("valkey.sock")), "")


def test_the_local_address_is_one_that_can_be_reached(tmp_path: Path) -> None:
    config = load_config(tmp_path, {"STELLAR_WEB_HOST": "0.0.0.0", "STELLAR_WEB_PORT": "81"})
    assert config.local_url == "http://127.0.0.1:81"
    config = load_config(tmp_path, {"STELLAR_WEB_HOST": "::1", "STELLAR_WEB_PUBLIC_URL": "https://x.example/"})
    assert (config.local_url, config.public_url) == ("http://[::1]:8080", "https://x.example")
