"""Alerts to mails on a real PostgreSQL and over real SMTP: replays, refusals, silence, crashes, two workers."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from pgqueuer.domain.types import QueueManagerId

from contracts import facts
from contracts.codec import Located
from contracts.facts import Fact
from contracts.receipts import ReceiptStatus
from contracts.values import Urgency, Verb
from services.notifications import delivery, jobs, receipts, store, worker
from services.notifications.channels.email import Email
from services.notifications.delivery import Result, Sent
from services.notifications.routing import plan
from services.notifications.worker import Worker
from services.runtime.members import Members
from tests.notifications import making as make
from tests.notifications.conftest import Database
from tests.notifications.mailserver import MailServer
from tests.support.builders import MEMBERS
from tests.support.wire import eventually

pytestmark = pytest.mark.anyio


class Directory(Members):
    """The members of these tests instead of a file."""

    def current(self) -> Any:
        return MEMBERS


@asynccontextmanager
async def idle(database: Database, **changes: Any) -> AsyncIterator[Worker]:
    """A worker of its own that does not run yet."""
    connection = await database.connect()
    email = Email(database.settings)
    try:
        yield Worker(connection, email, Directory(Path()), database.settings.mail_sender, **changes)
    finally:
        await email.close()
        await connection.close()


@asynccontextmanager
async def working(database: Database, **changes: Any) -> AsyncIterator[Worker]:
    """A worker of its own, ended like a killed one: nothing is handed back."""
    async with idle(database, **changes) as made:
        running = asyncio.ensure_future(made.run())
        try:
            yield made
            if running.done():
                running.result()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[asyncpg.Connection]:
    made = await database.connect()
    yield made
    await made.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds instead of minutes."""
    monkeypatch.setattr(delivery, "FIRST_RETRY", timedelta(milliseconds=200))
    monkeypatch.setattr(worker, "PAUSES", (0.2,))
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.1)
    monkeypatch.setattr(worker, "BEAT_SECONDS", 0.2)


async def take(connection: asyncpg.Connection, batch: Sequence[Located], unstorable: bool = False) -> None:
    async with connection.transaction():
        await store.apply(connection, batch, unstorable, MEMBERS)


def requests(count: int, **details: Any) -> list[Fact]:
    return [make.applied(Verb.REQUESTED, **details) for _ in range(count)]


async def statuses(connection: asyncpg.Connection, channel: str = "email") -> dict[str, int]:
    rows = await connection.fetch("select status, count(*) from alert where channel = $1 group by 1", channel)
    return {row["status"]: row["count"] for row in rows}


async def settled(connection: asyncpg.Connection, **expected: int) -> None:
    async def reached() -> bool:
        return await statuses(connection) == expected

    await eventually(reached, 120, str(expected))


async def history(connection: asyncpg.Connection) -> list[tuple[str, int, int | None, str | None]]:
    rows = await connection.fetch(
        "select r.status, attempt, code, problem from receipt as r join alert using (alert_id) "
        "where channel = 'email' order by r.position"
    )
    return [tuple(row) for row in rows]


def expected_ids(made: Sequence[Fact]) -> set[str]:
    return {f"<{plan(fact, MEMBERS)[1].id}@mesa.example>" for fact in made}


async def test_what_became_of_a_mail_waits_for_the_disk_on_a_connection_that_does_not(
    database: Database, connection: asyncpg.Connection
) -> None:
    await take(connection, [make.located(fact, offset) for offset, fact in enumerate(requests(1))])
    alert = await connection.fetchval("select alert_id from alert where channel = 'email'")
    await connection.execute("set synchronous_commit to off")
    for waits in ("on", "off"):  # the second time there is nothing left to settle
        async with connection.transaction():
            await connection.fetch(worker._SQL["settle"], [alert], ["sent"])
            assert await connection.fetchval("show synchronous_commit") == waits
    assert await connection.fetchval("show synchronous_commit") == "off"


async def test_facts_that_come_again_at_new_offsets_change_nothing(
    database: Database, connection: asyncpg.Connection, mail: MailServer
) -> None:
    made = [*requests(20), *(fact for fact in make.every_kind())]
    planned = [alert for fact in made for alert in plan(fact, MEMBERS)]
    batch = [make.located(fact, offset) for offset, fact in enumerate(made)]
    again = [make.located(fact, offset + 1000) for offset, fact in enumerate(made)]
    await take(connection, batch + again[:5])
    async with working(database):
        await take(connection, again)
        mails = {f"<{alert.id}@mesa.example>" for alert in planned if alert.channel == "email"}
        await settled(connection, sent=len(mails))
        await take(connection, again)
    assert sorted(mail.ids()) == sorted(mails)
    assert await connection.fetchval("select count(*) from alert") == len(planned)
    counts = await connection.fetch("select status, count(*) from receipt group by 1")
    assert dict(counts) == {"sent": len(mails), "delivered": len(planned) - len(mails)}
    assert await connection.fetchval("select count(*) from pgqueuer.pgqueuer") == 0


