"""Counts the hints that Dramatiq brings, in Dramatiq's own threads."""

import dramatiq
from prometheus_client import CollectorRegistry, Counter


class HintCounter(dramatiq.Middleware):
    def __init__(self, registry: CollectorRegistry) -> None:
        self._received = Counter(
            "order_engine_hints_received_total", "Hints that the task queue brought.", registry=registry
        )

    def before_process_message(self, broker: dramatiq.Broker, message: object) -> None:
        self._received.inc()
