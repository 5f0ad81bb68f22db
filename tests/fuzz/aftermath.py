"""What must still be so after any amount of fuzzing: the engine serves, executes, has not grown, and met no bug."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc
from tests.e2e.live import TERMINAL, LiveEngine
from tests.fuzz.words import Words

GROWTH_AT_MOST_MIB: Final = 64  # of a process, over any run
_ORDER_SECONDS: Final = 60.0
_SHOWN: Final = 5  # bugs
_BUGS: Final = ('"level": "error"', '"level": "critical"', "Traceback (most recent call last)", "never retrieved")


@dataclass(slots=True)
class Patient:
    """A running engine that is fuzzed. Its memory is measured from when it is made."""

    engine: LiveEngine
    channel: grpc.Channel
    words: Words
    memory_before: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.memory_before = self.memory()

    def memory(self) -> dict[str, float]:
        """Return the resident MiB of what is asked directly."""
        pids = {"api": self.engine.pids("order_engine", " api")[0], "gateway": self.engine.pids("-m gateway")[0]}
        return {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in pids.items()}

    def check(self) -> None:
        """Raise AssertionError when it is not well any more."""
        health = health_pb2_grpc.HealthStub(self.channel)
        status = health.Check(health_pb2.HealthCheckRequest(), timeout=_ORDER_SECONDS).status
        assert status == health_pb2.HealthCheckResponse.SERVING
        last = executed(self.channel, 10**7)
        assert last.status == pb.ORDER_STATUS_CONFIRMED, last
        grown = {name: now - self.memory_before[name] for name, now in self.memory().items()}
        assert all(mebibytes <= GROWTH_AT_MOST_MIB for mebibytes in grown.values()), f"memory grew by {grown} MiB"
        assert not (bugs := self.bugs()), "\n".join(bugs[:_SHOWN])

    def bugs(self) -> list[str]:
        """Return the log lines that say an error was ours."""
        logs = (self.engine.state_dir / "logs").glob("*.log")
        lines = (line for log in logs for line in log.read_text(errors="replace").splitlines())
        return [line[:6_000] for line in lines if any(bug in line for bug in _BUGS)]


def executed(channel: grpc.Channel, amount_in: int) -> pb.OrderStatusUpdate:
    """Place an order, and return its last update."""
    orders = rpc.OrderServiceStub(channel)
    request = pb.SubmitOrderRequest(token_in="SOL", token_out="USDC", amount_in=amount_in)
    placed = orders.SubmitOrder(request, timeout=_ORDER_SECONDS)
    watching = pb.StreamOrderStatusRequest(order_id=placed.order_id)
    last = list(orders.StreamOrderStatus(watching, timeout=_ORDER_SECONDS))[-1]
    assert last.status in TERMINAL, last
    return last


@contextmanager
def patient(engine: LiveEngine) -> Iterator[Patient]:
    """Give a running engine a few orders that have ended, well and badly."""
    with grpc.insecure_channel(f"127.0.0.1:{engine.grpc_port}") as channel:
        order_ids = tuple(executed(channel, amount_in).order_id for amount_in in (10**8, 1, 10**7))
        yield Patient(engine, channel, Words(order_ids))
