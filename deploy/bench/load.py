"""The rows of a benchmark: realistic flows between all institutions, encoded and sealed before anything is measured.

Rows come in waves. A wave holds one step of every referral, so a wave that is published when the one before it was
decided meets every referral in the state that its sender saw.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from joserfc.jwk import OKPKey

from contracts import codec
from contracts.codec import Declaration
from contracts.directory import Directory
from contracts.keys import Overlay
from contracts.sdk import Official, declare
from contracts.values import Verb
from deploy.demo import mistakes
from deploy.demo.stories import Mistake, Story, details, draw

_STORY = "Llegó sola hace dos días y pregunta por atención. " * 8
"""About as long as the narratives that officials write."""


class Row(NamedTuple):
    """One record, ready to be sent. ``event`` is its ``ce_id``; ``outcome`` what it must become."""

    institution: str
    event: UUID
    key: bytes
    headers: list[tuple[str, bytes]]
    value: bytes
    outcome: str


Wave = Sequence[Row]


@dataclass(frozen=True)
class Load:
    """The waves in their order, and what they were drawn from."""

    waves: tuple[Wave, ...]
    referrals: int
    seed: int

    @property
    def events(self) -> int:
        """How many records there are."""
        return sum(map(len, self.waves))

    @property
    def outcomes(self) -> dict[str, int]:
        """How many records must have each outcome."""
        return dict(Counter(row.outcome for row in self.rows()))

    def rows(self) -> Iterable[Row]:
        """All records, wave after wave."""
        return (row for wave in self.waves for row in wave)

    def part(self, events: int) -> "Load":
        """The same rows for the first referrals only, about ``events`` of them: for what is too slow for all."""
        steps = Counter(row.key for row in self.rows())
        kept: set[bytes] = set()
        count = 0
        for row in self.waves[0]:
            if count >= events:
                break
            if row.key not in kept:
                kept.add(row.key)
                count += steps[row.key]
        waves = (tuple(row for row in wave if row.key in kept) for wave in self.waves)
        return Load(tuple(wave for wave in waves if wave), len(kept), self.seed)


def make(directory: Directory, events: int, seed: int) -> Load:
    """At least ``events`` rows. Ids and keys are new at every call; who asks whom for what follows from the seed."""
    now = datetime.now(UTC)
    # Five steps is a little more than the mean of a story; what is too much falls away.
    stories = draw(directory, max(1, events // 5 * 2), seed, now)
    needed, count = [], 0
    for story in stories:
        if count >= events:
            break
        needed.append(story)
        count += len(story.path) + (story.mistake is not None)
    overlay = _keys(directory)
    waves: list[list[Row]] = [[] for _ in range(max(len(story.path) for story in needed))]
    for story in needed:
        for step, verb in enumerate(story.path):
            waves[step] += _step(story, step, verb, overlay, now)
    return Load(tuple(waves), len(needed), seed)


def _step(story: Story, step: int, verb: Verb, overlay: Overlay, now: datetime) -> Iterable[Row]:
    who = story.step_after(step)
    assert who is not None
    made = declare(
        who[1],
        details(story, verb, now),
        referral=story.referral,
        need=story.need,
        by=Official(id="funcionario-1"),
        system="bench",
    )
    if verb is not Verb.REQUESTED:
        yield _row(made, "applied")
        return
    content = json.dumps({"nombres": "Persona Inventada", "relato": _STORY}).encode()
    asked = replace(made, sealed=overlay.seal(content, story.referral, story.recipient))
    yield _row(asked, "applied")
    if story.mistake is not None:
        yield _mistake(story.mistake, asked)


def _mistake(mistake: Mistake, asked: Declaration) -> Row:
    wrong = mistakes.declaration(mistake, asked)
    if wrong is not None:
        return _row(wrong, str(mistake))
    garbled = replace(asked, envelope=replace(asked.envelope, id=uuid4()))
    return _row(garbled, str(mistake))._replace(value=b'{"details": ')


def _row(made: Declaration, outcome: str) -> Row:
    key, headers, value = codec.encode(made)
    return Row(made.envelope.institution, made.envelope.id, key, headers, value, outcome)


def _keys(directory: Directory) -> Overlay:
    # Nobody opens what is sealed here, so the private halves are thrown away.
    made = {code: OKPKey.generate_key("X25519") for code in ("vault", *directory.by_code)}
    return Overlay(made.pop("vault"), made)
