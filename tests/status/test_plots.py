"""Plots are SVG that a strict page may hold, in both themes, with a text beside."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from deploy.status import plots

NOW = datetime(2026, 11, 24, 15, 2, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def drawn(*values: float | None) -> str:
    line = [(NOW - timedelta(minutes=1) * at, value) for at, value in enumerate(values)]
    return plots.draw(
        "Espera", "a < b & c", "mensajes", {"Remisiones": line, "Avisos": line}, NOW, timedelta(minutes=15)
    )


def texts(svg: str) -> set[str | None]:
    return {one.text for one in ElementTree.fromstring(svg).iter(f"{SVG}text")}


def test_the_svg_is_whole_and_says_what_it_shows() -> None:
    root = ElementTree.fromstring(drawn(1.0, 7.0, None, 2.0))
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Espera. a < b & c"
    assert [root.findtext(f"{SVG}{name}") for name in ("title", "desc")] == ["Espera", "a < b & c"]


def test_nothing_in_it_breaks_the_policy_or_a_theme() -> None:
    svg = drawn(1.0, 2.0)
    assert "style=" not in svg
    assert "<style" not in svg
    assert "<script" not in svg
    assert "var(--accent)" in svg


def test_times_are_those_of_colombia() -> None:
    assert {"9:50", "9:55", "10:00", "Remisiones", "Avisos", "mensajes"} <= texts(drawn(1.0, 2.0))


def test_an_empty_quarter_of_an_hour_is_drawn_too() -> None:
    for svg in (drawn(), drawn(None, None)):
        assert {"9:50", "9:55", "10:00", "mensajes"} <= texts(svg)
