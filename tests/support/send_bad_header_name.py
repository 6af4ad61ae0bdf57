"""Sends one record whose header name is not UTF-8, which no ordinary client can; prints its offset.

Runs with the pure-Python record builder (AIOKAFKA_NO_EXTENSIONS), which asks the name for its bytes.
"""

import asyncio
import os
import sys

from aiokafka import AIOKafkaProducer


class Name(str):
    """A header name that encodes to bytes which are no text."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Not UTF-8, whatever is asked for."""
        return b"\xff\xfe name"


async def main(bootstrap: str, user: str, topic: str) -> None:
    """Log in with the password from the environment and send it."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=user,
        sasl_plain_password=os.environ["PASSWORD"],
    )
    await producer.start()
    try:
        sent = await producer.send_and_wait(topic, b"{}", b"key", headers=[(Name("name"), b"value")])
        print(sent.offset)
    finally:
        await producer.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
