"""What the HTTP interface answers, checked as a reader would check it."""

from base64 import b64decode
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest

from services.audit import api, leaf, merkle, note
from tests.audit.support import ORIGIN, Log, fill

pytestmark = pytest.mark.anyio


async def nothing_missing() -> list[str]:
    return []


@pytest.fixture
async def client(log: Log) -> AsyncIterator[httpx.AsyncClient]:
    pool = OneConnection(log)
    app = api.build(pool, log.signer.verifier, nothing_missing)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as made:
        yield made


class OneConnection:
    """As much of a pool as the handlers use."""

    def __init__(self, log: Log) -> None:
        self.fetch, self.fetchrow, self._connection = log.app.fetch, log.app.fetchrow, log.app

    def acquire(self) -> "OneConnection":
        return self

    async def __aenter__(self) -> object:
        return self._connection

    async def __aexit__(self, *_: object) -> None: ...


async def test_every_leaf_is_proven_in_the_signed_tree(log: Log, client: httpx.AsyncClient) -> None:
    await fill(log)
    verifier = note.read_vkey((await client.get("/v1/log")).json()["vkey"])
    for index in (0, 1, 99, 102, 254, 255, 256, 257, 298, 299):
        found = (await client.get(f"/v1/entries/{index}")).json()
        signed = note.read_checkpoint(note.read(found["checkpoint"], [verifier]))
        assert signed == note.Checkpoint(ORIGIN, 300, b64decode(found["root"]))
        hashed = merkle.leaf_hash(found["leaf"].encode())
        assert hashed == b64decode(found["leaf_hash"])
        path = [b64decode(one) for one in found["proof"]]
        assert merkle.included(hashed, index, signed.size, path, signed.root)
        assert leaf.read(found["leaf"].encode())


async def test_the_checkpoint_is_the_note_itself(log: Log, client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/checkpoint")).status_code == 404
    assert (await client.get("/v1/log")).json()["size"] == 0
    await fill(log)
    answer = await client.get("/v1/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert note.read(answer.text, [log.signer.verifier]).startswith(f"{ORIGIN}\n300\n")
    view = (await client.get("/v1/log")).json()
    assert (view["size"], view["origin"]) == (300, ORIGIN)
    assert 0 <= view["checkpoint_age_seconds"] < 60


async def test_the_leaves_about_a_referral_and_about_a_fact(log: Log, client: httpx.AsyncClient) -> None:
    await fill(log)
    referral: UUID = await log.app.fetchval("select referral from entry where index = 0")
    entries = (await client.get("/v1/entries", params={"referral": str(referral)})).json()["entries"]
    assert [one["leaf"]["cs"] for one in entries] == list(range(1, len(entries) + 1))
    assert {one["referral"] for one in entries} == {str(referral)}
    fact = next(one["fact"] for one in entries if one["topic"] == "ruta.facts.v1")
    about = (await client.get("/v1/entries", params={"fact": fact})).json()["entries"]
    assert [one["topic"] for one in about] == ["ruta.facts.v1", "ruta.alerts.v1"]
    page = (await client.get("/v1/entries", params={"referral": str(referral), "limit": 2, "after": 0})).json()
    assert page["entries"] == entries[1:3]


async def test_questions_without_an_answer(log: Log, client: httpx.AsyncClient) -> None:
    await fill(log)
    assert (await client.get("/v1/entries", params={"referral": str(uuid4())})).json() == {"entries": []}
    for path, status in (
        ("/v1/entries", 422), ("/v1/entries?referral=x", 422), ("/v1/entries/-1", 422), ("/v1/entries/300", 404),
        ("/v1/entries/9223372036854775808", 422),
    ):  # fmt: skip
        assert (await client.get(path)).status_code == status, path
