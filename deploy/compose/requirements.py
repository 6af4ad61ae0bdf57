"""What one part of Ruta needs, by name: an extra of pyproject.toml with the extras that it names.

    python requirements.py pyproject.toml referrals

Run by the Dockerfile before anything is installed, so with the standard library alone.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_OURS = re.compile(r"ruta\[([a-z, ]+)\]")


def needed(project: Mapping[str, object], extra: str) -> Sequence[str]:
    """The requirements of the extra, of those it names, and of the project itself. Raises KeyError."""
    return list(dict.fromkeys((*_strings(project["dependencies"]), *_expanded(project, extra))))


def _expanded(project: Mapping[str, object], extra: str) -> Iterator[str]:
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    for requirement in _strings(extras[extra]):
        ours = _OURS.fullmatch(requirement)
        if ours is None:
            yield requirement
            continue
        for name in ours[1].split(","):
            yield from _expanded(project, name.strip())


def _strings(value: object) -> Sequence[str]:
    assert isinstance(value, list)
    return value


if __name__ == "__main__":
    document = tomllib.loads(Path(sys.argv[1]).read_text("utf-8"))
    print("\n".join(needed(document["project"], sys.argv[2])))
