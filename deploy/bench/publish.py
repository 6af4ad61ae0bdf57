"""Sends rows as fast as Kafka takes them, with a client that costs the machine little."""

import asyncio
from collections.abc import Iterable
from typing import Any

from confluent_kafka import Producer

from contracts import topics
from deploy.bench.load import Row
from deploy.provision import Target

_ACKNOWLEDGED_WITHIN = 60.0
_QUEUED = 500_000


class NotTaken(RuntimeError):
    """Kafka did not acknowledge every row."""


class Sender:
    """One login for all institutions: the operator's, who may write every topic. Order per topic is kept."""

    def __init__(self, target: Target) -> None:
        self._failed: list[str] = []
        self._producer = Producer(
            {
                "bootstrap.servers": target.kafka_bootstrap,
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": topics.OPERATOR,
                "sasl.password": target.state.secret(f"kafka/{topics.OPERATOR}"),
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.max.bytes": topics.INBOUND_RECORD_BYTES,
                "queue.buffering.max.messages": _QUEUED,
                "queue.buffering.max.kbytes": 1_000_000,
                "log_level": 0,
            }
        )

    async def send(self, rows: Iterable[Row]) -> None:
        """Send rows in their order; returns when all are acknowledged. Raises NotTaken."""
        await asyncio.to_thread(self._send, rows)

    def _send(self, rows: Iterable[Row]) -> None:
        for row in rows:
            headers: Any = row.headers
            self._producer.produce(
                topics.inbound(row.institution), row.value, row.key, headers=headers, on_delivery=self._delivered
            )
            self._producer.poll(0)
        left = self._producer.flush(_ACKNOWLEDGED_WITHIN)
        if left or self._failed:
            raise NotTaken(f"{left} rows unacknowledged, {len(self._failed)} refused: {self._failed[:1]}")

    def _delivered(self, error: Any, _: Any) -> None:
        if error is not None:
            self._failed.append(str(error))
