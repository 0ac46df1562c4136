"""Names and addresses that deceive, wherever one can be given: refused, or kept and shown as what they are."""

from __future__ import annotations

import html
import socket
import unicodedata
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from full_panel import full_panel
from rights_parts import new_node, new_server, new_user, signed_in
from web_parts import WebServer

from stellar import mail, settings
from stellar.auth import users
from stellar.auth.models import User
from stellar.auth.permissions import SYSTEM
from stellar.commands.tables import cell
from stellar.config import Config
from stellar.plugins.servers.models import Server
from stellar.testing.valkey import ValkeyServer

DECEIVING = {
    "right to left": "a\u202etxt.exe",
    "isolates": "\u2067abc\u2069",
    "zero width": "ad\u200ba",
    "byte order mark": "\ufeffada",
    "NUL": "a\x00b",
    "escape": "a\x1b[31m",
    "line break": "a\r\nBcc: eve@example.com",
    "line separator": "a\u2028b",
    "C1": "a\x9bb",
    "marks": "a" + "\u0301" * 40,
    "many marks": "a" + "\u0301" * 10_000,
    "tags": "ada\U000e0041",
    "private": "\ue000",
    "nothing": "",
    "spaces": " \u3000\u00a0 ",
    "fillers": "\u3164\u115f",
    "braille blank": "\u2800",
    "marks alone": "\u034f\ufe0f",
}
HARMLESS = {
    "emoji": "\U0001f469\u200d\U0001f4bb \U0001f1f5\U0001f1f9",
    "decomposed": "Zoe\u0308",
    "markup": '<b onmouseover="x">\'&amp;${1+1}</b>',
    "Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "lookalike": "\u0410d\u0430",
    "formula": "=1+1",
    "padded": "  Ada  ",
}
LOOKALIKES = {
    "long s": "\u017fam@example.com",
    "dotted I": "\u0130an@example.com",
    "sharp s": "stra\u00dfe@example.com",
    "full width": "\uff41da@example.com",
    "full width at": "ada\uff20example.com",
    "ligature": "\ufb01ona@example.com",
    "zero width": "a\u200bda@example.com",
    "soft hyphen": "a\u00adda@example.com",
    "right to left": "\u202eada@example.com",
    "marks": "a" + "\u0301" * 20 + "@example.com",
    "line break": "ada@example.com\nBcc: eve@example.com",
    "two": "ada@example.com,eve@example.com",
    "display name": "Ada <ada@example.com>",
    "comment": "ada(x)@example.com",
    "quoted": '"ada"@example.com',
    "NUL": "ada\x00@example.com",
    "long": "a" * 65 + "@example.com",
}
PLACES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "own name": ("PATCH", "/api/v1/users/me", {}),
    "server": ("PATCH", "/api/v1/servers/{server}", {}),
    "key": ("POST", "/api/v1/users/me/keys", {"scopes": ["servers.read"]}),
    "account": ("POST", "/api/v1/admin/users", {"email": "new@example.com", "password": "correct horse battery"}),
    "other's name": ("PATCH", "/api/v1/admin/users/{user}", {}),
}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> Iterator[WebServer]:
    """A panel with every built-in plugin, where everybody may register."""
    data: Path = tmp_path_factory.mktemp("names")
    with full_panel(data, valkey.url, f"sqlite:///{data / 'test.db'}") as server:
        settings.put(SYSTEM, settings.OPEN_REGISTRATION, True)
        yield server


@pytest.fixture(scope="module")
def root(web: WebServer) -> User:
    """An administrator."""
    return new_user("admin", "root")


@pytest.fixture(scope="module")
def server(root: User) -> Server:
    """Their server."""
    return new_server(root, new_node())


@pytest.fixture(scope="module")
def client(web: WebServer, root: User) -> Iterator[httpx.Client]:
    """Their browser."""
    with signed_in(web, root) as browser:
        yield browser


class Inbox:
    """Keeps what arrives, as it came."""

    def __init__(self) -> None:
        self.content: list[bytes] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        """Take a mail."""
        self.content.append(envelope.content)
        return "250 Kept"


@pytest.fixture(scope="module")
def inbox() -> Inbox:
    """Where the mails go."""
    return Inbox()


