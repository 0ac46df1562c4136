"""Sending mail through the configured SMTP server; only jobs do it, because it may take a while."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .config import MailSettings
from .errors import Unavailable

if TYPE_CHECKING:
    from .config import Config

TIMEOUT = 20.0


def enabled(config: Config) -> bool:
    """Whether there is a server to send mail through."""
    return bool(config.section(MailSettings).host)


def send(config: Config, to: str, subject: str, text: str) -> None:
    """Send one plain text; ``Unavailable`` when the server doesn't take it."""
    settings = config.section(MailSettings)
    host = urlsplit(config.public_url).hostname or "localhost"
    message = EmailMessage()
    message["From"] = settings.sender or f"Stellar <stellar@{host}>"
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=host)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    try:
        with _connect(settings) as server:
            if settings.username:
                server.login(settings.username, settings.password)
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise Unavailable(f"The mail server {settings.host} did not take a message: {error}.") from None


def _connect(settings: MailSettings) -> smtplib.SMTP:
    if settings.tls == "tls":
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT, context=ssl.create_default_context())
    server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT)
    if settings.tls == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server
