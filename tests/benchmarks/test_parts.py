"""Every part of the benchmark runs on few rows and gives its figures. How large they are is never asserted."""

import json
import os
from collections import Counter
from pathlib import Path
from statistics import median
from uuid import UUID

import psutil
import pytest

from contracts.directory import load as read_directory
from deploy.bench import latency, load, machine, parts, processes, report
from deploy.bench.progress import RutaProgress, administrator
from deploy.embedded.stack import SERVICES, Stack
from deploy.ledger import ledger

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]

DIRECTORY = read_directory()
WARM = load.make(DIRECTORY, 20, seed=1)


async def test_ruta_under_load_then_its_rows_copied_and_the_ledger_holds(measured: Stack) -> None:
    made = load.make(DIRECTORY, 200, seed=2)
    with parts.mails_waiting(measured):
        figures = await parts.run_ruta(measured, made, WARM)
        copied = await parts.run_ceiling(measured, made, WARM)
    assert figures["ruta_events_per_s"] > 0
    assert figures["ruta_run"].keys() == {"events", "decided", "told", "logged"}
    assert figures["ruta_cpu_us_per_event"].keys() >= {*SERVICES, "kafka", "postgres"}
    assert copied["ceiling_events_per_s"] > 0
    # A fact, its leaf and the leaf of its record at least.
    assert copied["ceiling_run"]["rows"] > 3 * made.events
    assert (await parts.run_mails(measured))["mails_per_s"] > 0
    assert (await ledger.check(measured.target)).problems == ()
    again = await parts.run_replay(measured, made)
    assert again["replay_run"]["events"] == made.outcomes["applied"]
    assert (await ledger.check(measured.target)).problems == ()
    assert (await parts.run_rebuild(measured))["rebuilt_facts_per_s"] > 0


async def test_latency_counts_every_applied_row(measured: Stack) -> None:
    lead, rows = (parts.flat(load.make(DIRECTORY, events, seed)) for events, seed in ((10, 9), (30, 4)))
    figures, raw = await parts.run_latency(measured, lead, rows, per_s=20, seed=4, name="20_per_s")
    kept = raw["latencies_at_20_per_s"]
    assert len(kept["to_alert"]) == len(rows)
    busiest = Counter(row.institution for row in rows).most_common(latency.WATCHED)
    assert len(kept["to_fact"]) == sum(count for _, count in busiest)
    assert figures["latency_ms_at_20_per_s"]["p50"] == round(median(kept["to_alert"]), 1)
    assert figures["out_latency_ms_at_20_per_s"].keys() == {"p50", "p95", "p99"}


def test_what_never_arrived_is_told_before_any_percentile() -> None:
    one, other = UUID(int=1), UUID(int=2)
    assert latency.milliseconds({one: 1.0}, {one: 1.5, other: 9.0}, {one}) == (500.0,)
    with pytest.raises(latency.NotSeen, match="1 of 2 events"):
        latency.milliseconds({one: 1.0, other: 1.0}, {one: 1.5}, {one, other})


async def test_the_machine_alone_is_measured_and_left_as_it_was(measured: Stack) -> None:
    before = set(measured.state.root.iterdir())
    figures = await parts.run_machine(measured, seed=5)
    for name in ("disk_sync_ms", "hand_over_ms"):
        assert figures[name].keys() == {"p50", "p95", "p99"}
        assert 0 < figures[name]["p50"] <= figures[name]["p99"]
    # The work of one step was as long as the quickest of many tries, so all of them cannot take much less.
    assert figures["hand_over_ms"]["p50"] > machine.PROCESSES * machine.WORK_MS / 2
    assert set(measured.state.root.iterdir()) == before


async def test_nothing_is_left_in_a_chain_of_processes() -> None:
    ours = os.getpid()  # others measure this machine too
    found = await machine.handed_on(200.0, 40, seed=ours)
    assert len(found) == 40
    assert min(found) > 0
    started = {machine.__name__, str(ours)}
    assert not [one for one in psutil.process_iter(["cmdline"]) if started <= set(one.info["cmdline"] or ())]


async def test_every_part_comes_back_after_a_kill(measured: Stack) -> None:
    rows = parts.flat(load.make(DIRECTORY, 40, seed=6))
    before = processes.rss_mib(measured)
    figures = await parts.run_restarts(measured, iter(rows))
    async with administrator(measured.target) as connection:
        logged = [await RutaProgress(connection).has_leaf(row.institution, row.event) for row in rows]
    # The third was published while the log was away. Nobody waited for the leaf of the fourth, whose part is Kafka.
    assert logged[2]
    assert not any(logged[4:])
    assert figures["restart_to_first_fact_s"].keys() == {*SERVICES, "kafka"}
    assert processes.rss_mib(measured).keys() == before.keys() >= {*SERVICES, "kafka", "postgres"}


def test_ratios_are_given_where_both_sides_were_measured(tmp_path: Path) -> None:
    measured = {"events": 10, "referrals": 3, "seed": 1, "ruta_events_per_s": 30.0, "naive_events_per_s": 2.0}
    assert report.with_ratios(measured)["ruta_per_naive"] == 15.0
    assert "ruta_per_ceiling" not in report.with_ratios(measured)
    told = report.table(report.with_ratios(measured | {"ceiling_events_per_s": 60.0, "naive_run": {"events": 4}}))
    assert "10 events of 3 referrals; naive: the first 4" in told
    assert "15.0 ×" in told
    assert "0.5 ×" in told
    assert json.dumps(measured)
