"""The log's pages, as a reader sees them: without scripts through HTTP, with them in a real browser."""

import re
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from contracts import facts, topics
from contracts.directory import SEED, load
from contracts.labels import label
from contracts.values import Problem
from services.audit import api, comparison, merkle, note, pages, wording
from services.audit.leaf import Kind
from services.audit.note import Signer
from services.audit.predecessor import Predecessor, Reason
from services.audit.reading import CLOSED
from services.runtime.settings import Addresses
from tests.audit.support import ORIGIN, Log, declared, fill
from tests.audit.test_api import OneConnection, nothing_missing

pytestmark = pytest.mark.anyio

DUPLICATE, CONFLICT, GAP, UNREADABLE, DESK, FACT, RECEIPT = range(100, 107)
"""The indexes of the unusual leaves that ``fill`` makes."""


def made(log: Log, *closed: Predecessor, signer: Signer | None = None) -> FastAPI:
    """The pages of a log; those that it goes on from are as if they were stored in its place."""
    settings: Any = SimpleNamespace(addresses=Addresses(), web_assets=None)
    pool: Any = OneConnection(log)
    verifier = (signer or log.signer).verifier
    app = api.build(pool, verifier, nothing_missing)
    before = [comparison.Log(one.vkey, pool, one) for one in closed]
    pages.add(app, settings, comparison.Log(verifier.vkey, pool), before, lambda: load(SEED).by_code)
    return app


@pytest.fixture
async def client(log: Log) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(made(log)) as client:
        yield client


