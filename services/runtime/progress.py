"""Readiness is progress, not a ping: a consumer that lags and stands still is not ready."""

import time
from dataclasses import dataclass
from typing import Any

STALL_SECONDS = 10.0
"""How long nothing may move while something waits."""


@dataclass
class ConsumerProgress:
    """Judges one aiokafka consumer by its own figures, asked for every few seconds at most."""

    last_total: int = -1
    moved_at: float = 0.0

    def missing(self, consumer: Any, busy_since: float | None) -> list[str]:
        """What stands still, in short phrases; empty when all is well."""
        now = time.monotonic()
        if consumer is None or not consumer.assignment():
            return ["partitions are not assigned yet"]
        if busy_since is not None and now - busy_since > STALL_SECONDS:
            return ["a batch has been waiting for the database"]
        lag, total, polled = 0, 0, 0
        for partition in consumer.assignment():
            state = consumer._subscription.subscription.assignment.state_value(partition)
            if state is None or not state.has_valid_position:
                return ["positions are not known yet"]
            total += state.position
            lag += max(0, (state.highwater or 0) - state.position)
            polled = max(polled, state.timestamp or 0)
        if total != self.last_total or lag == 0:
            self.last_total, self.moved_at = total, now
        if time.time() * 1000 - polled > STALL_SECONDS * 1000:
            return ["Kafka does not answer"]
        if now - self.moved_at > STALL_SECONDS:
            return ["records wait and none is taken"]
        return []
