"""Solana's endpoints as this process sees them."""

from typing import Final

from prometheus_client import CollectorRegistry, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class ChainMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Histogram(
            "order_engine_solana_rpc_seconds",
            "Time until an endpoint's answer: ok, refused (a JSON-RPC error), or unavailable (none that can be used).",
            ("endpoint", "method", "outcome"),
            buckets=_SECONDS,
            registry=registry,
        )

    def called(self, endpoint: str, method: str, outcome: str, seconds: float) -> None:
        """Count one call; `endpoint` is the host and port, never a path, which may hold a key."""
        self._calls.labels(endpoint, method, outcome).observe(seconds)
