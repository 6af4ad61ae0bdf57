"""What the page shows of the looks of a quarter of an hour. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from deploy.status import wording
from deploy.status.plots import Line
from deploy.status.readings import COUNTED, Look, highest, quantile, rate, total
from services.runtime.pages.numbers import decimal, number

RECENT = timedelta(minutes=5)
"""What figures of speed are about."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process: its name, whether it answers, and what it waits for, in Spanish."""

    name: str
    answers: bool
    missing: tuple[str, ...]

    @property
    def ready(self) -> bool:
        return self.answers and not self.missing


@dataclass(frozen=True, slots=True)
class Figure:
    """A value as people read it, with what it means."""

    name: str
    value: str
    means: str


@dataclass(frozen=True, slots=True)
class Row:
    """One minute of the table beside a plot, a value for each service in the order of ``COUNTED``."""

    at: datetime
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn, and the same in a table, newest first."""

    id: str
    title: str
    axis: str
    lines: Mapping[str, Line]
    rows: Sequence[Row]


def processes(look: Look) -> list[Process]:
    """Every process as it stands."""
    return [
        Process(
            wording.process(name),
            reading.missing is not None,
            tuple(map(wording.missing, reading.missing or ())),
        )
        for name, reading in look.readings.items()
    ]


def figures(looks: Sequence[Look]) -> list[Figure]:
    """The figures of now; those of speed over the last minutes."""
    now = looks[-1]
    then = next(look for look in looks if look.at >= now.at - RECENT)
    slowest = quantile(then, now, "notifications", "ruta.alert.latency", 0.95, channel="inbox")
    return [
        Figure("Aviso en bandeja", _at_most(slowest), "95 de cada 100 en 5 minutos, desde que llega a Kafka"),
        Figure("Sin publicar", wording.duration(_outbox(now)), "lo más antiguo que Kafka aún no confirma"),
        Figure("Correos por enviar", number(total(now, "notifications", "ruta.mail.waiting")), "en cola"),
        Figure("Retraso de los plazos", wording.duration(highest(now, "referrals", "ruta.watermark.age")),
               "hasta qué momento se han revisado"),
        Figure("Huellas", number(total(now, "audit", "ruta.tree.size")), "bajo el último punto de control"),
        Figure("Punto de control", wording.duration(highest(now, "audit", "ruta.checkpoint.age")),
               "desde que se firmó; crece si nada pasa"),
    ]  # fmt: skip


def plots(looks: Sequence[Look]) -> tuple[Plot, Plot]:
    """Records that wait, and what gets done per second."""
    minutes = list(_by_minute(looks))

    def lag(look: Look, service: str) -> float | None:
        return total(look, service, "ruta.lag")

    return (
        Plot(
            "lag",
            "Mensajes que esperan",
            "mensajes",
            {wording.process(s): [(look.at, lag(look, s)) for look in looks] for s in COUNTED},
            [Row(look.at, tuple(number(lag(look, s)) for s in COUNTED)) for look in reversed(minutes)],
        ),
        Plot(
            "rate",
            "Trabajo por segundo",
            "por segundo",
            {
                wording.process(service): [
                    (after.at, rate(before, after, service)) for before, after in pairwise(looks)
                ]
                for service in COUNTED
            },
            [
                Row(after.at, tuple(decimal(rate(before, after, s)) for s in COUNTED))
                for before, after in reversed(list(pairwise(minutes)))
            ],
        ),
    )


def _by_minute(looks: Sequence[Look]) -> Iterator[Look]:
    for _, of_one in groupby(looks, key=lambda look: look.at.replace(second=0, microsecond=0)):
        *_, last = of_one
        yield last


def _outbox(look: Look) -> float | None:
    ages = [highest(look, service, "ruta.outbox.age") for service in ("referrals", "notifications")]
    return max((age for age in ages if age is not None), default=None)


def _at_most(seconds: float | None) -> str:
    if seconds is None:
        return "sin avisos"
    return "más de 1 h" if seconds == float("inf") else f"≤ {wording.duration(seconds)}"
