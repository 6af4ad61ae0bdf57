"""What forms send."""

from typing import Any

from pydantic import BeforeValidator


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


Given = BeforeValidator(_none_if_empty)
"""For a field that may be missing: a form sends every field, also those that nobody filled in."""
