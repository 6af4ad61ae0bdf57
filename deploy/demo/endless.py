"""The demonstration beside `ruta up`: a new referral every few seconds, for as long as the system runs.

Each round begins with the duties, so that the pages have a conflict that was settled, a revocation and a void to show.
"""

import asyncio
from datetime import UTC, datetime
from itertools import count

from deploy.demo import duties
from deploy.demo.play import playing
from deploy.demo.stories import draw
from deploy.provision import Target

EVERY = 2.0
"""Seconds between two referrals: enough to watch, little enough to read."""

ROUND = 50
"""Stories drawn at a time; each round has a seed of its own."""


async def play(target: Target) -> None:
    """Play until cancelled."""
    async with playing(target) as play:
        for seed in count(int(datetime.now(UTC).timestamp())):
            now = datetime.now(UTC)
            for duty in duties.draw(seed, now):
                await play.perform(duty)
            for story in draw(target.directory, ROUND, seed, now):
                await play.request(story)
                await asyncio.sleep(EVERY)
