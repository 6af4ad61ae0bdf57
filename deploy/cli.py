"""The `ruta` command. Each command imports what it needs when it runs, so that `--help` is quick."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    name="ruta",
    help="Referrals of migrant cases between institutions: tracked, alerted and provable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
topics = typer.Typer(help="The topics, users and rights of Kafka.", no_args_is_help=True)
app.add_typer(topics, name="topics")
quarantine = typer.Typer(
    help="Records that could not be read, and those that wait for a mend of ours.", no_args_is_help=True
)
app.add_typer(quarantine, name="quarantine")
audit = typer.Typer(help="The verifiable log.", no_args_is_help=True)
app.add_typer(audit, name="audit")
compose = typer.Typer(help="What containers need before they start.", no_args_is_help=True)
app.add_typer(compose, name="compose")

Workers = Annotated[int, typer.Option(min=1, max=16, help="Processes that divide the institutions' topics.")]
Code = Annotated[str, typer.Argument(help="Its code in the directory, such as personeria-giron.")]


@app.command()
def up(
    base_port: Annotated[int, typer.Option(help="Listeners take ports from this one on.")] = 19000,
    demo: Annotated[bool, typer.Option(help="Let the institutions of the directory publish.")] = True,
    workers: Workers = 1,
) -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from deploy.commands_up import run

    run(base_port, demo, workers)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def test(context: typer.Context) -> None:
    """Run every check (lint, types, import contracts, all tests); with arguments, only pytest with these."""
    from deploy.commands_test import run

    sys.exit(run(context.args))


@topics.command()
def apply(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
) -> None:
    """Bring the running Kafka to what contracts and directory say; no restart is needed."""
    from deploy.commands_topics import run

    run(dry_run=dry_run)


@topics.command("accept-gap")
def accept_gap(
    topic: Annotated[str, typer.Argument(help="The inbound topic, such as ruta.in.imebu.v1.")],
    yes: Annotated[bool, typer.Option("--yes", help="Go on without them; otherwise only say what is missing.")] = False,
) -> None:
    """Go on behind records that Kafka deleted before they were read. Their institution must send them again."""
    from deploy.commands_topics import accept_gap as run

    run(topic, yes)


@app.command()
def credentials(
    institution: Code,
    form: Annotated[
        Literal["env", "java", "kcat"],
        typer.Option("--format", help="Environment variables, Kafka's Java properties, or a kcat -F file."),
    ] = "env",
) -> None:
    """Print what an institution needs to publish and read."""
    from deploy.commands_credentials import Format, run

    run(institution, Format(form))


@app.command()
def demo(
    referrals: Annotated[int, typer.Option(min=1, max=20_000, help="How many referrals to play.")] = 50,
    seed: Annotated[int | None, typer.Option(help="Draws the stories; printed, so that a run can be repeated.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    workers: Workers = 1,
) -> None:
    """Play realistic flows on a throwaway system and check everything against everything."""
    from deploy.commands_demo import run

    sys.exit(run(referrals, seed, as_json=json, workers=workers))


@app.command()
def bench(
    parts: Annotated[
        list[str] | None,
        typer.Argument(
            help="naive, ruta, ceiling, latency, restarts, replay, rebuild: all if none. And soak, profile."
        ),
    ] = None,
    events: Annotated[int, typer.Option(min=10, max=100_000, help="How many declarations.")] = 20_000,
    naive_events: Annotated[
        int, typer.Option(min=10, help="How many of them the naive system gets; its rate is the same for all.")
    ] = 2_000,
    seed: Annotated[int | None, typer.Option(help="Draws the flows; printed, so that a run can be repeated.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Folder for the raw results.")] = None,
    workers: Workers = 1,
    minutes: Annotated[float, typer.Option(min=0.1, max=1_440, help="How long the soak takes.")] = 30,
    per_second: Annotated[float, typer.Option(min=1, max=1_000, help="Declarations per second of the soak.")] = 50,
) -> None:
    """Measure speed as ratios within one run, on throwaway systems."""
    from deploy.commands_bench import run

    sys.exit(run(parts or (), events, naive_events, seed, json, keep, workers, minutes, per_second))


@app.command()
def faults(
    names: Annotated[list[str] | None, typer.Argument(help="Names or patterns such as 'kill *'; all if none.")] = None,
    seed: Annotated[int | None, typer.Option(help="Draws times, hits and victims; printed, to repeat a run.")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Draw faults until the time is over; else each once.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Only print the names.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON array, an object for each run.")] = False,
) -> None:
    """Break a throwaway system in every way that we know; the ledger must hold after each."""
    from deploy.commands_faults import run

    sys.exit(run(names or (), seed, minutes, listed=listed, as_json=json))


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(help="A declaration: CloudEvents JSON, as in deploy/demo/files.")],
    institution: Annotated[str, typer.Option("--as", help="The institution that declares it.")],
    referral: Annotated[
        str | None, typer.Option(help="Which referral it is about, where the file does not say.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the outcome.")] = 30,
) -> None:
    """Publish a declaration, wait for its outcome and print it; the exit code is 1 unless it was applied."""
    from deploy.commands_institution import publish as run

    sys.exit(run(file, institution, referral, wait))


@app.command()
def watch(institution: Code) -> None:
    """Print what reaches an institution, until Ctrl-C."""
    from deploy.commands_institution import watch as run

    run(institution)


@app.command()
def show(
    referral: Annotated[str, typer.Argument(help="The referral's UUID.")],
    after: Annotated[int, typer.Option(min=0, help="Begin behind this position, as the last page says.")] = 0,
) -> None:
    """Print a referral's timeline with its facts, alerts and leaves of the log."""
    from deploy.commands_inspect import show as run

    run(referral, after)


