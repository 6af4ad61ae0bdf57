"""A JSON value as YAML 1.2 in block style, for people to read. Every text is quoted as in JSON, which YAML includes.

Texts are never left bare, nor are names that YAML 1.1 readers take for truth values (``on``, ``no``): a day in the
field ``on`` must stay text in a field of that name for every reader.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_TRUTH = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def text(value: dict[str, Any]) -> str:
    """The document. Raises TypeError for what JSON cannot hold."""
    return "".join(line + "\n" for line in _lines(value))


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for name, content in value.items():
            yield from _headed(f"{_name(name)}:", content)
    elif isinstance(value, list) and value:
        for content in value:
            first, *rest = _lines(content)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _scalar(value)


def _headed(head: str, content: Any) -> Iterator[str]:
    if isinstance(content, dict | list) and content:
        yield head
        yield from (f"  {line}" for line in _lines(content))
    else:
        yield f"{head} {_scalar(content)}"


def _name(name: str) -> str:
    return name if _BARE.fullmatch(name) and name.lower() not in _TRUTH else _scalar(name)


def _scalar(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
