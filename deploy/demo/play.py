"""Plays stories on a running stack: every institution of the directory with its own login and its own keys."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from contracts import keys
from contracts.sdk import Connection, Inbox, Publisher
from deploy.demo.duties import Duty
from deploy.demo.institution import Actor
from deploy.demo.stories import Story
from deploy.keys import ensure, key_folder
from deploy.provision import Target

AT_ONCE = 20
"""Requests under way side by side."""


@dataclass
class Play:
    """The actors by institution, and the stories they know."""

    actors: dict[str, Actor]
    stories: dict[UUID, Story]
    sealed: set[tuple[str, UUID]] = field(default_factory=set)
    """Who must have opened the sealed part of which referral."""

    async def open_all(self, stories: Iterable[Story]) -> None:
        """Let every sender make its request; what follows, the actors do by themselves."""
        free = asyncio.Semaphore(AT_ONCE)

        async def one(story: Story) -> None:
            async with free:
                await self.request(story)

        async with asyncio.TaskGroup() as group:
            for story in stories:
                group.create_task(one(story))

    async def request(self, story: Story) -> None:
        """Open one story."""
        self.stories[story.referral] = story
        self.sealed.add((story.recipient, story.referral))
        await self.actors[story.sender].request(story)

    async def perform(self, duty: Duty) -> str | None:
        """Take its steps one after the other; returns what went otherwise than it must, if anything."""
        for step in duty.steps:
            answer = await self.actors[step.by].take(step, duty.need)
            if answer != step.answer:
                return f"{duty.name}: {step.by} was answered {answer}, not {step.answer}, about {step.referral}"
            if step.opens:
                self.sealed.add(step.opens)
        return None

    def unanswered(self, others: int = 0) -> int:
        """Steps and mistakes that still wait for their answer. A record sent again after a fault is not one.

        ``others``: declarations that somebody else made in the actors' names, and that are applied.
        """
        answers: Counter[str] = sum((actor.answers for actor in self.actors.values()), Counter())
        expected = Counter(str(story.mistake) for story in self.stories.values() if story.mistake)
        expected["applied"] = sum(len(story.path) for story in self.stories.values()) + others
        return sum((expected - answers).values())

    def untold(self) -> Sequence[str]:
        """What went wrong on the receiving side: sealed parts that did not open or are missing."""
        problems = [f"{code}: {why}" for code, actor in self.actors.items() for why in actor.unreadable]
        closed = [(code, referral) for code, referral in self.sealed if referral not in self.actors[code].opened]
        if closed:
            problems.append(f"{len(closed)} of {len(self.sealed)} sealed parts were not opened by their recipients")
        return problems


@asynccontextmanager
async def playing(target: Target) -> AsyncIterator[Play]:
    """Log every institution in and let it react until the block ends."""
    overlay = ensure(target)
    stories: dict[UUID, Story] = {}
    async with AsyncExitStack() as stack:
        actors = {}
        for code in target.directory.by_code:
            password = target.state.secret(f"kafka/{code}")
            publisher = Publisher(code, bootstrap=target.kafka_bootstrap, password=password)
            own = keys.load_private(key_folder(target) / f"{code}.jwk")
            inbox = Inbox(code, bootstrap=target.kafka_bootstrap, password=password, key=own, group="demo")
            connection = Connection(target.kafka_bootstrap, code, password, None)
            actors[code] = Actor(
                await stack.enter_async_context(publisher),
                connection,
                await stack.enter_async_context(inbox),
                stories,
                overlay,
            )
        reacting = [asyncio.create_task(actor.react()) for actor in actors.values()]
        try:
            yield Play(actors, stories)
        finally:
            for task in reacting:
                task.cancel()
            await asyncio.gather(*reacting, return_exceptions=True)