@pytest.fixture(scope="module")
def mailing(inbox: Inbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """The configuration of a panel with a mail server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(inbox, "127.0.0.1", port)
    controller.start()
    document = {"mail": {"host": "127.0.0.1", "port": port, "tls": "none"}}
    yield Config(tmp_path_factory.mktemp("mail"), document, {}, "the test's configuration")
    controller.stop()


@pytest.fixture(autouse=True)
def unlimited(valkey: ValkeyServer) -> None:
    """Let everybody begin anew who has asked too often."""
    with valkey.client() as client:
        for key in client.scan_iter("ratelimit:*"):
            client.delete(key)


def give(client: httpx.Client, place: str, server: Server, user: User, name: str) -> httpx.Response:
    """Send a name to a place."""
    method, path, body = PLACES[place]
    return client.request(method, path.format(server=server.id, user=user.id), json={**body, "name": name})


@pytest.mark.parametrize("kind", DECEIVING)
@pytest.mark.parametrize("place", PLACES)
def test_a_deceiving_name_is_refused(client: httpx.Client, server: Server, place: str, kind: str) -> None:
    if place == "account" and not DECEIVING[kind]:
        return  # An account without a name is called after its address.
    user = new_user()
    count = User.select().count()
    refused = give(client, place, server, user, DECEIVING[kind])
    assert refused.status_code == 422, refused.text
    assert User.select().count() == count
    assert (users.get(user.id).name, Server.get_by_id(server.id).name) == ("Somebody", "A server")


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_harmless_name_is_kept_and_shown_as_what_it_is(
    client: httpx.Client, root: User, server: Server, inbox: Inbox, mailing: Config, kind: str
) -> None:
    kept = unicodedata.normalize("NFC", HARMLESS[kind]).strip()
    own = new_server(root, server.node)
    assert give(client, "server", own, root, HARMLESS[kind]).status_code == 200
    assert client.get(f"/api/v1/servers/{own.id}").json()["name"] == kept
    page = client.get(f"/servers/{own.id}").text
    assert kept in html.unescape(page)
    assert kept == html.escape(kept) or kept not in page, "it is text, not markup"
    mail.send(mailing, "ada@example.com", f"Invitation to {kept} (Stellar)", f"to {kept}")
    message = message_from_bytes(inbox.content[-1], policy=policy.default)
    assert (message["Subject"], message["To"]) == (f"Invitation to {kept} (Stellar)", "ada@example.com")
    assert message.get_content().strip() == f"to {kept}"
    assert cell(kept).replace("\u200d", "") == kept.replace("\u200c", "").replace("\u200d", "")


@pytest.mark.parametrize("kind", LOOKALIKES)
def test_an_address_that_is_not_what_it_looks_like_is_refused(web: WebServer, client: httpx.Client, kind: str) -> None:
    count = User.select().count()
    body = {"email": LOOKALIKES[kind], "password": "correct horse battery"}
    with web.client() as anonymous:
        for asked in (anonymous.post("/api/v1/auth/signup", json=body), client.post("/api/v1/admin/users", json=body)):
            assert asked.status_code == 422, asked.text
    assert User.select().count() == count


@pytest.mark.parametrize("email", ["ada@example.com", "ADA@EXAMPLE.COM", " Ada@Example.com ", "aDa@example.com\t"])
def test_one_address_is_one_account_however_it_is_written(web: WebServer, client: httpx.Client, email: str) -> None:
    if users.by_email("ada@example.com") is None:
        users.insert("ada@example.com", "x", "Ada", "user")
    count = User.select().count()
    with web.client() as anonymous:
        body = {"email": email, "password": "correct horse battery"}
        for asked in (anonymous.post("/api/v1/auth/signup", json=body), client.post("/api/v1/admin/users", json=body)):
            assert (asked.status_code, asked.json()["code"]) == (409, "email_taken"), asked.text
    assert User.select().count() == count


def test_composed_and_decomposed_addresses_are_one(client: httpx.Client) -> None:
    users.insert("zoe\u0308@example.com", "x", "Zo\u00eb", "user")
    body = {"email": "ZO\u00cb@example.com", "password": "correct horse battery"}
    assert client.post("/api/v1/admin/users", json=body).json()["code"] == "email_taken"