def asking(app: FastAPI) -> httpx.AsyncClient:
    """A browser without scripts."""
    headers = {"accept": "text/html"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", headers=headers)


async def shown(client: httpx.AsyncClient, path: str, **asked: object) -> str:
    # An empty mapping would take the path's own query away.
    answer = await client.get(path, params={name: str(value) for name, value in asked.items()} or None)
    assert answer.status_code == 200, answer.text
    return answer.text


def listed(page: str) -> list[int]:
    return [int(index) for index in re.findall(r'href="/entries/([0-9]+)"', page)]


async def test_an_empty_log_says_so(client: httpx.AsyncClient) -> None:
    assert "El registro está vacío" in await shown(client, "/")
    assert "Punto de control de hoy" not in await shown(client, "/consistency")


@pytest.mark.parametrize(
    ("reason", "holds"), [(Reason.SHORTER, True), (Reason.KEY_LOST, True), (Reason.CHANGED, False), (None, False)]
)
async def test_of_a_closed_log_no_more_is_said_than_is_known(log: Log, reason: Reason | None, holds: bool) -> None:
    vkey = note.signer("log.example/before", Ed25519PrivateKey.generate()).verifier.vkey
    before = Predecessor("log.example/before", vkey, "", 1, "audit_closed_1", reason)
    async with asking(made(log, before)) as client:
        page = await shown(client, "/")
    assert "log.example/before" in page
    assert "(1 huella)" in page
    assert ("sus pruebas siguen valiendo" in page) is holds
    assert ("no demuestra lo que había" in page) is (reason is Reason.CHANGED)


async def test_the_newest_leaves_come_first_and_all_can_be_reached(log: Log, client: httpx.AsyncClient) -> None:
    await fill(log)
    seen: list[int] = []
    page = await shown(client, "/")
    while len(seen) < 300:
        seen += listed(page)
        older = re.search(r'href="(/\?[^"]+)" rel="next"', page)
        if older is None:
            break
        page = await shown(client, older[1].replace("&amp;", "&"))
    assert seen == list(range(299, -1, -1))


async def test_the_list_can_be_narrowed(log: Log, client: httpx.AsyncClient) -> None:
    await fill(log)
    for kind, index in ((Kind.DUPLICATE, DUPLICATE), (Kind.CONFLICT, CONFLICT), (Kind.GAP, GAP)):
        page = await shown(client, "/", clase=kind)
        assert listed(page) == [index]
        assert wording.kind(kind) in page
    assert listed(await shown(client, "/", institucion=topics.REFERRALS)) == [FACT]
    row = await log.app.fetchrow("select referral, fact_id from entry where index = $1", FACT)
    assert listed(await shown(client, "/", fact=row["fact_id"])) == [RECEIPT, FACT]
    about = await log.app.fetch("select index from entry where referral = $1 order by index desc", row["referral"])
    reference = row["referral"].hex[:8]
    for asked in ({"referral": row["referral"]}, *({"buscar": one} for one in (row["referral"], reference.upper()))):
        assert listed(await shown(client, "/", **asked)) == [one["index"] for one in about]
    assert "Ninguna huella" in await shown(client, "/", buscar="00000000-0000-4000-8000-000000000000")


async def test_what_is_no_reference_is_answered(log: Log, client: httpx.AsyncClient) -> None:
    await fill(log)
    for text in ("3f2504e", "3f2504e0x", "-1", "1.5"):
        page = await shown(client, "/", buscar=text)
        assert "no es un número de huella" in page
        assert listed(page) == []
    for path in ("/?clase=x", "/?antes=-1", "/?institucion=%00", "/entries/x", f"/consistency?punto={'x' * 4001}"):
        answer = await client.get(path)
        assert answer.status_code == 422, path
        assert "No se entiende la solicitud" in answer.text
    assert (await client.get("/entries/300")).status_code == 404


async def test_a_number_finds_its_leaf_or_the_reference_that_begins_with_it(
    log: Log, client: httpx.AsyncClient
) -> None:
    await log.sequencer().append(
        [log.arrival(declared("12345678-0000-4000-8000-000000000000")), log.arrival(declared())]
    )
    assert (await client.get("/", params={"buscar": "1"})).headers["location"] == "/entries/1"
    assert listed(await shown(client, "/", buscar="12345678")) == [0]
    for number in ("2", "99999999", "9" * 80):
        page = await shown(client, "/", buscar=number)
        assert "El registro tiene 2 huellas: de la 0 a la 1." in page
        assert listed(page) == []


async def test_every_kind_of_leaf_has_a_page_with_its_proof(log: Log, client: httpx.AsyncClient) -> None:
    await fill(log)
    for index, said in (
        (0, "Declaración: Acusar recibo"), (DUPLICATE, wording.kind_said({"k": Kind.DUPLICATE})),
        (CONFLICT, wording.kind_said({"k": Kind.CONFLICT})), (GAP, "Kafka los borró antes de que se leyeran"),
        (UNREADABLE, label(Problem.HEADER_MISSING)), (FACT, "Respuesta de Ruta: Ya estaba respondida"),
        (RECEIPT, "Constancia de aviso: En la bandeja"),
    ):  # fmt: skip
        page = await shown(client, f"/entries/{index}")
        assert said in page
        assert "está en el registro, en este lugar" in page
        path = [b64decode(one) for one in re.findall(r"data-sibling>([^<]+)<", page)]
        leaf = await log.app.fetchval("select leaf from entry where index = $1", index)
        root = await log.app.fetchval("select root from batch order by first_index desc limit 1")
        assert merkle.included(merkle.leaf_hash(leaf), index, 300, path, root)


async def test_a_fact_does_not_read_as_if_ruta_had_decided_the_case() -> None:
    for kind, said in (("rejected", "Se aplicó: rechazar"), ("refused", "Respuesta de Ruta: No se aplicó")):
        title = wording.title({"k": Kind.EVENT, "type": f"{facts.TYPE_PREFIX}{kind}.v1"})
        assert f"{title.family}: {title.said}" == said


async def test_every_field_of_a_leaf_has_words() -> None:
    from services.audit import leaf

    known = {name for required, allowed in leaf._FIELDS.values() for name in (*required, *allowed)}
    assert known == wording._texts()["field"].keys()
    assert wording.services().keys() == {topics.REFERRALS, topics.NOTIFICATIONS}
    assert wording._texts()["kind"].keys() == wording._texts()["kind_said"].keys() - {CLOSED} == set(Kind)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "0001-01-01T05:00:00Z", "9999-12-31T23:59:59.999999999Z"])
async def test_every_time_that_a_sender_may_state_is_shown(log: Log, client: httpx.AsyncClient, time: str) -> None:
    one = declared()
    headers = tuple((name, time.encode() if name == "ce_time" else value) for name, value in one.headers)
    await log.sequencer().append([log.arrival(replace(one, headers=headers))])
    assert "Hora según el emisor" in await shown(client, "/entries/0")


async def test_a_changed_leaf_is_shown_as_changed(log: Log, client: httpx.AsyncClient) -> None:
    await fill(log)
    changed = "replace(convert_from(leaf, 'utf8'), '\"kt\":', '\"kt\":1')"
    await log.break_it(f"update entry set leaf = convert_to({changed}, 'utf8') where index = 299")
    assert "De esta huella no se llega a la raíz firmada" in await shown(client, "/entries/299")


