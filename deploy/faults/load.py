"""Institutions that work while something breaks."""

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts.directory import SEED, load
from deploy.demo.play import Play, playing
from deploy.demo.stories import Story, draw
from deploy.faults.waiting import eventually
from deploy.provision import Target

PER_SECOND = 4
"""Referrals opened; each takes its three to five steps as fast as it is answered."""

_ROUND = 500  # stories drawn at a time
_ANSWERED_WITHIN = 240
_OPENED_WITHIN = 60


@dataclass
class Load:
    """What was opened so far.

    ``others``: declarations that somebody else makes and that are applied, by topic owner; ``in_our_names``: those of
    them that are made in the name of an institution of ours, which is then answered more often than it has asked.
    """

    play: Play
    stories: Iterator[Story]
    opened: list[Story] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    in_our_names: int = 0

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Referrals are made, answered and closed while the block runs. Raises Late unless everything is answered."""
        enough = asyncio.Event()
        opening = asyncio.ensure_future(self._open(enough))
        try:
            await self.progress()
            yield
        finally:
            enough.set()
        await opening
        await self.finished()

    async def finished(self) -> None:
        """Wait until every declaration has its answer and every sealed part was opened by its recipient."""
        await eventually(self._all_answered, _ANSWERED_WITHIN, "an answer for every declaration")
        await eventually(self._all_opened, _OPENED_WITHIN, "every sealed part opened by its recipient")

    async def progress(self) -> None:
        """Wait until more was opened and more was answered, so that the next fault hits something."""
        opened, answered = len(self.opened), self.answers()

        async def moved() -> bool:
            return len(self.opened) > opened + 3 and self.answers() > answered

        await eventually(moved, 120, "progress")

    def answers(self) -> int:
        """How many outcomes the institutions have been told."""
        return sum(actor.answers.total() for actor in self.play.actors.values())

    def declared(self) -> int:
        """How many declarations must have been applied when all is answered."""
        return sum(len(story.path) for story in self.opened) + self.others.total()

    async def _open(self, enough: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            while not enough.is_set():
                story = next(self.stories)
                self.opened.append(story)
                group.create_task(self.play.request(story))
                await asyncio.sleep(1 / PER_SECOND)

    async def _all_answered(self) -> bool:
        return self.play.unanswered(self.in_our_names) == 0

    async def _all_opened(self) -> bool:
        return not self.play.untold()


@asynccontextmanager
async def loaded(target: Target, seed: int) -> AsyncIterator[Load]:
    """Every institution of the seed directory logged in and reacting; nothing is opened yet."""
    async with playing(dataclasses.replace(target, directory=load(SEED))) as play:
        yield Load(play, _stories(seed))


def _stories(seed: int) -> Iterator[Story]:
    """Without end. Mistakes are left out: what is sent again after a fault is mistake enough."""
    while True:
        for story in draw(load(SEED), _ROUND, seed, datetime.now(UTC)):
            yield dataclasses.replace(story, mistake=None)
        seed += 1
