"""`ruta show`, `ruta refold`, `ruta audit verify`: what is known about a referral, and whether it holds."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from rich.console import Console
from rich.table import Table

from deploy.audit import verify_closed, verify_log
from deploy.database import reader
from deploy.embedded.errors import StackError
from deploy.new_log import begin
from deploy.running import running_stack
from services.audit.predecessor import Reason
from services.referrals.refold import refold

_REFERRALS = "the referral service"


FACTS_SHOWN = 50


def show(referral: str, after: int) -> None:
    """Print a page of a referral's timeline: facts, alerts, leaf indexes. Raises StackError when it is unknown."""
    found = timeline(referral, after)
    _, running = running_stack()
    shown = [one["fact"] for one in found["facts"]]
    with httpx.Client(timeout=10) as client:
        chain = f"{running['http']['referrals']}/v1/referrals/{found['referral']}/chain?limit=1"
        referrals = _get(client, chain, _REFERRALS)["referrals"]
        alerts = _beside(client, f"{running['http']['notifications']}/v1/alerts", "the notification service", shown)
        leaves = _beside(client, f"{running['http']['audit']}/v1/entries", "the audit service", shown)
    _print(found, referrals, alerts, {fact: leaf["entries"] for fact, leaf in leaves.items()})
    if found["next"]:
        print(f"There is more: ./ruta show {found['referral']} --after {found['next']}")


def _beside(client: httpx.Client, url: str, who: str, shown: Sequence[str]) -> dict[str, Any]:
    """What another service says of each fact; where it does not answer that is said, and the facts are shown."""
    try:
        return {fact: _get(client, f"{url}?fact={fact}", who) for fact in shown}
    except StackError as error:
        print(f"Not everything is shown: {error}", file=sys.stderr)
        return {}


def named(referral: str) -> UUID:
    """The id that somebody typed. Raises StackError where it is none."""
    try:
        return UUID(referral)
    except ValueError:
        raise StackError("A referral is named by its UUID, such as 0198c0de-0000-7000-8000-000000000000.") from None


def timeline(referral: str, after: int = 0) -> dict[str, Any]:
    """A referral with a page of its facts, as its service answers. Raises StackError when it is unknown."""
    _, running = running_stack()
    id = named(referral)  # noqa: A001
    with httpx.Client(timeout=10) as client:
        url = f"{running['http']['referrals']}/v1/referrals/{id}?after={after}&limit={FACTS_SHOWN}"
        found = _get(client, url, _REFERRALS, may_lack=True)
    if found is None:
        raise StackError(f"There is no referral {id}.")
    return dict(found)


def _get(client: httpx.Client, url: str, who: str, *, may_lack: bool = False) -> Any:
    """The answer as JSON; None for 404 where the thing ``may_lack``. Raises StackError for every other failure."""
    try:
        answer = client.get(url)
    except httpx.TransportError as error:
        raise StackError(f"{who} does not answer ({type(error).__name__}); is it running? See its log.") from error
    if answer.status_code == 404 and may_lack:
        return None
    if answer.is_error:
        raise StackError(f"{who} answers {answer.status_code}; see its log.")
    return answer.json()


def _print(
    timeline: dict[str, Any],
    chain: Sequence[dict[str, Any]],
    alerts: Mapping[str, Any],
    leaves: Mapping[str, Any],
) -> None:
    # Piped or in a narrow window the table keeps its width: identifiers are there to be copied.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(
        f"[bold]{timeline['referral']}[/]  {timeline['state']}  version {timeline['version']}\n"
        f"{timeline['sender']} → {timeline['recipient']}  {timeline['service']}  {timeline['urgency']}"
    )
    for one in chain if len(chain) > 1 else ():
        here = "  (this one)" if one["referral"] == timeline["referral"] else ""
        console.print(f"chain  {one['referral']}  → {one['recipient']}  {one['state']}{here}")
    for one in chain:
        if one["conflict"]:
            console.print(f"competence conflict between {', '.join(one['conflict']['opened']['parties'])}")
        if one["stop_duty"]:
            console.print(f"stop duty of {one['recipient']}: {one['stop_duty']}")
    table = Table("received (UTC)", "fact", "by", "outcome", "alerts", "leaves", box=None, pad_edge=False)
    for fact in timeline["facts"]:
        told = [f"{a['recipient']} {a['channel']} {a['status']}" for a in alerts.get(fact["fact"], [])]
        indexes = [str(leaf["index"]) for leaf in leaves.get(fact["fact"], [])]
        # What a refusal or a quarantine is about stands in its data, not in its kind.
        what, reason = fact["data"].get("verb", fact["kind"]), fact["data"].get("reason", "")
        table.add_row(
            fact["received_at"][:23].replace("T", " "),
            what,
            fact["owner"],
            f"{fact['outcome']} {reason}".strip(),
            "\n".join(told),
            ", ".join(indexes),
        )
    console.print(table)


def compare() -> int:
    """`ruta refold`: 0 when every stored state is the fold of its facts, 1 with the differences otherwise."""
    return asyncio.run(_compare())


async def _compare() -> int:
    async with reader(running_stack()[0], "referrals") as connection:
        result = await refold(connection)
    for difference in result.differences:
        print(f"{difference.referral}: {difference.what}")
    verdict = f"{len(result.differences)} differ" if result.differences else "all equal their stored state"
    print(f"{result.facts} facts folded into {result.referrals} referrals: {verdict}")
    return 1 if result.differences else 0


def verify() -> int:
    """`ruta audit verify`: 0 when the log and all that were closed fit together, 1 with what does not."""
    target, _ = running_stack()
    verdict = asyncio.run(verify_log(target))
    print(verdict)
    closed = asyncio.run(verify_closed(target))
    for log, found in closed:
        print(f"{log.origin}, closed{f' ({log.reason})' if log.reason else ''}: {found}")
    return 1 if verdict.misfit or any(found.misfit for _, found in closed) else 0


def begin_anew(origin: str | None, vkey: str | None, newest: Path | None, *, accepted: bool) -> None:
    """`ruta audit begin-anew`. Raises StackError where there is nothing to close, or a key must be named."""
    target, _ = running_stack()
    refused = asyncio.run(begin(target, origin=origin, vkey=vkey, newest=newest, accepted=accepted))
    log = refused.log
    print(f"{log.origin} is not continued: {refused.why}")
    print(f"the {log.kept} leaves that are there are kept; the last checkpoint that left it is\n\n{log.checkpoint}")
    if log.reason is Reason.CHANGED:
        print("They do not fit together, or not with what was published: see ./ruta audit verify before you close it.")
    if accepted:
        print(f"it is closed; {refused.name} begins with that checkpoint as soon as the audit service starts again.")
        print("Tell the oversight bodies the new name and key (/v1/log), and how far the closed log reaches.")
    else:
        print(f"with --yes it is closed, and {refused.name} begins with that checkpoint.")
