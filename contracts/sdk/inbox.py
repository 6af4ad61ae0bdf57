"""Reads what concerns an institution: the facts of its ``out`` topic and the sealed parts meant for it."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from contracts import envelope as ce
from contracts import facts, topics
from contracts.applied import Applied
from contracts.envelope import Flaw
from contracts.facts import Fact
from contracts.sdk.connection import Connection, started, translated
from contracts.sealing import CannotOpen, NotForUs, Sealed, open_sealed


@dataclass(frozen=True, slots=True)
class Opened:
    """The sealed part of a declaration, opened: it follows the fact with id ``fact``. Personal data."""

    fact: UUID
    referral: UUID
    content: bytes

    def __repr__(self) -> str:
        # What is inside must not reach a log by way of a debugger or a traceback.
        return f"Opened(fact={self.fact}, referral={self.referral}, {len(self.content)} bytes)"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that this reader cannot read: it is told, not skipped. ``why`` is a short reason without values."""

    offset: int
    why: str


Item = Fact | Opened | Unreadable


class Inbox:
    """An asynchronous iterator over an institution's ``out`` topic, from the beginning or where it stopped.

    With ``group`` the position is kept in the cluster under ``<user>.<group>``: an item counts as taken when the next
    one is asked for, so a crash repeats the last ones (at least once). Skip facts whose ``id`` you have seen and
    versions of a referral that you have passed. Without ``group`` everything kept (14 days) is read each time.
    ``key`` opens the sealed parts; without it they come as Unreadable.

    Of several readers of one group one reads and the others wait; when one comes or goes, or has worked for more than
    300 s on one item, another one may go on, and the items that were not yet taken come again. The iterator has no end,
    and while no broker answers it waits.

    Making one raises UnsafeConnection, entering NotReachable, LoginRefused or NotPermitted. Reading raises NotPermitted
    when the right to read was taken away, and SdkError for what else Kafka refuses: then read on, or open another one,
    which goes on where the group stopped.
    """

    def __init__(
        self,
        institution: str,
        *,
        bootstrap: str,
        password: str,
        key: OKPKey | None = None,
        group: str | None = None,
        user: str | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self.institution = institution
        self._key = key
        self._connection = Connection(bootstrap, user or institution, password, ca_file)
        self._group = group and f"{self._connection.user}.{group}"
        self._last: Fact | None = None
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            made = AIOKafkaConsumer(
                topics.outbound(self.institution),
                **self._connection.options(),
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
            )
            self._consumer = await opened.enter_async_context(started(made, self._connection))
            self._closing = opened.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.aclose()

    async def __aiter__(self) -> AsyncIterator[Item]:
        try:
            async for record in self._consumer:
                yield self._read(record)
                if self._group:
                    await self._taken()
        except KafkaError as error:
            raise translated(error) from error

    async def _taken(self) -> None:
        # The group is divided anew, or was while this item was worked on: whoever has the topic now gets it again.
        with suppress(CommitFailedError, IllegalStateError):
            await self._consumer.commit()

    def _read(self, record: ConsumerRecord) -> Item:
        headers = tuple(record.headers)
        if ("ce_type", facts.SEALED_TYPE.encode()) in headers:
            content = self._open(headers, record.value)
            return Unreadable(record.offset, content) if isinstance(content, str) else content
        fact = facts.decode(headers, record.value)
        if isinstance(fact, Flaw):
            return Unreadable(record.offset, f"{fact.problem} {fact.detail}".strip())
        self._last = fact
        return fact

    def _open(self, headers: tuple[ce.Header, ...], value: bytes) -> Opened | str:
        """The opened part, or why it stays closed."""
        if self._key is None:
            return "sealed: this reader has no key"
        texts = ce.read_headers(headers)
        if isinstance(texts, Flaw):
            return f"sealed: {texts.problem} {texts.detail}"
        try:
            fact, referral = UUID(texts.get("ce_causationid", "")), UUID(texts.get("ce_subject", ""))
            sealed = Sealed.model_validate_json(value)
            content = open_sealed(sealed, referral, self._key)
        except NotForUs:
            return "sealed: for another key than ours"
        except CannotOpen:
            return "sealed: does not open with our key, it was altered"
        except (ValidationError, ValueError):
            return "sealed: not a sealed part"
        if self._altered(fact, value):
            return "sealed: not the part that its fact names"
        return Opened(fact, referral, content)

    def _altered(self, fact: UUID, value: bytes) -> bool:
        last = self._last
        if last is None or last.id != fact or not isinstance(last.data, Applied):
            return False
        return last.data.sealed_sha256 != hashlib.sha256(value).hexdigest()
