"""A system under full load: publish, wait until everything of it is durable, divide."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from deploy.bench.load import Wave
from deploy.bench.progress import Progress
from deploy.bench.publish import Sender

_LOOK_EVERY = 0.01
_STALLED_AFTER = 60.0
"""Seconds without any progress after which the run is given up."""


class Stalled(RuntimeError):
    """Nothing moves although something is left to do."""


@dataclass(frozen=True, slots=True)
class Saturated:
    """Seconds from the first publish call until everything was decided, alerted and logged (receipts included)."""

    events: int
    decided: float
    told: float
    logged: float

    @property
    def seconds(self) -> float:
        """Until the last of the three."""
        return max(self.decided, self.told, self.logged)

    @property
    def events_per_s(self) -> float:
        """Inbound records per second, with all that follows from them."""
        return self.events / self.seconds


async def run(waves: Sequence[Wave], sender: Sender, progress: Progress) -> Saturated:
    """Publish all waves into a system at rest. Raises Stalled."""
    decided, told, receipts, logged = [
        await count() for count in (progress.decided, progress.told, progress.receipts, progress.logged)
    ]
    events = sum(map(len, waves))
    began = time.monotonic()
    published = 0
    for wave in waves:
        # Acknowledgements of the last rows may come after their decisions; they are not waited for twice.
        sending = asyncio.create_task(sender.send(wave))
        published += len(wave)
        await reached(progress.decided, decided + published)
        await sending
    decided_after = time.monotonic() - began
    await reached(progress.told, told + events)
    told_after = time.monotonic() - began
    new_receipts = await progress.receipts() - receipts
    await reached(progress.logged, logged + 2 * events + new_receipts)
    return Saturated(events, decided_after, told_after, time.monotonic() - began)


async def reached(count: Callable[[], Awaitable[int]], wanted: int, stalled_after: float = _STALLED_AFTER) -> None:
    """Wait until a count is reached. Raises Stalled when it stands still."""
    last, moved_at = -1, time.monotonic()
    while (now := await count()) < wanted:
        if now != last:
            last, moved_at = now, time.monotonic()
        elif time.monotonic() - moved_at > stalled_after:
            raise Stalled(f"{count.__name__} stands at {now} of {wanted}")
        await asyncio.sleep(_LOOK_EVERY)
