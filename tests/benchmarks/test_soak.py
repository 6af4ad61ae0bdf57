"""A short soak on a real system; the verdict on figures that are known."""

from dataclasses import replace
from pathlib import Path

import pytest

from contracts.directory import SEED
from contracts.directory import load as read_directory
from deploy.bench import chart, load, parts, report, soak
from deploy.bench.soak import Sample
from deploy.embedded.ports import Ports
from deploy.embedded.stack import SERVICES, Stack

pytestmark = pytest.mark.anyio


def samples(mib_per_hour: float, minutes: int = 30, rising_until: int = 0) -> list[Sample]:
    """A process that holds 100 MiB and what it gains: quickly until a minute, then steadily."""
    made = []
    for second in range(0, 60 * minutes + 1, 5):
        held = 100 + min(second, 60 * rising_until) + mib_per_hour * second / 3600
        made.append(Sample(float(second), {"audit": round(held)}, second, second, 10, 50.0))
    return made


@pytest.mark.parametrize(
    ("given", "flat"),
    [
        (samples(0), True),
        (samples(20), True),
        (samples(200), False),
        (samples(0, rising_until=9), True),
        (samples(400, minutes=5), None),
    ],
)
def test_growth_after_the_warm_up_is_told(given: list[Sample], flat: bool | None) -> None:
    assert soak.trends(given)["audit"].flat is flat


def test_the_chart_shows_every_process() -> None:
    svg = chart.draw(samples(10))
    assert svg.startswith("<svg")
    assert "audit" in svg
    assert "resident memory" in svg


async def test_a_soak_loses_nothing_and_says_what_was_decided_otherwise(
    session_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    async with Stack(session_folder / "soak", Ports.free()) as stack:
        await stack.start(*SERVICES)
        for name in SERVICES:
            await stack.wait_ready(name, 60)
        figures, seen = await soak.run(stack, read_directory(SEED), 0.2, 40, 7, said.append)
        make = load.make
        monkeypatch.setattr(load, "make", lambda *drawn: refused(make(*drawn)))
        with pytest.raises(parts.OutcomesDiffer, match=r"wanted .'refused'.*got .*'applied'"):
            await soak.run(stack, read_directory(SEED), 0.05, 40, 8, said.append)
    assert figures["events"] > 50
    assert figures["undecided"] == 0
    assert set(SERVICES) <= figures["memory"].keys()
    assert len(seen) >= 3
    assert "undecided" in report.table({"seed": 7, "load_average": 0.0, "soak": figures})


def refused(made: load.Load) -> load.Load:
    """The same rows, expected to be refused."""
    return replace(made, waves=tuple([row._replace(outcome="refused") for row in wave] for wave in made.waves))
