"""Asks a service over HTTP whether it is ready."""

import asyncio


async def http_ready(url: str) -> bool:
    """Whether a GET answers 200. Plain HTTP/1.1 over loopback; raises OSError while nobody listens."""
    host, _, path = url.removeprefix("http://").partition("/")
    address, _, port = host.partition(":")
    reader, writer = await asyncio.wait_for(asyncio.open_connection(address, int(port)), 2)
    try:
        writer.write(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        status = await asyncio.wait_for(reader.readline(), 2)
        return status.split()[1:2] == [b"200"]
    finally:
        writer.close()