async def test_a_temporary_refusal_is_tried_again(
    database: Database, connection: asyncpg.Connection, mail: MailServer
) -> None:
    made = requests(1)
    mail.script = ["rcpt:451", "end:452"]
    await take(connection, [make.located(made[0])])
    async with working(database):
        await settled(connection, sent=1)
    assert await history(connection) == [
        ("failed", 1, 451, "deferred"), ("failed", 2, 452, "deferred"), ("sent", 3, 250, None),
    ]  # fmt: skip
    assert set(mail.ids()) == expected_ids(made)
    assert mail.connections == 1, "a refusal is no reason to hang up"


@pytest.mark.parametrize("stage", ["rcpt:550", "rcpt:550 5.1.1", "data:554", "end:554 5.6.0", "end:554 5.70.1"])
async def test_a_refusal_for_good_ends_it_and_stops_no_other(
    database: Database, connection: asyncpg.Connection, mail: MailServer, stage: str
) -> None:
    mail.script = [stage]
    await take(connection, [make.located(fact) for fact in requests(3)])
    async with working(database):
        await settled(connection, sent=2, undeliverable=1)
    assert ("undeliverable", 1, int(stage.partition(":")[2][:3]), "refused") in await history(connection)
    assert mail.attempts == 3
    # The institution has it in its inbox all the same.
    assert await statuses(connection, "inbox") == {"delivered": 3}


@pytest.mark.parametrize(("fault", "problem"), [("hang", "timeout"), ("drop", "disconnected")])
async def test_a_server_that_falls_silent_or_hangs_up(
    database: Database, connection: asyncpg.Connection, mail: MailServer, fault: str, problem: str
) -> None:
    made = requests(4)
    mail.script = [fault]
    await take(connection, [make.located(fact) for fact in made])
    async with working(replace(database, settings=database.settings.model_copy(update={"smtp_timeout": 1.0}))):
        await settled(connection, sent=4)
    assert ("failed", 1, None, problem) in await history(connection)
    assert set(mail.ids()) == expected_ids(made)


async def test_an_answer_that_is_lost_repeats_the_mail_with_its_id(
    database: Database, connection: asyncpg.Connection, mail: MailServer
) -> None:
    made = requests(1)
    mail.script = ["lost"]
    await take(connection, [make.located(made[0])])
    async with working(database):
        await settled(connection, sent=1)
    assert len(mail.ids()) == 2
    assert set(mail.ids()) == expected_ids(made)
    assert mail.taken[0] == mail.taken[1]


async def test_a_server_that_is_away_costs_few_attempts_and_everything_is_sent_when_it_is_back(
    database: Database, connection: asyncpg.Connection, mail: MailServer
) -> None:
    made = requests(400)
    await mail.stop()
    await take(connection, [make.located(fact) for fact in made])
    async with working(database) as one:

        async def down() -> bool:
            return one.down_since is not None

        await eventually(down)
        await asyncio.sleep(1)
        failures = await connection.fetchval("select count(*) from receipt where status = 'failed'")
        assert failures < worker.CAPACITY + 20, "one mail at a time while nobody answers"
        await mail.start()
        await settled(connection, sent=400)
        assert one.down_since is None
    assert set(mail.ids()) == expected_ids(made)
    assert len(mail.ids()) == 400


@pytest.mark.parametrize("greeting", [b"554 go away\r\n", b"421 too busy\r\n"])
async def test_a_server_that_turns_us_away_is_our_trouble_and_not_the_mails(
    database: Database, connection: asyncpg.Connection, mail: MailServer, greeting: bytes
) -> None:
    mail.greeting = greeting
    await take(connection, [make.located(fact) for fact in requests(2)])
    async with working(database) as one:

        async def down() -> bool:
            return one.down_since is not None

        await eventually(down)
        assert "undeliverable" not in await statuses(connection)
        mail.greeting = b"220 welcome\r\n"
        await settled(connection, sent=2)


@pytest.mark.parametrize(
    "answer", ["mail:530 5.7.0", "rcpt:530", "rcpt:554 5.7.1", "data:535", "end:550 5.4.5", "end:554 5.7.26"]
)
async def test_a_relay_that_no_longer_knows_us_ends_no_mail(
    database: Database, connection: asyncpg.Connection, mail: MailServer, answer: str
) -> None:
    """Our address falls out of the relay's networks while a queue waits: nothing is given up, it is asked seldom."""
    mail.script = [answer] * 1_000_000
    made = requests(300)
    await take(connection, [make.located(fact) for fact in made])
    async with working(database) as one:

        async def probed() -> bool:
            return one._probes >= 3

        await eventually(probed)
        assert one.down_since is not None
        assert mail.attempts < worker.CAPACITY + 20, "one mail at a time while we are turned away"
        assert not {"sent", "undeliverable"} & (await statuses(connection)).keys()
        assert {problem for *_, problem in await history(connection)} == {"session-refused"}
        mail.script = []
        await settled(connection, sent=300)
    assert set(mail.ids()) == expected_ids(made)