@pytest.mark.parametrize(
    ("size", "said"),
    [(1, "El hash de esta huella es la raíz firmada: "), (2, "El paso lleva de esta "), (3, "Los 2 pasos llevan de ")],
)
async def test_one_is_not_said_as_many(log: Log, client: httpx.AsyncClient, size: int, said: str) -> None:
    await log.sequencer().append([log.arrival(declared()) for _ in range(size)])
    page = await shown(client, "/entries/0")
    assert said in page
    assert (">1 huella<" in page) is (size == 1)


async def test_a_kept_checkpoint_is_compared(log: Log, client: httpx.AsyncClient) -> None:
    await fill(log)
    for row in await log.app.fetch("select note from checkpoint"):
        kept = note.read_checkpoint(note.read(row["note"], [log.signer.verifier]))
        pasted = "\r\n".join(f" {line} " for line in row["note"].split("\n"))
        for text in (row["note"], pasted):
            assert f"empieza exactamente con lo que usted vio ({kept.size})" in await compared(client, text)
        other = replace(kept, root=merkle.leaf_hash(kept.root))
        assert "corresponde otra raíz" in await compared(client, note.sign(other.text, log.signer))
        longer = replace(kept, size=kept.size + 300)
        assert "se cortó el final" in await compared(client, note.sign(longer.text, log.signer))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda kept: kept.replace("\n107\n", "\n108\n"), "no demuestra nada"),
        (lambda kept: kept.partition("\n\n")[0], "no demuestra nada"),
        (lambda kept: kept.replace("\n\n", "\n"), "no demuestra nada"),
        (lambda kept: kept.replace(ORIGIN, "log.example/other"), "no es un punto de control"),
        (lambda kept: "107", "no es un punto de control"),
        (lambda kept: "\x00\ud7ff\u2028+", "no es un punto de control"),
    ],
)
async def test_what_was_copied_wrongly_accuses_nobody(
    log: Log, client: httpx.AsyncClient, wrong: Callable[[str], str], said: str
) -> None:
    await fill(log)
    page = await compared(client, wrong(await log.app.fetchval("select note from checkpoint where size = 107")))
    assert said in page
    assert ACCUSED not in page


async def test_a_checkpoint_of_a_closed_log_is_compared_with_that_one(log: Log) -> None:
    await fill(log)
    last = note.sign(note.Checkpoint(ORIGIN, 400, bytes(32)).text, log.signer)
    before = Predecessor(ORIGIN, log.signer.verifier.vkey, last, 300, "audit_closed_1", Reason.SHORTER)
    now = note.signer(f"{ORIGIN}/2", Ed25519PrivateKey.generate())
    kept = await log.app.fetchval("select note from checkpoint where size = 107")
    async with asking(made(log, before, signer=now)) as client:
        assert "empieza exactamente con lo que usted vio (107)" in await compared(client, kept)
        other = note.sign(note.Checkpoint(ORIGIN, 107, bytes(32)).text, log.signer)
        assert ACCUSED in await compared(client, other)
        for size, more in ((350, False), (400, False), (401, True)):
            page = await compared(client, note.sign(note.Checkpoint(ORIGIN, size, bytes(32)).text, log.signer))
            assert "se cerró porque le faltaba el final" in page
            assert ("había llegado a 400" in page) is more
            assert ACCUSED not in page


ACCUSED = "El registro fue cambiado o le mostraron otro"


async def compared(client: httpx.AsyncClient, text: str) -> str:
    return await shown(client, "/consistency", punto=text)


async def test_the_proof_of_consistency_is_there_for_programs(log: Log, client: httpx.AsyncClient) -> None:
    await fill(log)
    for size in (1, 100, 107, 256, 290, 300):
        found = (await client.get(f"/v1/consistency/{size}")).json()
        path = [b64decode(one) for one in found["proof"]]
        roots = b64decode(found["old_root"]), b64decode(found["root"])
        assert merkle.consistent(size, 300, *roots, path)
        assert note.read(found["checkpoint"], [log.signer.verifier]).startswith(f"{ORIGIN}\n300\n{found['root']}\n")
    assert (await client.get("/v1/consistency/301")).status_code == 404
    assert (await client.get("/v1/consistency/0")).status_code == 422
