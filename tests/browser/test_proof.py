"""The proof check that runs in a reader's browser judges exactly as the log's own."""

import asyncio
import re
from base64 import b64encode
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.async_api import Browser, Route

import services.audit
from services.audit import merkle, note
from tests.browser.chromium import opened

pytestmark = pytest.mark.anyio

MODULE = Path(services.audit.__file__).parent / "static" / "proof.js"
LEAVES = [merkle.leaf_hash(b"%d" % n) for n in range(130)]
PAGE = "http://127.0.0.1/"  # loopback is a secure context: only there browsers offer SHA-256

JUDGE = """async (cases) => {
  const {included, consistent, bytes} = await import("/proof.js");
  const hashes = (texts) => texts.map(bytes);
  return Promise.all(cases.map(({kind, numbers, one, other, path}) => kind === "included"
    ? included(bytes(one), BigInt(numbers[0]), BigInt(numbers[1]), hashes(path), bytes(other))
    : consistent(BigInt(numbers[0]), BigInt(numbers[1]), bytes(one), bytes(other), hashes(path))));
}"""

VERIFY = """async ([note, vkey]) => (await import("/proof.js")).signed(note, vkey)"""

Case = tuple[str, int, int, bytes, bytes, list[bytes]]
"""Kind, two numbers (index and size, or two sizes), leaf hash or old root, root or new root, path."""


def root(start: int, end: int) -> bytes:
    return merkle.fold(merkle.extend(0, (), LEAVES[start:end]))


def proofs() -> list[Case]:
    found: list[Case] = []
    for size in [*range(1, 35), 63, 64, 65, 127, 128, 130]:
        for index in range(size):
            path = [root(*span) for span in merkle.inclusion_ranges(index, size)]
            found.append(("included", index, size, LEAVES[index], root(0, size), path))
            grown = [root(*span) for span in merkle.consistency_ranges(index + 1, size)]
            found.append(("consistent", index + 1, size, root(0, index + 1), root(0, size), grown))
    return found


def damaged(case: Case, random: Random) -> Case:
    """The same proof with one thing wrong: a number, one of the two hashes, or the path."""
    kind, first, second, one, other, path = case
    return random.choice(
        [
            (kind, first + 1, second, one, other, path),
            (kind, first, second + random.choice((1, 64, 2**40)), one, other, path),
            (kind, first, second, merkle.leaf_hash(one), other, path),
            (kind, first, second, one, merkle.leaf_hash(other), path),
            (kind, first, second, one, other, path[:-1]),
            (kind, first, second, one, other, [*path, one]),
            (kind, first, second, one, other, [merkle.leaf_hash(hash_) for hash_ in path]),
        ]
    )


def judged_here(case: Case) -> bool:
    kind, first, second, one, other, path = case
    if kind == "included":
        return merkle.included(one, first, second, path, other)
    return merkle.consistent(first, second, one, other, path)


def sent(case: Case) -> dict[str, Any]:
    kind, first, second, one, other, path = case
    text = [b64encode(part).decode() for part in (one, other, *path)]
    return {"kind": kind, "numbers": [str(first), str(second)], "one": text[0], "other": text[1], "path": text[2:]}


async def in_the_browser(browser: Browser, script: str, argument: Any) -> Any:
    async def answer(route: Route) -> None:
        if route.request.url.endswith("/proof.js"):
            await route.fulfill(body=MODULE.read_text("utf-8"), content_type="text/javascript")
        else:
            await route.fulfill(body="<!doctype html><title>proofs</title>", content_type="text/html")

    async with opened(browser) as page:
        await page.route("**/*", answer)
        await page.goto(PAGE)
        async with asyncio.timeout(120):
            return await page.evaluate(script, argument)


async def test_browser_and_log_judge_alike(browser: Browser) -> None:
    random = Random(seed := 6962)
    right = proofs()
    wrong = [damaged(random.choice(right), random) for _ in range(1_500)]
    print(f"seed {seed}, {len(right)} proofs, {len(wrong)} damaged")
    found: list[bool] = await in_the_browser(browser, JUDGE, [sent(case) for case in (*right, *wrong)])
    assert all(found[: len(right)])
    assert found[len(right) :] == [judged_here(case) for case in wrong]
    assert found[len(right) :].count(False) > len(wrong) / 2


async def test_a_key_may_hold_what_separates_it_from_its_name(browser: Browser) -> None:
    keys = (note.signer("example.org/log", Ed25519PrivateKey.from_private_bytes(n.to_bytes(32))) for n in range(10_000))
    signer = next(one for one in keys if len(re.split(r"\+.{8}\+", one.verifier.vkey)) > 2)
    signed = note.sign("example.org/log\n1\nAAAA\n", signer)
    assert await in_the_browser(browser, VERIFY, [signed, signer.verifier.vkey])
    assert not await in_the_browser(browser, VERIFY, [signed.replace("\n1\n", "\n2\n"), signer.verifier.vkey])
    assert not await in_the_browser(browser, VERIFY, [signed, "example.org/log"])
    another = note.sign("example.org/other\n1\nAAAA\n", signer)
    assert not await in_the_browser(browser, VERIFY, [another, signer.verifier.vkey]), "not its log"
