"""One institution of the demonstration: it reads its topic, opens what is sealed for it, and takes its steps."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from contracts.applied import Applied
from contracts.codec import Declaration
from contracts.facts import Fact, RefusedFact
from contracts.keys import Overlay
from contracts.sdk import Connection, Inbox, Official, Opened, OutcomeUnknown, Publisher, SdkError, declare
from contracts.sealing import Sealed
from contracts.values import Verb
from deploy.demo import mistakes
from deploy.demo.duties import Step
from deploy.demo.stories import CANARY, Story, details

PAUSE = 0.5
"""Seconds between two tries while the cluster does not answer."""


@dataclass
class Actor:
    """Plays every part that its institution has in the stories. ``stories`` are all of them, by referral."""

    publisher: Publisher
    connection: Connection
    inbox: Inbox
    stories: Mapping[UUID, Story]
    keys: Overlay
    opened: set[UUID] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    _seen: set[UUID] = field(default_factory=set)

    @property
    def code(self) -> str:
        """The institution."""
        return self.publisher.institution

    async def request(self, story: Story) -> None:
        """Open a story; a sender that makes a mistake makes it right behind."""
        asked = self._declare(story, Verb.REQUESTED)
        await self._send(asked)
        if story.mistake is not None:
            wrong = mistakes.declaration(story.mistake, asked)
            if wrong is None:
                await mistakes.send_garbage(self.code, self.connection, asked)
            else:
                await self._send(wrong)

    async def take(self, step: Step, need: UUID) -> str:
        """Take a step of a duty; returns the kind of its answer, or the reason of its refusal."""
        declaration = declare(
            self.code,
            step.details,
            referral=step.referral,
            need=need,
            by=Official(id="funcionario-1"),
            sealed=self._seal(step.sealed_for[1], step.sealed_for[0]) if step.sealed_for else None,
            system="demo",
        )
        await self._send(declaration)
        while True:
            try:
                answer = (await self.publisher.outcome(declaration.envelope.id)).data
            except OutcomeUnknown:
                await asyncio.sleep(PAUSE)
            else:
                return str(answer.reason) if isinstance(answer, RefusedFact) else answer.kind

    async def react(self) -> None:
        """Read for ever, whatever happens to the cluster meanwhile."""
        while True:
            try:
                await self._read()
            except SdkError:
                await asyncio.sleep(PAUSE)

    async def _read(self) -> None:
        """Count the answers, open sealed parts, take the next step where it is ours."""
        async for item in self.inbox:
            match item:
                case Opened():
                    json.loads(item.content)
                    self.opened.add(item.referral)
                case Fact() if item.id not in self._seen:
                    self._seen.add(item.id)
                    await self._fact(item)
                case Fact():
                    pass
                case _:
                    self.unreadable.append(item.why)

    async def _fact(self, fact: Fact) -> None:
        if fact.answer and fact.data.cause.owner == self.code:
            self.answers[fact.outcome] += 1
        story = self.stories.get(fact.referral) if fact.referral else None
        if story is None or not isinstance(fact.data, Applied):
            return
        step = story.step_after(fact.data.version)
        if step is not None and step[1] == self.code:
            await self._send(self._declare(story, step[0], because_of=fact.data.cause.event))

    async def _send(self, declaration: Declaration) -> None:
        # Not knowing whether it arrived is no reason to make another: the same declaration is sent again.
        while True:
            try:
                await self.publisher.send(declaration)
            except OutcomeUnknown:
                await asyncio.sleep(PAUSE)
            else:
                return

    def _declare(self, story: Story, verb: Verb, because_of: UUID | None = None) -> Declaration:
        made = declare(
            self.code,
            details(story, verb, datetime.now(UTC)),
            referral=story.referral,
            need=story.need,
            by=Official(id="funcionario-1"),
            causation=because_of,
            system="demo",
        )
        if verb is not Verb.REQUESTED:
            return made
        return replace(made, sealed=self._seal(story.referral, story.recipient))

    def _seal(self, referral: UUID, recipient: str) -> Sealed:
        # Invented, and never to be found anywhere outside the sealed part: the ledger looks for it.
        content = {"nombres": f"{CANARY}-{referral}", "relato": "Llegó sola hace dos días. " * 5}
        return self.keys.seal(json.dumps(content).encode(), referral, recipient)
