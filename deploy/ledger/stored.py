"""What the services have stored, as the ledger reads it."""

from dataclasses import dataclass
from uuid import UUID

Place = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A row of the referral service's facts; ``sealed_for`` is set while the sealed part is kept.

    A record may cause several: its outcome (``answer``), and what follows from it. One on which our own rules failed,
    or that came behind such a one, has a ``provisional`` outcome first, which ``waits`` until it is released.
    """

    fact_id: UUID
    outcome: str
    ordinal: int
    answer: bool
    provisional: bool
    waits: bool
    owner: str
    place: Place
    digest: bytes
    referral: UUID | None
    version: int | None
    parties: frozenset[str]
    sealed_for: str | None


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """A row of the notification service's alerts. At rest none waits to be sent."""

    alert_id: UUID
    fact_id: UUID
    recipient: str
    channel: str
