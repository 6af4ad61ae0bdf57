"""The life cycle as an SVG picture. What is drawn is in ``TRANSITIONS``; only where it stands is written here. Pure.

Edges that leave every state of a group are drawn once, from the group's frame; edges that change no state are not
drawn. Verbs are named as declared, states as people read them, too.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import groupby, pairwise
from math import dist, hypot
from pathlib import Path
from types import MappingProxyType

import jinja2

from contracts.labels import label
from contracts.values import State
from services.referrals.lifecycle import TRANSITIONS, Lead
from services.referrals.referral import ACTIVE, ENDED

WIDTH, HEIGHT = 1620, 690
_LINE, _ASIDE = 14, 9
"""Pixels from one line of an arrow's label to the next, and from an arrow to where its middle would be."""


@dataclass(frozen=True, slots=True)
class Box:
    """Centre and size in pixels."""

    x: float
    y: float
    width: float = 150
    height: float = 50

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def top(self) -> float:
        return self.y - self.height / 2

    def border(self, towards: tuple[float, float]) -> tuple[float, float]:
        """Where the line from the centre to a point outside leaves the box."""
        dx, dy = towards[0] - self.x, towards[1] - self.y
        scale = min(self.width / 2 / abs(dx) if dx else 1e9, self.height / 2 / abs(dy) if dy else 1e9)
        return self.x + dx * scale, self.y + dy * scale


_S = State
PLACES: Mapping[State, Box] = MappingProxyType(
    {
        _S.REQUESTED: Box(165, 130),
        _S.RECEIVED: Box(165, 265),
        _S.AWAITING_INFORMATION: Box(165, 400, 170),
        _S.ACCEPTED: Box(595, 130),
        _S.IN_PROGRESS: Box(785, 265),
        _S.WAITLISTED: Box(595, 400),
        _S.COMPLETED: Box(1055, 200),
        _S.NOT_ACHIEVED: Box(1055, 330),
        _S.REJECTED: Box(120, 580),
        _S.RETURNED: Box(290, 580),
        _S.REDIRECTED: Box(640, 580, 190),
        _S.WITHDRAWN: Box(850, 580),
        _S.CLOSED: Box(1290, 265),
        _S.VOIDED: Box(1530, 265, 120),
    }
)

_REPORTED, _REFUSED = frozenset({_S.COMPLETED, _S.NOT_ACHIEVED}), frozenset({_S.REJECTED, _S.RETURNED})
_UNDECIDED = frozenset({_S.REQUESTED, _S.RECEIVED, _S.AWAITING_INFORMATION})
_AT_WORK = frozenset({_S.ACCEPTED, _S.IN_PROGRESS, _S.WAITLISTED})
_GROUPS: Mapping[frozenset[State], Box] = MappingProxyType(
    {
        frozenset(State) - {_S.VOIDED}: Box(707, 350, 1374, 660),
        ACTIVE: Box(473, 266, 834, 392),
        _UNDECIDED: Box(165, 266, 206, 360),
        _AT_WORK: Box(691, 266, 376, 360),
        _REPORTED: Box(1055, 266, 190, 230),
        _REFUSED: Box(205, 580, 346, 86),
    }
)

