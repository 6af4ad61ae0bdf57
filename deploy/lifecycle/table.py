"""The life cycle as JSON, one object for each answer, and as a Markdown table of 23 verbs. Pure."""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from contracts.labels import label
from contracts.values import Refusal, State, Verb
from deploy.lifecycle.cells import Cell, cells
from services.referrals.lifecycle import DURING_CONFLICT, Condition, Lead, Party, Transition
from services.referrals.referral import ACTIVE, ENDED

_SETS: tuple[tuple[str, frozenset[State]], ...] = (
    ("any", frozenset(State)),
    ("any but `voided`", frozenset(State) - {State.VOIDED}),
    ("any that is active", ACTIVE),
    ("any open one", frozenset(State) - ENDED),
    ("any that has ended", ENDED),
    ("any that is not active, but `voided`", frozenset(State) - ACTIVE - {State.VOIDED}),
)

_ONLY_IF = {
    Condition.BEFORE_ACCEPTANCE: "it was not accepted before the question",
    Condition.CONTENT_AWAITED: "a resolution opened it and its content is still to come",
    Condition.STOP_DUTY: "a stop duty is open",
    Condition.CONFLICT: "a competence conflict is open",
}

_LEADS = {Lead.UNCHANGED: "unchanged", Lead.BACK: "where it came from"}


def as_json() -> str:
    """Every cell: state, verb, part, and either ``to`` with what it depends on, or ``refusal``."""
    found = {"states": [_state(state) for state in State], "answers": [_object(cell) for cell in cells()]}
    return json.dumps(found, ensure_ascii=False)


def _state(state: State) -> dict[str, Any]:
    return {"state": state, "label": label(state), "active": state in ACTIVE, "ended": state in ENDED}


def _object(cell: Cell) -> dict[str, Any]:
    at = {"state": cell.state, "verb": cell.verb, "part": cell.part}
    if isinstance(cell.answer, Refusal):
        return at | {"refusal": cell.answer}
    given = cell.answer
    during = cell.verb in DURING_CONFLICT
    return at | {"to": given.to, "when": given.when, "or_unchanged": given.or_unchanged, "during_conflict": during}


def as_markdown() -> str:
    """One row for each verb and destination: who may declare it, and what the other parts are told."""
    rows = ["| Verb | From | To | Who | Only if | Others of the chain get |", "|---|---|---|---|---|---|"]
    for verb, found in groupby(cells(), key=lambda cell: cell.verb):
        known = list(found)
        rows += (_row(verb, transition, known) for transition in _transitions(known))
    return "\n".join([*rows, "", *_NOTES, ""])


def _transitions(known: Iterable[Cell]) -> list[Transition]:
    return list(dict.fromkeys(cell.answer for cell in known if isinstance(cell.answer, Transition)))


def _row(verb: Verb, transition: Transition, known: Sequence[Cell]) -> str:
    froms = list(dict.fromkeys(cell.state for cell in known if cell.answer == transition))
    others = dict.fromkeys(
        f"`{cell.answer.value}`"
        for cell in known
        if cell.state in froms and cell.part is not None and isinstance(cell.answer, Refusal)
    )
    to = f"`{transition.to}`" if isinstance(transition.to, State) else _LEADS[transition.to]
    if transition.or_unchanged:
        to += ", or unchanged"
    who = ", ".join(f"{part}" for part in transition.by)
    only_if = _ONLY_IF[transition.when] if transition.when else ""
    return f"| `{verb}` | {_states(froms)} | {to} | {who} | {only_if} | {', '.join(others)} |"


def _states(froms: Sequence[State | None]) -> str:
    if froms == [None]:
        return "–"
    for name, states in _SETS:
        if set(froms) == states:
            return name
    return ", ".join(f"`{state}`" for state in froms)


_NOTES = (
    "Parts: "
    + ", ".join(f"*{part}*" for part in Party)
    + "; the clock's are terms that ran out. Whoever has no part gets `unknown-referral`, in any other state the verb"
    " gets `wrong-state`, a referral that exists cannot be requested again (`referral-exists`), and while a competence"
    f" conflict is open everything but {', '.join(f'`{verb}`' for verb in Verb if verb in DURING_CONFLICT)} gets"
    " `conflict-open`. *Or unchanged*: the referral stays where it is because a conflict opens, because the receiver is"
    " the competent body, or because it does not rest on an authorisation.",
)
