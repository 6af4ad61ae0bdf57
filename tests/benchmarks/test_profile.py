"""The profile names what a process did: folded stacks that are known, then a real system under a little load."""

from pathlib import Path

import pytest

from contracts.directory import load as read_directory
from deploy.bench import load, profile, report
from deploy.embedded.errors import StackError
from deploy.embedded.stack import SERVICES, Stack

STACKS = """\
<module> (services/referrals/__main__.py:9);_run (asyncio/events.py:80);apply (services/referrals/store.py:40);decode (contracts/codec.py:81) 6
<module> (services/referrals/__main__.py:9);_run (asyncio/events.py:80);apply (services/referrals/store.py:41);decode (contracts/codec.py:90) 1
<module> (services/referrals/__main__.py:9);_run (asyncio/events.py:80);getmany (aiokafka/consumer/consumer.py:5);loads (json/decoder.py:3) 2
<module> (services/referrals/__main__.py:9);run (asyncio/runners.py:118) 1
"""  # noqa: E501 - as py-spy writes them


def test_samples_belong_to_the_innermost_layer_that_is_known() -> None:
    stacks = profile.read(STACKS)
    assert profile.layers(stacks) == {
        "decode and decide": 7,
        "Kafka client": 2,
        "event loop, sockets, C code of clients": 1,
    }
    assert profile.innermost(stacks)["decode (contracts/codec.py)"] == 7


@pytest.mark.anyio
@pytest.mark.timeout(300)
async def test_every_process_is_taken_apart(measured: Stack, tmp_path: Path) -> None:
    made = load.make(read_directory(), 150, seed=11)
    try:
        found = await profile.run(measured, made, load.make(read_directory(), 20, seed=12), tmp_path)
    except StackError as error:
        if "may not look" not in str(error):
            raise
        pytest.skip(str(error))
    assert found["events"] == made.events
    assert found["inside_us_per_event"].keys() == {"kafka", "postgres", *SERVICES}
    assert "referrals intake" in found["inside_us_per_event"]["postgres"]
    assert found["postgres_io_per_1000_events"]["wal_writes"] > 0
    told = report.table({"seed": 1, "load_average": 0.0, "profile": found})
    assert all(f"{name}: where the main thread was" in told for name in SERVICES)