@app.command()
def lifecycle(
    form: Annotated[
        Literal["json", "markdown", "svg"],
        typer.Option("--format", help="Every answer, a table of the verbs, or the diagram."),
    ] = "markdown",
) -> None:
    """Print who may declare what in which state, and where it leads, from the code that decides."""
    from deploy.commands_lifecycle import Format, run

    run(Format(form))


@app.command()
def refold() -> None:
    """Fold all facts again and compare with the stored states; the exit code is 1 if any differs."""
    from deploy.commands_inspect import compare

    sys.exit(compare())


@app.command()
def ledger(
    within: Annotated[
        float, typer.Option(min=1, help="Seconds to wait for a moment at which nothing is under way.")
    ] = 60,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Hold every record of the running system against its outcome, alerts, mails and leaf; the exit code is 1 if any
    does not fit."""
    from deploy.commands_ledger import run

    sys.exit(run(within, as_json=json))


@app.command()
def backup(folder: Annotated[Path, typer.Argument(help="Where the base backup and the WAL go.")]) -> None:
    """Back PostgreSQL up while it runs: a base backup, then its write-ahead log until Ctrl-C (deploy/RECOVERY.md)."""
    from deploy.commands_backup import backup as run

    run(folder)


@app.command()
def restore(folder: Annotated[Path, typer.Argument(help="What ./ruta backup wrote.")]) -> None:
    """Put a backup in the place of a stopped system's data; the next ./ruta up rolls forward and catches up."""
    from deploy.commands_backup import restore as run

    run(folder)


@quarantine.command("list")
def quarantine_list() -> None:
    """Print the newest records that could not be read, with what to mend, and what waits for its release."""
    from deploy.commands_quarantine import listed

    listed()


@quarantine.command("release")
def quarantine_release(
    referral: Annotated[str | None, typer.Option(help="Only what waits behind this referral's UUID.")] = None,
) -> None:
    """Decide what waited for a mend of our own rules, in the order in which it came; the exit code is 1 if any still
    waits."""
    from deploy.commands_quarantine import release as run

    sys.exit(run(referral))


@audit.command()
def verify() -> None:
    """Recompute the whole log from its stored bytes; names the first thing that does not fit."""
    from deploy.commands_inspect import verify as run

    sys.exit(run())


@audit.command("begin-anew")
def audit_begin_anew(
    origin: Annotated[str | None, typer.Option(help="Names the new log for ever.")] = None,
    vkey: Annotated[str | None, typer.Option(help="The refused log's public key, if its key file is lost.")] = None,
    newest: Annotated[
        Path | None, typer.Option("--seen", help="File with its last checkpoint, if the service keeps it elsewhere.")
    ] = None,
    accepted: Annotated[bool, typer.Option("--yes", help="Do it; else only say what would be done.")] = False,
) -> None:
    """Close a log that is refused and begin a new one with its last checkpoint (services/audit/README.md)."""
    from deploy.commands_inspect import begin_anew as run

    run(origin, vkey, newest, accepted=accepted)


@compose.command("prepare")
def compose_prepare(
    state: Annotated[Path | None, typer.Option(help="Folder for passwords, keys and settings.")] = None,
    base_port: Annotated[int, typer.Option(help="Listeners take ports from this one on.")] = 19000,
    directory: Annotated[Path | None, typer.Option(help="Institutions to take; at first the seed's.")] = None,
    origin: Annotated[str | None, typer.Option(help="Names the log for ever: registro.mesa.example/ruta.")] = None,
    kafka: Annotated[str | None, typer.Option(help="A Kafka elsewhere, host:port.")] = None,
    kafka_ca: Annotated[Path | None, typer.Option(help="The certificates that vouch for it.")] = None,
    database: Annotated[str | None, typer.Option(help="A PostgreSQL elsewhere, host:port.")] = None,
    database_ca: Annotated[Path | None, typer.Option(help="The certificates that vouch for it.")] = None,
) -> None:
    """Make passwords, keys and settings that are missing, and print how to start."""
    from deploy.commands_compose import external_servers, run_prepare

    run_prepare(state, base_port, directory, external_servers(kafka, kafka_ca, database, database_ca), origin)


@compose.command("images")
def compose_images() -> None:
    """Make the images that everything starts from on this machine, where no registry answers (as root)."""
    from deploy.commands_compose import run_images

    run_images()
