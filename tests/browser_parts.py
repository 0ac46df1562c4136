"""A real Chromium for tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium, as the system has it."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is missing: apt-get install -y chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def context_of(browser: Browser, client: httpx.Client, **options: Any) -> Iterator[BrowserContext]:
    """A browser profile with the session of ``client``."""
    context = browser.new_context(base_url=str(client.base_url), **options)
    context.set_default_timeout(15_000)
    for cookie in client.cookies.jar:
        context.add_cookies([{"name": cookie.name, "value": str(cookie.value), "url": str(client.base_url)}])
    yield context
    context.close()


def complaints(page: Page) -> list[str]:
    """What the page's scripts and the browser complain about, as it comes; refused content included."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.append(f"{message.text} ({message.location['url']})")

    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", note)
    return found
