"""The `ruta` command. Each command imports what it needs when it runs, so that `--help` is quick."""

import sys
from typing import Annotated

import typer

from deploy.embedded.errors import StackError

app = typer.Typer(
    name="ruta",
    help="Referrals of migrant cases between institutions: tracked, alerted and provable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
topics = typer.Typer(help="The topics, users and rights of Kafka.", no_args_is_help=True)
app.add_typer(topics, name="topics")


@app.command()
def up(
    base_port: Annotated[int, typer.Option(help="Listeners take ports from this one on.")] = 19000,
) -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from deploy.commands_up import run

    run(base_port)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def test(context: typer.Context) -> None:
    """Run every check; with arguments, only pytest with these arguments."""
    from deploy.commands_test import run

    sys.exit(run(context.args))


@topics.command()
def apply(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
) -> None:
    """Bring the running Kafka to what contracts and directory say; no restart is needed."""
    from deploy.commands_topics import run

    run(dry_run=dry_run)


@app.command()
def credentials(institution: Annotated[str, typer.Argument(help="Its code in the directory.")]) -> None:
    """Print what an institution needs to publish and read, as environment variables."""
    from deploy.commands_credentials import run

    run(institution)


def main() -> None:
    """Run the command line; a problem that we understand is one sentence, not a traceback."""
    try:
        app(prog_name="./ruta")
    except StackError as problem:
        sys.exit(f"ruta: {problem}")
