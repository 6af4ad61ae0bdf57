"""The rows of the benchmark are what real institutions could have sent."""

from datetime import datetime

from contracts import codec, topics
from contracts.codec import Declaration, Record
from contracts.directory import load as read_directory
from contracts.values import Verb
from deploy.bench import load
from deploy.bench.load import Row

DIRECTORY = read_directory()
MADE = load.make(DIRECTORY, 300, seed=5)


def read(row: Row) -> object:
    """What a row says once it has arrived now."""
    arrived_at = next(value for name, value in row.headers if name == "ce_time").decode()
    milliseconds = int(datetime.fromisoformat(arrived_at).timestamp() * 1000)
    record = Record(topics.inbound(row.institution), 0, 0, milliseconds, row.key, tuple(row.headers), row.value)
    return codec.decode(record)


def test_every_row_that_is_to_be_applied_can_be_read() -> None:
    assert all(isinstance(read(row), Declaration) for row in MADE.rows() if row.outcome != "quarantined")


def test_requests_come_first_and_every_kind_of_outcome_occurs() -> None:
    first = [read(row) for row in MADE.waves[0] if row.outcome == "applied"]
    assert {made.envelope.verb for made in first if isinstance(made, Declaration)} == {Verb.REQUESTED}
    assert MADE.outcomes.keys() == {"applied", "refused", "duplicate", "conflict", "quarantined"}
    assert MADE.outcomes["applied"] > 0.9 * MADE.events
    assert len({row.institution for row in MADE.rows()}) == len(DIRECTORY.institutions)


def test_a_part_holds_whole_referrals_of_the_same_rows() -> None:
    part = MADE.part(60)
    kept = {row.key for row in part.rows()}
    assert list(part.rows()) == [row for row in MADE.rows() if row.key in kept]
    assert 60 <= part.events < 80
    assert part.referrals == len(kept)


def test_the_seed_decides_who_asks_whom() -> None:
    again = load.make(DIRECTORY, 300, seed=5)
    assert [(row.institution, row.key, row.outcome) for row in again.rows()] == [
        (row.institution, row.key, row.outcome) for row in MADE.rows()
    ]
