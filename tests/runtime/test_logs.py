"""A log line holds what is allowed and no text of an exception: those repeat what was sent."""

import json
import logging
from collections.abc import Iterator

import pytest

from services.runtime import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The process's loggers as they were."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def last(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_only_allowed_fields_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    own = logs.configure("test")
    own.info("batch", extra={"records": 3, "person": "Yuleisy"})
    line = last(capsys)
    assert (line["message"], line["records"], line["service"]) == ("batch", 3, "test")
    assert "Yuleisy" not in json.dumps(line)


def test_an_exception_is_its_type_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    own = logs.configure("test")
    try:
        raise ValueError("Yuleisy")
    except ValueError as error:
        own.critical("failed", exc_info=ExceptionGroup("Yuleisy", [error]))
    line = last(capsys)
    assert str(line["error"]).startswith("builtins.ValueError at test_logs.py:")
    assert "Yuleisy" not in json.dumps(line)


def test_others_are_repeated_by_the_first_line_of_their_template_only(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("test")
    logging.getLogger("somebody.else").error("cannot send %s\nTraceback: Yuleisy", "Yuleisy")
    assert last(capsys)["message"] == "cannot send %s"


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_storm_of_a_library_is_one_line_in_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    time = [1_000.0]
    logs.configure("test", now=lambda: time[0])
    library = logging.getLogger("somebody.else")
    for attempt in range(500):
        library.error("cannot connect to %s", attempt)
    library.error("something else")
    logging.getLogger("another").error("cannot connect to %s", 1)
    assert [(line["logger"], line["message"]) for line in lines(capsys)] == [
        ("somebody.else", "cannot connect to %s"),
        ("somebody.else", "something else"),
        ("another", "cannot connect to %s"),
    ]
    time[0] += logs.REPEATED_AFTER - 1
    library.error("cannot connect to %s", 500)
    assert lines(capsys) == []
    time[0] += 1
    library.error("cannot connect to %s", 501)
    library.error("something else")
    assert [line.get("suppressed") for line in lines(capsys)] == [500, None]
    time[0] += logs.REPEATED_AFTER
    library.error("cannot connect to %s", 502)
    assert [line.get("suppressed") for line in lines(capsys)] == [None]


def test_our_own_lines_are_all_written(capsys: pytest.CaptureFixture[str]) -> None:
    own = logs.configure("test", now=lambda: 0.0)
    for _ in range(5):
        own.warning("waiting")
        own.getChild("part").warning("waiting")
    assert len(lines(capsys)) == 10


def test_texts_that_never_repeat_are_not_remembered_for_ever(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("test", now=lambda: 0.0)
    library = logging.getLogger("somebody.else")
    for number in range(1_001):
        library.error(f"attempt {number}")
    library.error("attempt 1000")
    library.error("attempt 0")
    assert [line["message"] for line in lines(capsys)[-2:]] == ["attempt 1000", "attempt 0"]
