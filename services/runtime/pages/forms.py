"""What forms send."""

import re
from typing import Any
from uuid import UUID

from pydantic import BeforeValidator

_DIGITS = re.compile(r"[0-9a-f]{1,32}")


def beginning(text: str, at_least: int) -> tuple[UUID, UUID] | None:
    """The first and last id that begin like this: ``at_least`` hexadecimal digits, dashes and capitals do not matter.

    None for a text that cannot begin an id, or is shorter.
    """
    digits = text.strip().lower().replace("-", "")
    if len(digits) < at_least or not _DIGITS.fullmatch(digits):
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


Given = BeforeValidator(_none_if_empty)
"""For a field that may be missing: a form sends every field, also those that nobody filled in."""
