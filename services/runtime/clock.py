"""The wall clock, read at the edges only: rules take ``now`` as an argument."""

from datetime import UTC, datetime


def now() -> datetime:
    """This machine's time, UTC."""
    return datetime.now(UTC)
