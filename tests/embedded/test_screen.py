"""What `up` prints where there is no terminal."""

from deploy.embedded.supervisor import Phase, Status
from deploy.screen import line


def test_a_log_names_what_is_away_and_what_was_started_again() -> None:
    well = Status("audit", Phase.RUNNING, 1, 0, 0.0, None)
    back = Status("referrals", Phase.RUNNING, 2, 3, 0.0, -9)
    away = Status("kafka", Phase.RESTARTING, None, 0, 0.0, None)
    said = line({"alerts": 2}, [well, back, away])
    assert said.endswith("2 alerts; kafka restarting; referrals restarted: 3")
    assert line({}, [well]).endswith("waiting for PostgreSQL")
