"""A topic that brings more unreadable records than any mistake explains is slowed down, and only that topic. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.referrals.fold import Folded

PER_SECOND = 100
"""Unreadable records that a topic may bring for ever: far more than a broken sender of real work makes."""

BURST = 500
"""As many may come at once."""


@dataclass
class Throttle:
    """What each topic has brought beyond what it may, as of a moment: a bucket that leaks."""

    level: dict[str, tuple[float, float]] = field(default_factory=dict)

    def pauses(self, folded: Folded, now: float) -> Iterator[tuple[str, float]]:
        """The topics to be left alone, and for how many seconds. ``now`` in seconds of any clock."""
        garbage = Counter(
            one.entry.located.record.topic for one in folded.facts if one.fact.outcome == "quarantined" and one.answer
        )
        for topic, count in garbage.items():
            before, since = self.level.get(topic, (0.0, now))
            level = max(0.0, before - (now - since) * PER_SECOND) + count
            self.level[topic] = level, now
            if level > BURST:
                yield topic, (level - BURST) / PER_SECOND
