"""A soak as a picture: memory of every process and declarations that wait, over the minutes. SVG, for a document."""

from collections.abc import Sequence
from typing import Any

import vl_convert

from deploy.bench.soak import Sample

_WIDTH, _HEIGHT = 640, 200
_COLOURS = ["#2450a6", "#a24400", "#14613a", "#7a2b8f", "#9b1c3b", "#4b5563", "#0b6e75"]


def draw(samples: Sequence[Sample]) -> str:
    """The SVG document of these samples."""
    memory = [
        {"minute": one.at / 60, "value": mib, "process": name} for one in samples for name, mib in one.rss_mib.items()
    ]
    waiting = [{"minute": one.at / 60, "value": one.sent - one.decided} for one in samples]
    lines: dict[str, Any] = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": "white",
        "config": {"font": "sans-serif"},
        "vconcat": [
            _plot(memory, "resident memory, MiB", {"field": "process", "title": None, "scale": {"range": _COLOURS}}),
            _plot(waiting, "declarations that wait", None),
        ],
    }
    return str(vl_convert.vegalite_to_svg(lines))


def _plot(values: list[dict[str, Any]], title: str, colour: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "data": {"values": values},
        "mark": {"type": "line", "strokeWidth": 1.4},
        "encoding": {
            "x": {"field": "minute", "type": "quantitative", "title": "minutes"},
            "y": {"field": "value", "type": "quantitative", "title": title},
            **({"color": colour} if colour else {"color": {"value": _COLOURS[0]}}),
        },
    }
