"""`python -m deploy`: what the `ruta` script runs."""

import logging
import sys

from deploy.cli import app
from deploy.embedded.errors import StackError


def main() -> None:
    """Run the command line; a problem that we understand is one sentence, not a traceback."""
    # Clients report every attempt to reach a broker that is away; what matters is told by the commands.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        app(prog_name="./ruta")
    except StackError as problem:
        sys.exit(f"ruta: {problem}")
    except Exception as problem:
        from deploy.problems import sentence

        if (understood := sentence(problem)) is None:
            raise
        sys.exit(f"ruta: {understood}")


main()
