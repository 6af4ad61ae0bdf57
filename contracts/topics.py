"""Every topic: its name, who writes it, who reads it, how long it keeps records. Provisioning derives from here."""

import re
from dataclasses import dataclass
from datetime import timedelta

from contracts.directory import Directory

REFERRALS = "ruta-referrals"
NOTIFICATIONS = "ruta-notifications"
AUDIT = "ruta-audit"
OPERATOR = "ruta-operator"
"""Kafka users of the three services and of the operator's tools. An institution's user is its code."""

FACTS = "ruta.facts.v1"
ALERTS = "ruta.alerts.v1"
DESK = "desk"
"""The inbound topic of declarations that people make through Ruta's pages, in their institution's name."""

PREFIX = "ruta."
_INBOUND = re.compile(r"ruta\.in\.([a-z][a-z0-9]*(?:-[a-z0-9]+)*)\.v1")

INBOUND_PATTERN = f"^{_INBOUND.pattern}$"
"""Subscribed by pattern, so that a new institution is read without a restart."""

INBOUND_RECORD_BYTES = 2 * 1024 * 1024
"""More than a declaration may have, so that an oversized one arrives and is answered instead of being lost."""

RECORD_BYTES = 512 * 1024
"""Kafka applies the limit to a batch of records, so it exceeds the producer's largest batch: below it, a relay with
a backlog is refused for ever. The records themselves are bounded where they are made."""


INSTITUTION_KEPT = timedelta(days=14)
"""How long Kafka keeps what an institution sent and what it was told; Ruta keeps sealed parts as long."""

SHARED_KEPT = timedelta(days=30)
"""How long Kafka keeps facts and receipts."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it should be. ``log_append_time``: the broker's clock stamps records (time of receipt)."""

    name: str
    partitions: int
    retention: timedelta
    max_message_bytes: int
    log_append_time: bool
    uncompressed: bool
    writers: tuple[str, ...]
    readers: tuple[str, ...]


def inbound(institution: str) -> str:
    """Where an institution writes its declarations."""
    return f"ruta.in.{institution}.v1"


def outbound(institution: str) -> str:
    """Where an institution reads what concerns it."""
    return f"ruta.out.{institution}.v1"


def owner(topic: str) -> str | None:
    """The institution that alone may write this inbound topic (``desk`` for our pages); None for other topics."""
    match = _INBOUND.fullmatch(topic)
    return match.group(1) if match else None


def provisioned(directory: Directory) -> tuple[Topic, ...]:
    """All topics of a directory's institutions, in a stable order."""
    codes = [institution.code for institution in directory.institutions]
    return (
        *(_inbound(code, code) for code in codes),
        _inbound(DESK, REFERRALS),
        *(_outbound(code) for code in codes),
        _shared(FACTS, REFERRALS, (NOTIFICATIONS, AUDIT)),
        _shared(ALERTS, NOTIFICATIONS, (AUDIT,)),
    )


def _inbound(institution: str, writer: str) -> Topic:
    # Uncompressed: the broker then stores what every reader can read, whatever codec the sender used.
    return Topic(
        name=inbound(institution),
        partitions=1,
        retention=INSTITUTION_KEPT,
        max_message_bytes=INBOUND_RECORD_BYTES,
        log_append_time=True,
        uncompressed=True,
        writers=(writer,),
        readers=(REFERRALS, AUDIT),
    )


def _outbound(institution: str) -> Topic:
    return Topic(
        name=outbound(institution),
        partitions=1,
        retention=INSTITUTION_KEPT,
        max_message_bytes=RECORD_BYTES,
        log_append_time=False,
        uncompressed=False,
        writers=(REFERRALS,),
        readers=(institution,),
    )


def _shared(name: str, writer: str, readers: tuple[str, ...]) -> Topic:
    return Topic(
        name=name,
        partitions=6,
        retention=SHARED_KEPT,
        max_message_bytes=RECORD_BYTES,
        log_append_time=False,
        uncompressed=False,
        writers=(writer,),
        readers=readers,
    )
