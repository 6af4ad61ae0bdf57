"""The README's pictures of the pages, taken anew: `python -m tests.browser.screenshots`; takes some five minutes.

A throwaway system tells its stories slowly enough for the plots to show something.
"""

import asyncio
import base64
import sys
from datetime import UTC, datetime

from playwright.async_api import Page, async_playwright

from deploy.demo.play import playing
from deploy.demo.stories import Story, draw
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from deploy.embedded.state import CHECKOUT
from deploy.throwaway import throwaway
from tests.browser import chromium
from tests.browser.chromium import Theme, Width, opened

FOLDER = CHECKOUT / "deploy" / "screenshots"
STORIES = 160
EVERY = 1.5  # seconds between two stories
LARGEST = 120_000  # bytes
QUALITY = 82


async def main() -> None:
    with throwaway("ruta-pictures-") as place:
        async with Stack(place.state, Ports.free(), report=lambda *said: print(*said, sep=": ")) as stack:
            await stack.start(*stack.services)
            await stack.start_status()
            for name in (*stack.services, "status"):
                await stack.wait_ready(name, 60)
            stories = draw(stack.target.directory, STORIES, 20, datetime.now(UTC))
            async with playing(stack.target) as play:
                for story in stories:
                    await play.request(story)
                    await asyncio.sleep(EVERY)
                await take(stack, stories)


async def take(stack: Stack, stories: tuple[Story, ...]) -> None:
    """All pictures."""
    http = stack.addresses.http
    longest = max(stories[: STORIES // 2], key=lambda story: len(story.path))
    asked: tuple[tuple[str, str, Width, Theme], ...] = (
        ("remisiones", http["referrals"], "desktop", "light"),
        ("remision", f"{http['referrals']}/referrals/{longest.referral}", "desktop", "dark"),
        ("bandeja", f"{http['notifications']}/inbox/{longest.recipient}", "phone", "light"),
        ("remisiones-telefono", http["referrals"], "phone", "dark"),
        ("huella", f"{http['audit']}/entries/125", "desktop", "light"),
        ("estado", stack.addresses.status, "desktop", "dark"),
    )
    FOLDER.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        browser = await chromium.launch(playwright)
        for name, address, width, theme in asked:
            async with opened(browser, width=width, theme=theme) as page:
                await page.goto(address, wait_until="load")
                check = page.get_by_role("button", name="Comprobar aquí")
                if await check.count():
                    await check.click()
                    await page.locator(".checks .good").last.wait_for()
                picture = await _webp(page)
            if len(picture) > LARGEST:
                sys.exit(f"{name} has {len(picture)} bytes, more than {LARGEST}")
            (FOLDER / f"{name}.webp").write_bytes(picture)
            print(f"{name}: {len(picture):,} bytes")
        await browser.close()


async def _webp(page: Page) -> bytes:
    session = await page.context.new_cdp_session(page)
    taken = await session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    return base64.b64decode(taken["data"])


if __name__ == "__main__":
    asyncio.run(main())
