"""The table and the diagram of the life cycle say what the code decides, and the README holds them."""

import json
import re
from collections.abc import Set as AbstractSet

import pytest

from contracts.values import Refusal, State, Verb
from deploy.embedded.state import CHECKOUT
from deploy.lifecycle import cells, diagram, published, table
from services.referrals.lifecycle import TRANSITIONS, Lead, Party
from services.referrals.referral import ACTIVE, ENDED

SETS: dict[str, AbstractSet[State | None]] = {
    "any": set(State),
    "any but `voided`": set(State) - {State.VOIDED},
    "any that is active": set(ACTIVE),
    "any open one": set(State) - ENDED,
    "any that has ended": set(ENDED),
    "any that is not active, but `voided`": set(State) - ACTIVE - {State.VOIDED},
    "–": {None},
}


def test_the_readme_holds_the_table_and_the_diagram() -> None:
    readme = (CHECKOUT / published.README).read_text("utf-8")
    assert published.written(readme) == readme, "run: python -m deploy.lifecycle"
    assert (CHECKOUT / published.DIAGRAM).read_text("utf-8") == diagram.as_svg(), "run: python -m deploy.lifecycle"
    assert published.DIAGRAM in readme


def test_a_readme_without_a_place_is_said() -> None:
    with pytest.raises(ValueError, match="no place"):
        published.written("# Ruta\n")


def test_every_answer_is_printed_once_and_is_the_tables() -> None:
    answers = json.loads(table.as_json())["answers"]
    keys = [(one["state"], one["verb"], one["part"]) for one in answers]
    assert len(set(keys)) == len(keys) == len(Verb) * (1 + len(State) * (len(Party) + 1))
    given = {(one["state"], one["verb"], one["part"]): one["to"] for one in answers if "to" in one}
    assert given == {
        (state, verb, part): transition.to
        for (state, verb), transition in TRANSITIONS.items()
        for part in transition.by
    }
    assert all(Refusal(one["refusal"]) for one in answers if "to" not in one)


def test_the_rows_of_the_markdown_table_are_the_transitions() -> None:
    found: dict[tuple[State | None, Verb], tuple[State | Lead, tuple[Party, ...]]] = {}
    for row in table.as_markdown().splitlines()[2:]:
        if not row.startswith("|"):
            break
        verb, froms, to, who, _, others = (part.strip() for part in row.strip("|").split("|"))
        states: AbstractSet[State | None] = SETS.get(froms) or {State(one) for one in re.findall(r"`(\w+)`", froms)}
        leads = re.match(r"`(\w+)`|unchanged|where it came from", to)
        assert leads is not None
        goal = State(leads[1]) if leads[1] else Lead.BACK if to.startswith("where") else Lead.UNCHANGED
        for state in states:
            assert (state, Verb(verb.strip("`"))) not in found
            found[state, Verb(verb.strip("`"))] = (goal, tuple(Party(one) for one in who.split(", ")))
        assert all(Refusal(one) for one in re.findall(r"`([\w-]+)`", others))
    assert found == {key: (transition.to, transition.by) for key, transition in TRANSITIONS.items()}


def test_the_arrows_are_the_transitions_that_move_a_referral() -> None:
    drawn = {(state, verb, to) for froms, to, verbs in diagram.edges() for state in froms for verb in verbs}
    moves = set()
    for (state, verb), transition in TRANSITIONS.items():
        if state is None or transition.to is Lead.UNCHANGED:
            continue
        if isinstance(transition.to, State):
            moves.add((state, verb.value, transition.to))
        else:
            moves |= {(state, verb.value, s) for (s, _), t in TRANSITIONS.items() if s and t.to is state}
    assert drawn == moves


def test_every_state_has_a_place_of_its_own_in_the_picture() -> None:
    assert set(diagram.PLACES) == set(State)
    boxes = list(diagram.PLACES.values())
    for number, one in enumerate(boxes):
        assert one.left > 0
        assert one.left + one.width < diagram.WIDTH
        assert one.top + one.height < diagram.HEIGHT
        for other in boxes[:number]:
            apart = abs(one.x - other.x) >= (one.width + other.width) / 2
            assert apart or abs(one.y - other.y) >= (one.height + other.height) / 2


def test_the_picture_names_every_state_and_verb_that_moves() -> None:
    svg = diagram.as_svg()
    for state in State:
        assert f">{state.value}<" in svg
    for _, _, verbs in diagram.edges():
        assert all(f">{verb}<" in svg for verb in verbs)
    assert len(list(cells.cells())) > 2_000
