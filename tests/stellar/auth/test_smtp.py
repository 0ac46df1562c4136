"""Mail over TLS, with a real SMTP server and a certificate authority of the tests' own."""

from __future__ import annotations

import datetime
import ipaddress
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stellar import mail
from stellar.config import Config
from stellar.errors import Unavailable

SECRET = "the mail server's password"


class Inbox(MessageHandler):
    """Keeps what arrives, and whether it came encrypted."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[tuple[str, bool]] = []
        self.encrypted = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.encrypted = session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None
        answer: str = await super().handle_DATA(server, session, envelope)
        return answer

    def handle_message(self, message: Any) -> None:
        self.mails.append((message["To"], self.encrypted))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("certificate")
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    return certificate, secret


def authenticate(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
    return AuthResult(success=data == LoginPassword(b"panel", SECRET.encode()), handled=False)


@contextmanager
def serving(certificate: tuple[Path, Path] | None, way: str) -> Iterator[tuple[Inbox, int]]:
    """A mail server that wants a password, and encryption where it has a certificate."""
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options: dict[str, Any] = {"authenticator": authenticate, "auth_required": True}
    if way == "tls":
        options |= {"ssl_context": context, "auth_require_tls": False}
    elif context is not None:
        options |= {"tls_context": context, "require_starttls": True}
    else:
        options |= {"auth_require_tls": False}
    inbox = Inbox()
    controller = _Controller(inbox, "127.0.0.1", port, **options)
    controller.start()
    try:
        yield inbox, port
    finally:
        controller.stop()


class _Controller(Controller):
    def _trigger_server(self) -> None:
        """Its own check knows no certificate; that the port is open is enough."""
        socket.create_connection((self.hostname, self.port), 10).close()


def config(port: int, way: str, password: str = SECRET) -> Config:
    settings = {"host": "127.0.0.1", "port": port, "tls": way, "username": "panel", "password": password}
    return Config(Path(), {"mail": settings, "web": {"public_url": "https://panel.example"}}, {}, "the test's")


@pytest.mark.parametrize("way", ["tls", "starttls"])
def test_mail_goes_out_encrypted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with serving(certificate, way) as (inbox, port):
        mail.send(config(port, way), "ada@example.com", "Hello", "text")
    assert inbox.mails == [("ada@example.com", True)]


@pytest.mark.parametrize("way", ["tls", "starttls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: tuple[Path, Path], way: str) -> None:
    with serving(certificate, way) as (inbox, port), pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        mail.send(config(port, way), "ada@example.com", "Hello", "text")
    assert not inbox.mails


def test_without_encryption_nothing_is_sent_in_the_clear() -> None:
    with serving(None, "starttls") as (inbox, port), pytest.raises(Unavailable, match="STARTTLS"):
        mail.send(config(port, "starttls"), "ada@example.com", "Hello", "text")
    assert not inbox.mails


def test_a_failure_says_why_and_not_the_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(None, "none") as (inbox, port):
        with pytest.raises(Unavailable, match="535") as refused:
            mail.send(config(port, "none", "not the password"), "ada@example.com", "Hello", "text")
        mail.send(config(port, "none"), "ada@example.com", "Hello", "text")
    assert "not the password" not in str(refused.value) + caplog.text
    assert SECRET not in caplog.text
    assert inbox.mails == [("ada@example.com", False)]


@pytest.mark.parametrize("header", ["to", "subject"])
def test_no_line_break_gets_into_a_header(header: str) -> None:
    texts = {"to": "ada@example.com", "subject": "Hello"}
    texts[header] += "\r\nBcc: all@example.com"
    with serving(None, "none") as (inbox, port), pytest.raises(ValueError, match="linefeed"):
        mail.send(config(port, "none"), texts["to"], texts["subject"], "text")
    assert not inbox.mails
