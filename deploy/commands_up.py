"""`ruta up`: the whole system in the foreground."""

import asyncio
import signal
import sys
import time

from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports
from deploy.embedded.stack import SERVICES, Stack
from deploy.embedded.state import CHECKOUT, default_root


def run(base_port: int) -> None:
    """Run until Ctrl-C, SIGTERM or the end of the terminal; then stop everything. Raises StackError."""
    try:
        asyncio.run(_run(Ports.based_on(base_port)))
    except (asyncio.CancelledError, KeyboardInterrupt):
        print("stopped", flush=True)


async def _run(ports: Ports) -> None:
    began = time.monotonic()

    def report(subject: str, message: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {subject}: {message}", flush=True)

    this = asyncio.current_task()
    assert this is not None
    # SIGINT too: asyncio.run leaves it alone where a shell started us in the background with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    async with Stack(default_root(), ports, report=report) as stack:
        names = [name for name in SERVICES if (CHECKOUT / "services" / name / "__main__.py").exists()]
        await stack.start(*names)
        for name in names:
            try:
                await stack.wait_ready(name)
                report(name, stack.addresses.http[name])
            except StackError as problem:
                print(f"ruta: {problem}", file=sys.stderr)
        report("Kafka", stack.addresses.kafka)
        report("PostgreSQL", f"127.0.0.1:{stack.ports.postgres}")
        report("State", str(stack.state.root))
        print("Ctrl-C stops everything.", flush=True)
        await asyncio.Event().wait()
