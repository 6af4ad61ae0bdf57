"""Writes schemas, examples and the AsyncAPI document: ``python -m contracts.generate``; ``--check`` only compares.

Exit status 1 when checked files are missing, stale or left over.
"""

import json
import sys
from pathlib import Path
from typing import Any

from contracts import asyncapi, yaml_text
from contracts.examples import FOLDER as EXAMPLES
from contracts.examples import examples
from contracts.schemas import schemas

SCHEMAS = Path(__file__).parent / "schemas"
ASYNCAPI = Path(__file__).parent / "asyncapi.yaml"


def files() -> dict[Path, str]:
    """What every generated file must hold."""
    return {
        **{SCHEMAS / f"{name}.json": _text(content) for name, content in schemas().items()},
        **{EXAMPLES / f"{name}.json": _text(content) for name, content in examples().items()},
        ASYNCAPI: yaml_text.text(asyncapi.document()),
    }


def stale(wanted: dict[Path, str]) -> list[Path]:
    """Files that are missing, differ, or should not be there."""
    present = {path for folder in (SCHEMAS, EXAMPLES) for path in folder.glob("*.json")}
    differing = {path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text}
    return sorted(differing | (present - wanted.keys()))


def main(arguments: list[str]) -> int:
    """Write, or with ``--check`` compare; returns the exit status."""
    wanted = files()
    changed = stale(wanted)
    if arguments == ["--check"]:
        for path in changed:
            print(f"stale: {path.parent.name}/{path.name}; run python -m contracts.generate")
        return 1 if changed else 0
    for path in changed:
        if path in wanted:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    return 0


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
