"""docs/metrics.md lists every metric of every process, with its labels and meaning, and no other."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from gateway.metrics import GatewayMetrics
from order_engine.adapters.memory.order_claims import MemoryOrderClaims
from order_engine.adapters.memory.order_store import MemoryOrderStore
from order_engine.adapters.memory.task_queue import MemoryTaskQueue
from order_engine.adapters.metrics.backlog import BacklogMetrics
from order_engine.adapters.metrics.broker import HintCounter
from order_engine.adapters.metrics.chain import ChainMetrics
from order_engine.adapters.metrics.database import DatabaseMetrics
from order_engine.adapters.metrics.orders import OrderMetrics
from order_engine.adapters.metrics.ports import MeteredOrderClaims, MeteredTaskQueue
from order_engine.adapters.metrics.rpc import RpcMetrics
from order_engine.adapters.postgres.backlog import read_backlog
from order_engine.adapters.postgres.database import open_database
from order_engine.adapters.system import SystemClock
from order_engine.cli.papernet import watch_network
from order_engine.papernet.network import Network
from order_engine.usecases.ports import AdmissionLimits

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
DATABASE = open_database("postgresql://127.0.0.1:1/none", pool_size=1)
CLAIMS = MemoryOrderClaims(
    MemoryOrderStore(SystemClock()), AdmissionLimits(max_in_flight=0, max_starts_per_minute=0), timedelta(seconds=6)
)

SHARED: tuple[Callable[[CollectorRegistry], object], ...] = (
    OrderMetrics,
    ChainMetrics,
    lambda registry: DatabaseMetrics(registry, DATABASE.sync_engine),
)
PROCESSES: dict[str, tuple[Callable[[CollectorRegistry], object], ...]] = {
    "api": (
        *SHARED,
        lambda registry: BacklogMetrics(registry, lambda: read_backlog(DATABASE)),
        lambda registry: MeteredTaskQueue(MemoryTaskQueue(lambda _: None), registry),
        RpcMetrics,
    ),
    "gateway": (GatewayMetrics,),
    "worker": (*SHARED, lambda registry: MeteredOrderClaims(CLAIMS, registry), HintCounter),
    "papernet": (lambda registry: watch_network(registry, cast("Network", None)),),
}


class _Collecting(CollectorRegistry):
    """Keeps what is registered; asks none for its value."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics: list[MetricWrapperBase] = []

    def register(self, collector: object) -> None:
        assert isinstance(collector, MetricWrapperBase)
        self.metrics.append(collector)


def expected_rows() -> Iterator[str]:
    served: dict[str, list[str]] = {}
    found: dict[str, MetricWrapperBase] = {}
    for process, build in PROCESSES.items():
        registry = _Collecting()
        for one in build:
            one(registry)
        for metric in registry.metrics:
            (family,) = metric.describe()
            name = family.name + ("_total" if family.type == "counter" else "")
            served.setdefault(name, []).append(process)
            found[name] = metric
    for name in sorted(found):
        (family,) = found[name].describe()
        labels = ", ".join(f"`{label}`" for label in found[name]._labelnames)
        yield f"| `{name}` | {family.type} | {labels} | {', '.join(served[name])} | {family.documentation} |"


def test_the_table_is_the_code() -> None:
    written = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `order_engine_")]
    assert "\n".join(written) == "\n".join(expected_rows())


@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_has_metrics_of_its_own(process: str) -> None:
    assert any(f" {process}" in row.split("|")[4] for row in expected_rows())


def test_no_label_can_grow_without_bound() -> None:
    labels = {label for row in expected_rows() for label in row.split("|")[3].replace("`", "").split(",")}
    known = {"code", "endpoint", "fact", "method", "outcome", "reason", "route", "sqlstate_class", "statement"}
    assert {label.strip() for label in labels} - {""} == known | {"status", "venue"}
