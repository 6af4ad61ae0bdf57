"""Plots as SVG, drawn here and not in the browser. Colours are the page's own variables, so both themes fit."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

import vl_convert

from contracts.moments import COLOMBIA

_WIDTH, _HEIGHT = 460, 190
_COLOURS = ("var(--accent)", "var(--orange)", "var(--green)")
_DASHES = ([1, 0], [6, 3], [2, 2])
"""Lines are told apart without their colours too."""

_LEAST = 5.0
"""How far the axis goes at least: one message that waits is no mountain."""

_TEXT = {"labelColor": "var(--soft)", "titleColor": "var(--soft)", "labelFontSize": 13, "titleFontSize": 13}

Line = Sequence[tuple[datetime, float | None]]


def draw(title: str, description: str, axis: str, lines: Mapping[str, Line], until: datetime, span: timedelta) -> str:
    """An SVG element of lines over the time ``span`` before ``until``, by name; None leaves a hole.

    Blocking: the first takes most of a second.
    """
    highest = max((value for line in lines.values() for _, value in line if value is not None), default=0.0)
    spec: dict[str, Any] = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": _WIDTH,
        "height": _HEIGHT,
        "background": None,
        "padding": 4,
        "data": {
            "values": [
                {"at": _local(at), "value": value, "line": name}
                for name, line in lines.items()
                for at, value in line
            ]
        },
        "mark": {"type": "line", "strokeWidth": 2.2, "invalid": "break-paths-show-path-domains"},
        "encoding": {
            "x": {
                "field": "at",
                "type": "temporal",
                "title": None,
                "axis": {"format": "%-I:%M", "values": [_local(tick) for tick in _ticks(until - span, until)]},
                "scale": {"domain": [_local(until - span), _local(until)]},
            },
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": axis,
                "axis": {"tickCount": 4, "format": "~s"},
                "scale": {"domain": [0, max(highest, _LEAST)], "nice": True},
            },
            "color": {"field": "line", "title": None, "scale": {"domain": list(lines), "range": list(_COLOURS)}},
            "strokeDash": {"field": "line", "title": None, "scale": {"domain": list(lines), "range": list(_DASHES)}},
        },
        "config": {
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "axis": {**_TEXT, "gridColor": "var(--line)", "domainColor": "var(--line-strong)", "ticks": False,
                     "labelPadding": 6, "titleFontWeight": "normal"},
            "legend": {**_TEXT, "orient": "top", "symbolStrokeWidth": 3, "symbolSize": 300},
        },
    }  # fmt: skip
    svg = vl_convert.vegalite_to_svg(spec)
    said = f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
    head, rest = svg.split(">", 1)
    return f'{head} role="img" aria-label="{escape(f"{title}. {description}")}">{said}{rest}'


def _ticks(since: datetime, until: datetime) -> Iterator[datetime]:
    tick = since.replace(minute=since.minute // 5 * 5, second=0, microsecond=0)
    while (tick := tick + timedelta(minutes=5)) <= until:
        yield tick


def _local(at: datetime) -> str:
    # Without an offset: Vega shows it as it is, wherever this runs.
    return at.astimezone(COLOMBIA).strftime("%Y-%m-%dT%H:%M:%S")
