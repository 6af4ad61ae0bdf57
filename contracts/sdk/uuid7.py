"""UUIDs of version 7 (RFC 9562 section 5.7): they sort by the time they were made, which indexes like.

Python has them from 3.14 on; this file goes when that is the oldest we support.
"""

import secrets
import time
from datetime import UTC, datetime
from uuid import UUID


def uuid7(milliseconds: int | None = None) -> UUID:
    """A new one: 48 bits of Unix time in milliseconds (now unless given), then 74 random bits."""
    when = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    if not 0 <= when < 1 << 48:
        raise ValueError("the time does not fit into 48 bits of milliseconds")
    random = secrets.randbits(74)
    return UUID(int=when << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (1 << 62) - 1)


def made_at(id: UUID) -> datetime | None:  # noqa: A002 - what it is
    """When a version 7 UUID was made, by its maker's clock; None for other versions and beyond the year 9999."""
    if id.version != 7:
        return None
    try:
        return datetime.fromtimestamp((id.int >> 80) / 1000, UTC)
    except ValueError:
        return None