async def test_a_worker_that_dies_leaves_its_mails_to_the_next(
    database: Database, connection: asyncpg.Connection, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = requests(30)
    mail.script = ["hang"] * worker.DIALOGUES
    await take(connection, [make.located(fact) for fact in made])
    async with working(database):

        async def all_connections_hang() -> bool:
            return mail.attempts == worker.DIALOGUES

        await eventually(all_connections_hang)
    assert await statuses(connection) == {"planned": 30}
    monkeypatch.setattr(worker, "STALE", timedelta(seconds=1))
    async with working(database):
        await settled(connection, sent=30)
    assert set(mail.ids()) == expected_ids(made)


async def test_a_crash_between_sending_and_recording_repeats_with_the_same_id(
    database: Database, connection: asyncpg.Connection, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = requests(5)
    await take(connection, [make.located(fact) for fact in made])

    async def crash(*_: object) -> None:
        raise KeyError("crash")

    with monkeypatch.context() as broken:
        broken.setattr(receipts, "append", crash)
        async with idle(database) as one, asyncio.timeout(30):
            with pytest.raises(KeyError, match="crash"):
                await one.run()
    assert await statuses(connection) == {"planned": 5}
    assert len(mail.ids()) >= 1
    monkeypatch.setattr(worker, "STALE", timedelta(seconds=1))
    async with working(database):
        await settled(connection, sent=5)
    assert len(mail.ids()) > 5
    assert set(mail.ids()) == expected_ids(made)
    assert [status for status, *_ in await history(connection)] == ["sent"] * 5


async def test_it_ends_with_a_failure_though_another_dialogue_does_not_hear_of_it(
    database: Database, connection: asyncpg.Connection
) -> None:
    """As with Python 3.11's ``asyncio.wait_for``, where an answer comes with the cancellation."""
    waiting = asyncio.Event()

    class Deaf:
        async def send(self, to: str, message: bytes) -> Result:
            if waiting.is_set():
                raise KeyError("crash")
            waiting.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return Sent(250)

    await take(connection, [make.located(fact) for fact in requests(2)])
    async with idle(database) as one:
        one.channel = Deaf()
        ended = asyncio.ensure_future(one.run())
        await asyncio.wait([ended], timeout=30)
        assert isinstance(ended.exception(), KeyError)


async def test_two_workers_share_the_work(database: Database, connection: asyncpg.Connection, mail: MailServer) -> None:
    made = requests(600)
    async with working(database), working(database):
        for start in range(0, 600, 100):
            await take(connection, [make.located(fact) for fact in made[start : start + 100]])
        await settled(connection, sent=600)
    assert sorted(mail.ids()) == sorted(expected_ids(made))


async def test_of_two_workers_with_one_mail_the_later_end_changes_nothing(
    database: Database, connection: asyncpg.Connection, mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker waits for an answer for so long that the second takes its mail and sends it."""
    # The looks of the first renew its claim, and those of the second may follow closely: it must be stale at once.
    monkeypatch.setattr(worker, "STALE", timedelta(milliseconds=1))
    monkeypatch.setattr(worker, "BEAT_SECONDS", 3600.0)
    mail.script = ["hang"]
    await take(connection, [make.located(requests(1)[0])])
    async with working(database) as slow:

        async def hangs() -> bool:
            return mail.attempts == 1

        await eventually(hangs)
        async with working(database):
            await settled(connection, sent=1)
            await mail.stop()  # now the first one's attempt ends

            async def ended() -> bool:
                return not slow._held

            await eventually(ended)
    assert await history(connection) == [("sent", 1, 250, None)]
    assert await connection.fetchval("select count(*) from pgqueuer.pgqueuer") == 0


async def test_the_most_urgent_go_first(database: Database, connection: asyncpg.Connection, mail: MailServer) -> None:
    order = [Urgency.U3, Urgency.U1, Urgency.U0, Urgency.U2]
    await take(connection, [make.located(make.applied(Verb.REQUESTED, urgency=urgency)) for urgency in order])
    claimed = await jobs.claim(connection, QueueManagerId(uuid4()), 4, worker.STALE)
    found = await connection.fetch("select alert_id, urgency from alert")
    by_id = {row["alert_id"]: row["urgency"] for row in found}
    assert [by_id[jobs.alert_of(job)] for job in claimed] == ["U0", "U1", "U2", "U3"]


async def test_with_a_slow_server_an_urgent_mail_is_the_next(
    database: Database, connection: asyncpg.Connection, mail: MailServer
) -> None:
    """All connections wait for the server, and more than the worker holds waits for a connection."""
    mail.script = ["wait"] * worker.DIALOGUES
    urgent = make.applied(Verb.REQUESTED, urgency=Urgency.U0)
    await take(connection, [make.located(fact) for fact in requests(300, urgency=Urgency.U3)])
    async with working(database) as one:

        async def holds(count: int) -> bool:
            return mail.attempts == worker.DIALOGUES and len(one._held) == count

        await eventually(lambda: holds(worker.CAPACITY))
        await take(connection, [make.located(urgent)])
        await eventually(lambda: holds(worker.CAPACITY + 1))
        mail.awaited.set()
        await settled(connection, sent=301)
    assert expected_ids([urgent]) <= set(mail.ids()[: 2 * worker.DIALOGUES])


async def test_later_facts_know_how_urgent_the_request_was(database: Database, connection: asyncpg.Connection) -> None:
    asked = make.applied(Verb.REQUESTED, urgency=Urgency.U0)
    referral = asked.referral
    same_batch = [asked, make.applied(Verb.RECEIVED, referral=referral)]
    await take(connection, [make.located(fact) for fact in same_batch])
    await take(connection, [make.located(make.applied(Verb.ACCEPTED, referral=referral))])
    # Who declares something of a referral is not told how urgent it is: it may not be theirs.
    await take(connection, [make.located(make.refused(referral=referral))])
    rows = await connection.fetch("select distinct kind, urgency from alert order by kind")
    assert [tuple(row) for row in rows] == [
        ("accepted", "U0"), ("received", "U0"), ("refused", None), ("requested", "U0"),
    ]  # fmt: skip


async def test_a_fact_that_cannot_be_read_is_remembered_and_stops_nothing(
    database: Database, connection: asyncpg.Connection
) -> None:
    good = make.located(make.applied(Verb.REQUESTED), 3)
    wrong = [
        replace(good, record=replace(good.record, offset=0, value=b'{"kind": "from-the-future"}')),
        replace(good, record=replace(good.record, offset=1, headers=())),
        replace(good, record=replace(good.record, offset=2, value=None)),
    ]
    await take(connection, [*wrong, good])
    await take(connection, wrong)
    rows = await connection.fetch("select record_offset, problem from unreadable order by 1")
    assert [row["record_offset"] for row in rows] == [0, 1, 2]
    assert await connection.fetchval("select count(*) from alert") == 2
    await take(connection, [replace(good, record=replace(good.record, offset=4))], unstorable=True)
    assert await connection.fetchval("select problem from unreadable where record_offset = 4") == "storage-refused"


async def test_an_error_of_ours_stops_nothing_and_is_named(
    database: Database,
    connection: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(facts, "decode", broken)
    await take(connection, [make.located(make.applied(Verb.REQUESTED))])
    assert await connection.fetchval("select problem from unreadable") == "internal-error"
    assert any("ZeroDivisionError at test_worker.py:" in str(vars(line).get("reason")) for line in caplog.records)


async def test_the_service_role_can_change_neither_history_nor_tables(connection: asyncpg.Connection) -> None:
    await take(connection, [make.located(make.applied(Verb.REQUESTED))])
    for statement in (
        "delete from alert", "delete from receipt", "update receipt set at = now()",
        "update alert set fact_id = alert_id", "drop table receipt", "create table pgqueuer.x (y int)",
        "truncate pgqueuer.pgqueuer",
    ):  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


def test_the_queue_is_what_the_pinned_library_installs() -> None:
    folder = Path(jobs.__file__).parent / "migrations_pgqueuer"
    assert (folder / "0001_pgqueuer_1_6.sql").read_text("utf-8") == jobs.install_sql()


async def test_the_library_misses_nothing_in_the_queue_but_the_indexes_that_we_dropped(
    connection: asyncpg.Connection,
) -> None:
    folder = Path(jobs.__file__).parent / "migrations_pgqueuer"
    dropped = set(re.findall(r"pgqueuer_\w+", (folder / "0003_unused_indexes.sql").read_text("utf-8")))
    missed = [
        re.match(r"CREATE INDEX (\w+) ON", text) for text in (await jobs.queries(connection).plan_upgrade()).statements
    ]
    assert {found and found[1] for found in missed} == dropped


async def test_the_tables_know_every_status_of_the_contract(connection: asyncpg.Connection) -> None:
    [check] = await connection.fetch(
        "select pg_get_constraintdef(oid) as text from pg_constraint where conname = 'receipt_status_check'"
    )
    assert set(re.findall(r"'([a-z]+)'", check["text"])) == {status.value for status in ReceiptStatus}
