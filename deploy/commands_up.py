"""`ruta up`: the whole system in the foreground."""

import asyncio
import sys
import time

from deploy import interruption
from deploy.demo import endless
from deploy.embedded.errors import StackError
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack
from deploy.embedded.state import default_root
from deploy.interruption import Interrupted
from deploy.screen import show


def run(base_port: int, demo: bool, workers: int) -> None:
    """Run until Ctrl-C, SIGTERM or the end of the terminal; then stop everything. Raises StackError."""
    try:
        interruption.run(_run(Ports.based_on(base_port, workers), demo))
    except Interrupted:
        print("stopped", flush=True)


async def _run(ports: Ports, demo: bool) -> None:
    began = time.monotonic()

    def report(subject: str, message: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {subject}: {message}", flush=True)

    async with Stack(default_root(), ports, report=report) as stack:
        await stack.start(*stack.services)
        await stack.start_status()
        for name in (*stack.services, "status"):
            try:
                await stack.wait_ready(name)
                report(name, "ready")
            except StackError as problem:
                print(f"ruta: {problem}", file=sys.stderr)
        report("Kafka", stack.addresses.kafka)
        report("PostgreSQL", f"127.0.0.1:{stack.ports.postgres}")
        report("State and logs", str(stack.state.root))
        if demo:
            report("Demonstration", f"every {endless.EVERY:.0f} s an institution refers somebody (--no-demo: none)")
        print(_pages(stack), flush=True)
        print("Ctrl-C stops everything.", flush=True)
        # Not a task group: whatever ends one of them must end `up` with that error itself.
        jobs = [asyncio.ensure_future(show(stack))]
        if demo:
            jobs.append(asyncio.ensure_future(endless.play(stack.target)))
        try:
            await asyncio.gather(*jobs)
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            print("stopping, in order", flush=True)


def _pages(stack: Stack) -> str:
    http = stack.addresses.http
    pages = {
        "Remisiones (referrals)": http["referrals"],
        "Avisos (inboxes)": http["notifications"],
        "Registro (the log)": http["audit"],
        "Estado (status)": stack.addresses.status,
    }
    lines = [f"  {name:<24}{url}/" for name, url in pages.items()]
    return "\n".join(["", "Pages, for a browser on this machine:", *lines, ""])
