"""The mail worker: claim jobs, send, and record attempt, receipt and end of the job in one transaction.

A mail goes again, with the same Message-ID, where its "250" is not recorded: after a crash between the two, an answer
that came too late for us, or a worker that stalled for longer than STALE while another took its jobs. Whatever has
finished while one transaction commits goes into the next one, so receipts are written in groups.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import asyncpg
from pgqueuer.domain.models import Job
from pgqueuer.domain.types import JobId, QueueManagerId

from contracts.receipts import DeliveryProblem, ReceiptStatus
from services.notifications import delivery, jobs, receipts, render
from services.notifications.delivery import NotSent, Result, Settlement
from services.notifications.routing import Alert, mailbox
from services.notifications.rows import restore
from services.runtime import clock, failpoints, logs, sql
from services.runtime.members import Members
from services.runtime.process import side_by_side

log = logging.getLogger("ruta.notifications.worker")
_SQL = sql.load(Path(__file__).parent / "sql" / "worker.sql")

DIALOGUES = 8
"""Mails that are sent at the same time. More than a small relay takes from one client is rude; fewer leave it waiting
for our turn-around."""

CAPACITY = 4 * DIALOGUES
"""Mails in hand at most: what the dialogues need until the next claim, because what is in hand is nobody else's."""

CLAIM_AT_LEAST = DIALOGUES
"""Below this much room a claim costs more than it brings."""

URGENT_BESIDE = DIALOGUES
"""Room for urgent mails beyond all others: with a server that is slow they do not wait until one of those is done."""

POLL_SECONDS = 1.0
"""Postponed jobs are not announced when they fall due, and an announcement may be lost."""

GATHER_SECONDS = 0.05
"""What is announced, and what is finished while more mails are in hand, waits so long for company: fewer and larger
transactions beside those on which inboxes wait."""

BEAT_SECONDS = 3.0
STALE = timedelta(seconds=10)
"""How long a worker may be silent before its jobs are another's: what a crash costs the mails it held."""

PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds between probes of a mail server that does not take connections; the last one repeats."""

_SERVER_TROUBLE = frozenset({DeliveryProblem.UNREACHABLE, DeliveryProblem.SESSION_REFUSED})
_SERVER_ANSWERS = frozenset({DeliveryProblem.DEFERRED, DeliveryProblem.REFUSED})


class Channel(Protocol):
    """What sends a finished message; every end is a value."""

    async def send(self, to: str, message: bytes) -> Result: ...


@dataclass(frozen=True, slots=True)
class Letter:
    """A claimed job with its alert as stored."""

    job: Job
    alert: Alert
    planned_at: datetime
    attempts: int


@dataclass
class Worker:
    """Sends what the queue holds. ``connection`` is used by nobody else; several workers may share a queue."""

    connection: asyncpg.Connection
    channel: Channel
    members: Members
    sender: str
    after_commit: Callable[[Sequence[tuple["Letter", Settlement]]], None] = lambda settled: None
    down_since: datetime | None = None
    _id: QueueManagerId = field(default_factory=lambda: QueueManagerId(uuid4()))
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _held: dict[JobId, Job] = field(default_factory=dict)
    _turn: asyncio.PriorityQueue[tuple[int, JobId, Letter]] = field(default_factory=asyncio.PriorityQueue)
    _finished: list[tuple[Letter, Result]] = field(default_factory=list)
    _may_wait: bool = True
    _beaten_at: float = 0.0
    _probes: int = 0
    _pause_until: float = 0.0

    async def run(self) -> None:
        """Work for ever; an error of the database or of ours ends the process, and its jobs are claimed again."""
        await self.connection.add_listener(jobs.SETTINGS.channel, self._notified)
        await side_by_side(self._turns(), *(self._attempts() for _ in range(DIALOGUES)))

    async def _turns(self) -> None:
        while True:
            if self._may_wait and (room := await self._room()):
                for letter in await self._claim(room):
                    self._turn.put_nowait((-letter.job.priority, letter.job.id, letter))
            if not self._finished:
                await self._rest()
            if len(self._finished) < len(self._held) or not self._held:
                await asyncio.sleep(GATHER_SECONDS)
            self._wake.clear()
            await self._record()
            await self._beat()

    async def _room(self) -> int:
        """How many jobs to claim now: none while the server is given a rest, then one to try it with."""
        if self.down_since is not None:
            return int(not self._held and time.monotonic() >= self._pause_until)
        room = CAPACITY - len(self._held)
        if room >= CLAIM_AT_LEAST:
            return room
        most = room + URGENT_BESIDE
        # The most urgent are claimed first, so a claim of as many gets no others.
        return int(await self.connection.fetchval(_SQL["urgent"], jobs.EMAIL, most)) if most > 0 else 0

    async def _claim(self, most: int) -> list[Letter]:
        self._may_wait = False  # before the claim: an announcement may come while it runs
        claimed = await jobs.claim(self.connection, self._id, most, STALE)
        self._may_wait |= len(claimed) >= most
        # A late heartbeat makes our own claim find a job that is still in hand.
        new = {jobs.alert_of(job): job for job in claimed if job.id not in self._held}
        if not new:
            return []
        failpoints.hit("mail.claimed")
        rows = await self.connection.fetch(_SQL["letters"], list(new))
        letters = [Letter(new[row["alert_id"]], restore(row), row["planned_at"], row["attempts"]) for row in rows]
        self._held |= {letter.job.id: letter.job for letter in letters}
        return letters

    async def _attempts(self) -> None:
        while True:
            *_, letter = await self._turn.get()
            failpoints.hit("mail.sending")
            result = await self._send(letter)  # not inside the append: the list may be another one afterwards
            failpoints.hit("mail.sent")
            self._finished.append((letter, result))
            self._wake.set()

    async def _send(self, letter: Letter) -> Result:
        try:
            members = self.members.current()
            to = mailbox(members.get(letter.alert.recipient))
            if to is None:
                return NotSent(DeliveryProblem.NO_ADDRESS)
            message = render.mail(letter.alert, letter.planned_at, members, self.sender, to).as_bytes()
        except Exception as error:
            # One notice that we cannot write must not stop all others; it waits for the mend.
            log.critical("a mail could not be written", extra={"reason": logs.describe(error)})
            return NotSent(DeliveryProblem.INTERNAL_ERROR)
        return await self.channel.send(to, message)

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            self._may_wait = True

    async def _record(self) -> None:
        finished, self._finished = self._finished, []
        if not finished:
            return
        now = clock.now()
        settled = [
            (letter, delivery.settle(letter.attempts, letter.planned_at, now, letter.alert.urgency, result))
            for letter, result in finished
        ]
        async with self.connection.transaction():
            attempts = await self._settle(settled)
            await self._end_jobs(settled)
            entries = [
                receipts.Entry(letter.alert.id, s.status, now, attempts[letter.alert.id], s.code, s.problem)
                for letter, s in settled
                if letter.alert.id in attempts
            ]
            await receipts.append(self.connection, entries)
            failpoints.hit("mail.recording")
        failpoints.hit("mail.recorded")
        for letter, _ in settled:
            del self._held[letter.job.id]
        self._judge_server([result for _, result in finished], now)
        self.after_commit(settled)
        _report(settled)

    async def _settle(self, settled: Sequence[tuple[Letter, Settlement]]) -> dict[UUID, int]:
        """The number of the attempt by alert; alerts that another worker has ended meanwhile are missing."""
        rows = [(letter.alert.id, s.status) for letter, s in settled]
        moved = await self.connection.fetch(_SQL["settle"], *sql.columns(rows, 2))
        return {row["alert_id"]: row["attempts"] for row in moved}

    async def _end_jobs(self, settled: Sequence[tuple[Letter, Settlement]]) -> None:
        done = [letter.job for letter, s in settled if s.status is ReceiptStatus.SENT]
        given_up = [letter.job for letter, s in settled if s.status is ReceiptStatus.UNDELIVERABLE]
        await jobs.finish(self.connection, done, given_up)
        for letter, s in settled:
            if s.wait is not None:
                await jobs.postpone(self.connection, letter.job, s.wait)

    def _judge_server(self, results: Sequence[Result], now: datetime) -> None:
        """One answer about a mail ends the rest; a server that takes none is asked with one mail at a time."""
        problems = [result.problem for result in results if isinstance(result, NotSent)]
        if len(problems) < len(results) or not _SERVER_ANSWERS.isdisjoint(problems):
            if self.down_since is not None:
                log.info("the mail server takes mail again")
                self.down_since, self._probes, self._may_wait = None, 0, True
        elif self.down_since is not None or not _SERVER_TROUBLE.isdisjoint(problems):
            if self.down_since is None:
                self.down_since = now
                log.warning("the mail server takes no mail", extra={"outcomes": sorted(set(problems))})
            self._pause_until = time.monotonic() + PAUSES[min(self._probes, len(PAUSES) - 1)]
            self._probes += 1

    async def _beat(self) -> None:
        if self._held and time.monotonic() - self._beaten_at > BEAT_SECONDS:
            await jobs.beat(self.connection, list(self._held.values()))
            self._beaten_at = time.monotonic()

    def _notified(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        if jobs.announces_work(payload):
            self._may_wait = True
            self._wake.set()


def _report(settled: Sequence[tuple[Letter, Settlement]]) -> None:
    counts: dict[str, int] = {}
    for _, s in settled:
        counts[s.status] = counts.get(s.status, 0) + 1
        if s.status is ReceiptStatus.UNDELIVERABLE:
            log.error("a mail could not be delivered", extra={"reason": str(s.problem), "attempt": s.attempt})
    log.info("mails", extra={"records": len(settled), "outcomes": counts})
