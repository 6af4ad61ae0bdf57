"""Asks a service over HTTP whether it is ready."""

import asyncio

ANSWERS_WITHIN = 3.0  # seconds


async def http_ready(url: str) -> bool:
    """Whether a GET answers 200. Plain HTTP/1.1 over loopback; raises OSError while nobody listens."""
    host, _, path = url.removeprefix("http://").partition("/")
    address, _, port = host.partition(":")
    # asyncio.timeout, not wait_for: before Python 3.12 that can swallow a cancellation.
    async with asyncio.timeout(ANSWERS_WITHIN):
        reader, writer = await asyncio.open_connection(address, int(port))
        try:
            writer.write(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            status = await reader.readline()
            return status.split()[1:2] == [b"200"]
        finally:
            writer.close()