_Point = tuple[float, float]
_BENDS: Mapping[tuple[frozenset[State], State], tuple[_Point, ...]] = MappingProxyType(
    {
        (_REPORTED, _S.REQUESTED): ((1055, 151), (1055, 50), (150, 50), (150, 105)),
        (frozenset({_S.CLOSED}), _S.REQUESTED): ((1290, 240), (1290, 36), (136, 36), (136, 105)),
        (_REFUSED, _S.REQUESTED): ((40, 537), (40, 130), (90, 130)),
        (_REFUSED, _S.CLOSED): ((205, 623), (205, 656), (1290, 656), (1290, 290)),
        (_UNDECIDED, _S.REJECTED): ((120, 446), (120, 555)),
        (_UNDECIDED, _S.RETURNED): ((250, 446), (250, 500), (290, 500), (290, 555)),
        (_UNDECIDED, _S.REDIRECTED): ((262, 446), (262, 482), (640, 482), (640, 555)),
        (ACTIVE, _S.WITHDRAWN): ((850, 462), (850, 555)),
        (_AT_WORK, _S.COMPLETED): ((879, 200), (980, 200)),
        (_AT_WORK, _S.NOT_ACHIEVED): ((879, 330), (980, 330)),
        (frozenset({_S.RECEIVED}), _S.AWAITING_INFORMATION): ((120, 290), (120, 360), (120, 375)),
        (frozenset({_S.AWAITING_INFORMATION}), _S.RECEIVED): ((208, 375), (208, 305), (208, 290)),
        (frozenset({_S.ACCEPTED}), _S.AWAITING_INFORMATION): ((528, 155), (250, 390)),
        (frozenset({_S.AWAITING_INFORMATION}), _S.ACCEPTED): ((250, 412), (548, 155)),
        (frozenset({_S.ACCEPTED}), _S.WAITLISTED): ((560, 155), (560, 375)),
        (frozenset({_S.WAITLISTED}), _S.ACCEPTED): ((630, 375), (630, 155)),
        (frozenset({_S.ACCEPTED}), _S.IN_PROGRESS): ((670, 120), (785, 120), (785, 240)),
        (frozenset({_S.IN_PROGRESS}), _S.WAITLISTED): ((798, 290), (798, 412), (670, 412)),
        (frozenset({_S.WAITLISTED}), _S.IN_PROGRESS): ((670, 388), (770, 388), (770, 290)),
    }
)
"""The way of arrows that would cross others if they were straight: it begins and ends at the borders."""

Edge = tuple[frozenset[State], State, tuple[str, ...]]


def edges() -> Iterator[Edge]:
    """(states it leaves, state it reaches, verbs), one for each arrow; a lead back is one to where it came from."""
    moves: dict[tuple[State, State], list[str]] = {}
    for (state, verb), transition in TRANSITIONS.items():
        if state is None or transition.to is Lead.UNCHANGED:
            continue
        reached = [transition.to] if isinstance(transition.to, State) else _came_from(state)
        for to in reached:
            moves.setdefault((state, to), []).append(verb.value)
    by_goal = sorted(moves.items(), key=lambda move: (move[0][1], move[1]))
    for (to, verbs), found in groupby(by_goal, key=lambda move: (move[0][1], tuple(move[1]))):
        froms = frozenset(state for (state, _), _ in found)
        yield from ((part, to, verbs) for part in _parts(froms))


def _came_from(held: State) -> list[State]:
    return [state for (state, _), transition in TRANSITIONS.items() if state and transition.to is held]


def _parts(froms: Set[State]) -> Iterator[frozenset[State]]:
    """The largest groups that these states fill, and the rest one by one."""
    left = set(froms)
    for group in sorted(_GROUPS, key=len, reverse=True):
        if group <= left:
            left -= group
            yield group
    yield from (frozenset({state}) for state in sorted(left))


def as_svg() -> str:
    """The picture, in colours that are legible on white and on black."""
    template = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    ).get_template("diagram.svg.j2")
    return template.render(
        width=WIDTH,
        height=HEIGHT,
        frames=list(_GROUPS.values()),
        states=[(state, label(state), PLACES[state], state in ENDED) for state in State],
        arrows=[_arrow(*edge) for edge in edges()],
        start=PLACES[State.REQUESTED],
    )


def _arrow(froms: frozenset[State], to: State, verbs: tuple[str, ...]) -> dict[str, object]:
    way = _BENDS.get((froms, to)) or _straight(_GROUPS.get(froms) or PLACES[next(iter(froms))], PLACES[to])
    # The label stands on the longest part of the way, nearer to its beginning: there and back do not meet.
    begin, end = max(pairwise(way), key=lambda part: dist(*part))
    x, y = (begin[0] * 3 + end[0] * 2) / 5, (begin[1] * 3 + end[1] * 2) / 5 - (len(verbs) - 1) * _LINE / 2
    return {
        "points": " ".join(f"{x:.0f},{y:.0f}" for x, y in way),
        "verbs": [(verb, round(x), round(y + number * _LINE)) for number, verb in enumerate(verbs)],
    }


def _straight(source: Box, goal: Box) -> tuple[_Point, _Point]:
    """From border to border; arrows there and back stand beside each other."""
    dx, dy = goal.x - source.x, goal.y - source.y
    aside_x, aside_y = -dy / hypot(dx, dy) * _ASIDE, dx / hypot(dx, dy) * _ASIDE
    begin, end = source.border((goal.x, goal.y)), goal.border((source.x, source.y))
    return (begin[0] + aside_x, begin[1] + aside_y), (end[0] + aside_x, end[1] + aside_y)
