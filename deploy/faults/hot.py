"""One referral about which two institutions declare without end: its speed, versions and pages at any length."""

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from itertools import cycle, islice
from statistics import median
from uuid import UUID

import httpx

from contracts import codec
from contracts.codec import Declaration
from contracts.declarations import (
    AcceptanceReverted,
    Accepted,
    Closed,
    Details,
    InformationRequested,
    Received,
    Requested,
    Resumed,
)
from contracts.moments import local_date
from contracts.reasons import NeedResult, ReversalReason
from contracts.sdk import Official, declare
from contracts.values import InformationItem
from deploy.faults.outsider import Wire, answered, reached, requests, send
from deploy.faults.system import OUTSIDER, RECEIVER, System
from deploy.faults.waiting import Broken

SHORT = 2_000
WHOLE = 100_000
"""Declarations about one referral: many in the test run, very many on demand."""

APPLIED_SHARE = 10
"""One of so many is applied: each such one is a notice by e-mail, too."""

PIECE = 5_000
"""Declarations that wait at once, and whose time is taken together: a few batches."""

SLOWER = 2
"""By how much more the last pieces may cost than the first. What grows with the length of a history would cost more
without bound: at 100,000 a hundred times as much."""

PIECE_WITHIN = 120.0
"""Seconds that a piece may take where everything is slow."""

_FURTHER = re.compile(r'<a (?=[^>]*rel="next")[^>]*href="(?P<href>[^"]+)"')

ANSWER_SECONDS = 5.0
ANSWER_BYTES = 2**20
"""What a page or one answer of the API may take, however long the history is."""


async def referral(system: System, declarations: int) -> None:
    """Its receiver accepts it and takes that back, asks and goes on, for ever; its sender closes what is not answered.

    Nothing that the receiver says is refused and nothing that the sender says is applied: each outcome is known.
    """
    asked = _request(system)
    (opened,) = await send(system, [codec.encode(asked)])
    await answered(system, [opened], "applied")
    closing, going_on = _closing(asked), _going_on(asked)
    refused, applied, took = list[int](), list[int](), list[float]()
    for count in _pieces(declarations):
        useful = count // APPLIED_SHARE
        before = await system.spent("referrals")
        more_refused, more_applied = await asyncio.gather(
            send(system, _encoded(closing, count - useful)), send(system, _encoded(going_on, useful), RECEIVER)
        )
        await reached(system, more_refused[-1], OUTSIDER, PIECE_WITHIN)
        await reached(system, more_applied[-1], RECEIVER, PIECE_WITHIN)
        took.append(await system.spent("referrals") - before)
        refused += more_refused
        applied += more_applied
    await answered(system, refused, "refused")
    await answered(system, applied, "applied", RECEIVER)
    system.load.others.update({OUTSIDER: 1, RECEIVER: len(applied)})
    third = max(1, len(took) // 3)
    first, last = median(took[:third]), median(took[-third:])
    system.notes.append(
        f"{min(PIECE, declarations)} declarations took {first:.2f} s of processor at first and {last:.2f} s in the end"
    )
    if last > SLOWER * first:
        raise Broken(system.notes[-1])
    await _read(system, asked.envelope.referral, facts=declarations + 1, version=1 + len(applied))


def _pieces(declarations: int) -> Iterator[int]:
    while declarations > 0:
        yield min(PIECE, declarations)
        declarations -= PIECE


def _encoded(declarations: Iterator[Declaration], count: int) -> list[Wire]:
    return [codec.encode(one) for one in islice(declarations, count)]


def _request(system: System) -> Declaration:
    keys = next(iter(system.load.play.actors.values())).keys
    (asked,) = requests(system, 1)
    details = asked.details
    assert isinstance(details, Requested)
    sealed = keys.seal(b"{}", asked.envelope.referral, None)  # the receiver here has no key
    return replace(asked, details=details.model_copy(update={"recipient": RECEIVER}), sealed=sealed)


def _closing(asked: Declaration) -> Iterator[Declaration]:
    while True:
        yield _about(asked, OUTSIDER, Closed(result=NeedResult.MET))


def _going_on(asked: Declaration) -> Iterator[Declaration]:
    yield _about(asked, RECEIVER, Received())
    steps: tuple[Details, ...] = (
        Accepted(unit="equipo-1", planned_on=local_date(datetime.now(UTC))),
        InformationRequested(items=(InformationItem.CONTACT,)),
        Resumed(),
        AcceptanceReverted(reason=ReversalReason.CAPACITY_LOST),
    )
    for step in cycle(steps):
        yield _about(asked, RECEIVER, step)


def _about(asked: Declaration, by: str, details: Details) -> Declaration:
    head = asked.envelope
    return declare(by, details, referral=head.referral, need=head.need, by=Official("o-1"), system="faults")


async def _read(system: System, referral: UUID, *, facts: int, version: int) -> None:
    """Whoever opens it gets a piece at once, and all of it piece by piece. Raises Broken."""
    http, slowest, largest = system.stack.addresses.http, 0.0, 0
    async with httpx.AsyncClient(timeout=60) as client:

        async def read(url: str) -> str:
            nonlocal slowest, largest
            began = time.monotonic()
            answer = await client.get(url)
            seconds = time.monotonic() - began
            slowest, largest = max(slowest, seconds), max(largest, len(answer.content))
            if answer.status_code != 200 or len(answer.content) > ANSWER_BYTES or seconds > ANSWER_SECONDS:
                raise Broken(f"{url}: {answer.status_code}, {len(answer.content)} bytes after {seconds:.1f} s")
            return answer.text

        for service, path in (
            ("referrals", f"/referrals/{referral}"),
            ("notifications", f"/alerts?referral={referral}"),
            ("notifications", f"/inbox/{OUTSIDER}"),
            ("audit", f"/?referral={referral}"),
        ):
            further = _FURTHER.search(await read(http[service] + path))
            if further is None:
                raise Broken(f"{path} of {service} leads nowhere further")
            await read(http[service] + unescape(further["href"]))
        for service, path in (
            ("referrals", f"/v1/referrals/{referral}"),
            ("referrals", f"/v1/referrals/{referral}/chain"),
            ("notifications", f"/v1/alerts?referral={referral}"),
            ("audit", f"/v1/entries?referral={referral}"),
        ):
            await read(http[service] + path)
        system.notes.append(f"pages and answers of at most {largest // 1024} KiB within {slowest:.2f} s")
        positions, versions, after = list[int](), list[int](), 0
        while after is not None:
            page = (await client.get(f"{http['referrals']}/v1/referrals/{referral}?after={after}&limit=1000")).json()
            positions += [fact["position"] for fact in page["facts"]]
            versions += [fact["version"] for fact in page["facts"] if fact["version"] is not None]
            after = page["next"]
    if len(positions) != facts or positions != sorted(set(positions)) or versions != list(range(1, version + 1)):
        raise Broken(f"the history has {len(positions)} facts and {len(versions)} versions, not {facts} and {version}")
