"""Times read as people in Colombia write them."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from contracts import moments

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 11, 24, 5, 0, tzinfo=UTC), "24 de noviembre de 2026, 12:00 a. m."),
        (datetime(2026, 1, 1, 4, 59, tzinfo=UTC), "31 de diciembre de 2025, 11:59 p. m."),
        (datetime(2026, 6, 7, 17, 5, tzinfo=UTC), "7 de junio de 2026, 12:05 p. m."),
        (datetime(2026, 6, 7, 9, 5, tzinfo=timezone(timedelta(hours=-5))), "7 de junio de 2026, 9:05 a. m."),
    ],
)
def test_times_are_written_as_in_colombia(at: datetime, text: str) -> None:
    assert with_spaces(moments.moment(at)) == text


def with_spaces(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_time_without_its_offset_is_an_error() -> None:
    with pytest.raises(ValueError, match="offset"):
        moments.moment(datetime(2026, 1, 1))  # noqa: DTZ001


def test_tables_have_a_shorter_form() -> None:
    assert with_spaces(moments.short(NOW)) == "24 nov 2026, 10:00 a. m."
    assert with_spaces(moments.exact(NOW)) == "24 nov 2026, 10:00:00 a. m."
    assert with_spaces(moments.clock(NOW)) == "10:00 a. m."
    assert moments.day(date(2026, 3, 1)) == "1 de marzo de 2026"


def test_a_time_of_day_is_not_broken_over_lines() -> None:
    assert " " not in moments.clock(NOW)


@pytest.mark.parametrize(
    ("since", "text"),
    [
        (timedelta(seconds=-90), "hace un momento"),
        (timedelta(seconds=59), "hace un momento"),
        (timedelta(minutes=1), "hace 1 min"),
        (timedelta(minutes=59, seconds=59), "hace 59 min"),
        (timedelta(hours=1), "hace 1 h"),
        (timedelta(hours=47, minutes=59), "hace 47 h"),
        (timedelta(hours=48), "hace 2 días"),
        (timedelta(days=400), "hace 400 días"),
    ],
)
def test_an_age_is_one_unit(since: timedelta, text: str) -> None:
    assert moments.age(NOW - since, NOW) == text


@pytest.mark.parametrize(
    ("at", "on"),
    [
        (datetime(2026, 11, 25, 4, 59, 59, tzinfo=UTC), date(2026, 11, 24)),
        (datetime(2026, 11, 25, 5, tzinfo=UTC), date(2026, 11, 25)),
        (datetime(2026, 11, 25, 7, tzinfo=timezone(timedelta(hours=3))), date(2026, 11, 24)),
    ],
)
def test_the_day_is_colombias(at: datetime, on: date) -> None:
    assert moments.local_date(at) == on


def test_a_day_needs_an_offset() -> None:
    with pytest.raises(ValueError, match="offset"):
        moments.local_date(datetime(2026, 1, 1))  # noqa: DTZ001
