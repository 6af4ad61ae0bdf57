"""The figures for people: what was measured, in words, and the ratios that can be compared between machines."""

from collections.abc import Mapping
from typing import Any

from deploy.bench.soak import SAMPLED_EVERY

_LINES = (
    ("ceiling_events_per_s", "ceiling: the rows only copied, two writers", "events/s"),
    ("naive_events_per_s", "naive: one record, one transaction, one commit", "events/s"),
    ("ruta_events_per_s", "Ruta: published, decided, alerted, logged", "events/s"),
    ("ruta_per_naive", "Ruta ÷ naive", "×"),
    ("ruta_per_ceiling", "Ruta ÷ ceiling", "×"),
    ("naive_cpu_per_ruta_cpu", "processor time of all processes, naive ÷ Ruta", "×"),
    ("mails_per_s", "mails that leave the queue", "mails/s"),
    ("replayed_events_per_s", "records applied before, answered again", "events/s"),
    ("rebuilt_facts_per_s", "states folded again from all facts", "facts/s"),
)
_LATENCIES = (
    ("disk_sync_ms", "the disk alone: 8 KiB until it is kept"),
    ("hand_over_ms", "the processors alone: 10 steps of 0.5 ms, 50/s"),
    ("latency_ms_at_50_per_s", "publish → alert readable, 50 per second"),
    ("out_latency_ms_at_50_per_s", "publish → fact on out, 50 per second"),
    ("latency_ms_at_10_percent", "publish → alert readable, at a tenth of full load"),
    ("out_latency_ms_at_10_percent", "publish → fact on out, at a tenth of full load"),
)


def with_ratios(result: Mapping[str, Any]) -> dict[str, Any]:
    """The figures and the ratios that they allow."""
    found = dict(result)
    ruta, naive, ceiling = (found.get(f"{name}_events_per_s") for name in ("ruta", "naive", "ceiling"))
    if ruta and naive:
        found["ruta_per_naive"] = round(ruta / naive, 1)
    used = [sum(found.get(f"{name}_cpu_us_per_event", {}).values()) for name in ("naive", "ruta")]
    if all(used):
        found["naive_cpu_per_ruta_cpu"] = round(used[0] / used[1], 1)
    if ruta and ceiling:
        found["ruta_per_ceiling"] = round(ruta / ceiling, 3)
    return found


def table(result: Mapping[str, Any]) -> str:
    """One line per figure."""
    lines = [f"seed {result['seed']}, the machine's load average before: {result.get('load_average', 0):.1f}"]
    if "events" in result:
        naive = f"; naive: the first {result['naive_run']['events']}" if "naive_run" in result else ""
        lines += [f"{result['events']} events of {result['referrals']} referrals{naive}", ""]
    lines += [f"{words:<52} {result[name]:>10} {unit}" for name, words, unit in _LINES if name in result]
    for name, words in _LATENCIES:
        if name in result:
            figures = "  ".join(f"{key} {value}" for key, value in result[name].items())
            lines.append(f"{words:<52} {figures} ms")
    if "restart_to_first_fact_s" in result:
        lines += ["", "killed, until the first work on a new record"]
        lines += [f"  {name:<50} {seconds:>10} s" for name, seconds in result["restart_to_first_fact_s"].items()]
    if "ruta_cpu_us_per_event" in result:
        lines += ["", "processor time per event under full load, while mails wait"]
        lines += [f"  {name:<50} {used:>10} µs" for name, used in result["ruta_cpu_us_per_event"].items()]
    if "ruta_bytes_per_event" in result:
        stored = result["ruta_bytes_per_event"]
        lines += ["", f"stored per event: {stored['wal']} bytes of WAL, {stored['database']} bytes of database"]
    if "rss_mib" in result:
        before, after = result["rss_mib"]["before"], result["rss_mib"]["after"]
        lines += ["", "memory before and after"]
        lines += [f"  {name:<50} {before.get(name, 0):>4} → {size} MiB" for name, size in after.items()]
    if "profile" in result:
        lines += _profile(result["profile"])
    if "soak" in result:
        lines += _soak(result["soak"])
    return "\n".join(lines)


def _profile(profile: Mapping[str, Any]) -> list[str]:
    lines = [
        "",
        f"profile: processor time per event under full load with a sampler beside it, {profile['events']} events",
    ]
    for name, used in profile["cpu_us_per_event"].items():
        lines.append(f"  {name:<50} {used:>10} µs")
        lines += [
            f"    {what:<48} {part:>10} µs" for what, part in profile["inside_us_per_event"].get(name, {}).items()
        ]
    for name, places in profile["hottest_percent"].items():
        lines += ["", f"  {name}: where the main thread was"]
        lines += [f"    {share:>5} %  {place}" for place, share in places.items()]
    asked = ", ".join(f"{count} {what}" for what, count in profile["postgres_io_per_1000_events"].items())
    return [*lines, "", f"  PostgreSQL and the disk, per 1,000 events: {asked}"]


def _soak(soak: Mapping[str, Any]) -> list[str]:
    length = f"{soak['minutes']:g} minutes at {soak['per_second']:g} per second"
    held = f"at most {soak['most_waiting']} waiting and {soak['connections']['most']} connections"
    lines = [
        "",
        f"soak: {length}, {soak['events']} events, {soak['undecided']} undecided at the end",
        f"  {held} (seen every {SAMPLED_EVERY:g} s), {soak['database_bytes_per_event']} bytes of database per event",
    ]
    verdicts = {True: "flat", False: "GROWS", None: "too short to say"}
    for name, trend in soak["memory"].items():
        lines.append(f"  {name:<20} {trend['mib']:>5} MiB {trend['mib_per_hour']:>8} MiB/h  {verdicts[trend['flat']]}")
    return lines
