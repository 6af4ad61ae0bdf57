"""`ruta ledger`: everything that a running system holds, against everything else that it holds."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from deploy.ledger import ledger
from deploy.ledger.ledger import Ledger
from deploy.running import running_stack


def run(within: float, as_json: bool) -> int:
    """Wait for a moment of rest, check, print; returns 0 only if all fits. Raises rest.Restless, a StackError."""
    found = asyncio.run(ledger.check(running_stack()[0], within=within))
    result = totals(found)
    print(json.dumps(result) if as_json else table(result))
    return 1 if found.problems else 0


def totals(found: Ledger) -> dict[str, Any]:
    """What is printed: the counts, whether all fits, and the first problems."""
    counts = {name: value for name, value in asdict(found).items() if name != "problems"}
    return counts | {"ledger_ok": not found.problems, "problems": [str(one) for one in found.problems[: ledger.SHOWN]]}


def table(result: Mapping[str, Any]) -> str:
    """The same for people: a line for each count, then the first record that does not fit and why."""
    counts = [name for name in result if name not in ("institutions", "begins", "problems")]
    lines = [f"{name:>12}  {result[name]}" for name in counts]
    # The oldest records are gone after their time: what there was of them is neither counted nor looked for.
    lines += [f"NOTE {place} begins at offset {first}" for place, first in result["begins"].items()]
    return "\n".join([*lines, *(f"PROBLEM {problem}" for problem in result["problems"])])
