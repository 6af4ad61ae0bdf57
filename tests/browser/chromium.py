"""Debian's chromium, driven by Playwright; on a fresh Debian machine root installs it first."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Playwright, expect

_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""No sandbox: chromium refuses its own to root. Only our pages are opened. Nothing is fetched from elsewhere."""

PATIENCE = 30_000  # milliseconds; machines are shared
expect.set_options(timeout=PATIENCE)

Width = Literal["desktop", "phone"]
Theme = Literal["light", "dark"]

SIZES: dict[Width, tuple[int, int]] = {"desktop": (1280, 860), "phone": (390, 844)}


def program() -> str:
    """Where chromium is. Skips the test, saying why, where it is not and cannot be installed."""
    found = _find()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (("apt-get", "update", "-q"), ("apt-get", "install", "-qy", "chromium")):
            subprocess.run(command, env=environment, capture_output=True, check=False)
        found = _find()
    if found is None:
        pytest.skip("there is no chromium: as root, apt-get install chromium")
    return found


def _find() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


async def launch(playwright: Playwright) -> Browser:
    """A browser that needs no display."""
    return await playwright.chromium.launch(executable_path=program(), args=_ARGUMENTS)


@asynccontextmanager
async def opened(
    browser: Browser,
    *,
    width: Width = "desktop",
    theme: Theme = "light",
    scripts: bool = True,
    silent: bool = True,
) -> AsyncIterator[Page]:
    """A page. If ``silent``, an error in its console, such as a violated policy, fails the test."""
    across, down = SIZES[width]
    context = await browser.new_context(
        viewport={"width": across, "height": down}, color_scheme=theme, java_script_enabled=scripts, locale="es-CO"
    )
    said: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            said.append(message.text)

    try:
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", heard)
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        assert not silent or said == [], said
    finally:
        await context.close()
