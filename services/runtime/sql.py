"""Named statements from ``.sql`` files: a line ``-- name --`` begins each, prose behind it explains it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

_NAME = re.compile(r"^-- ([a-z_]+) --$", re.MULTILINE)


def columns(rows: Iterable[Sequence[object]], count: int) -> list[list[object]]:
    """Rows of ``count`` values as the arrays that ``unnest`` makes rows of again; empty ones if there are no rows."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(count)]


def load(path: Path) -> Mapping[str, str]:
    """Statement texts by name. Raises ValueError for a file without names or with one used twice."""
    _, *parts = _NAME.split(path.read_text("utf-8"))
    names, texts = parts[::2], parts[1::2]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"{path.name}: statements need one name each")
    return MappingProxyType({name: text.strip().rstrip(";") for name, text in zip(names, texts, strict=True)})
