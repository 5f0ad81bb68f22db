"""The metered ports pass everything on unchanged, and count it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from prometheus_client import CollectorRegistry

from order_engine.adapters.memory.order_claims import MemoryOrderClaims
from order_engine.adapters.memory.order_store import MemoryOrderStore
from order_engine.adapters.memory.task_queue import MemoryTaskQueue
from order_engine.adapters.metrics.broker import HintCounter
from order_engine.adapters.metrics.chain import ChainMetrics
from order_engine.adapters.metrics.database import statement_name
from order_engine.adapters.metrics.orders import OrderMetrics
from order_engine.adapters.metrics.ports import MeteredOrderClaims, MeteredOrderStore, MeteredTaskQueue
from order_engine.adapters.observer import Observers
from order_engine.adapters.postgres import statements
from order_engine.adapters.solana import replies
from order_engine.adapters.solana.json_rpc import JsonRpc, RpcError, http_session
from order_engine.adapters.system import SystemClock
from order_engine.domain.errors import ChainUnavailable, Unavailable
from order_engine.domain.order import AttemptStarted, Order, OrderEvent, OrderId
from order_engine.usecases.ports import AdmissionLimits, DueOrders
from tests.contract.order_samples import claim_id, event_id, new_order
from tests.unit.adapters.canned_endpoint import Answer, http, raw, reply, serving

LEASE = timedelta(seconds=6)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def memory() -> MemoryOrderStore:
    return MemoryOrderStore(SystemClock())


@pytest.fixture
def store(memory: MemoryOrderStore, registry: CollectorRegistry) -> MeteredOrderStore:
    return MeteredOrderStore(memory, OrderMetrics(registry))


def claims_of(memory: MemoryOrderStore, lease: timedelta = LEASE) -> MemoryOrderClaims:
    return MemoryOrderClaims(memory, AdmissionLimits(max_in_flight=0, max_starts_per_minute=0), lease)


def placed(registry: CollectorRegistry) -> float | None:
    labels = {"status": "pending", "fact": "order_placed", "reason": ""}
    return registry.get_sample_value("order_engine_order_events_total", labels)


async def test_a_repeated_request_is_one_order(store: MeteredOrderStore, registry: CollectorRegistry) -> None:
    first, again = await store.create(new_order("key")), await store.create(new_order("key"))
    assert first == again
    assert placed(registry) == 1


async def test_the_metered_store_answers_as_the_store(store: MeteredOrderStore, memory: MemoryOrderStore) -> None:
    order = await store.create(new_order())
    changed, event = await store.append(order, AttemptStarted(), event_id())
    assert await store.get(order.order_id) == changed == await memory.get(order.order_id)
    assert await store.events(order.order_id, 1) == [event]
    assert await store.latest_sequences([order.order_id]) == {order.order_id: 2}
    assert await store.live_transaction(order.order_id) is None


async def test_starts_takeovers_and_refusals_are_told_apart(
    memory: MemoryOrderStore, registry: CollectorRegistry
) -> None:
    claims = MeteredOrderClaims(claims_of(memory, timedelta(0)), registry)
    order = await memory.create(new_order())
    assert await claims.take_over(order.order_id, claim_id()) is None
    assert await claims.start(order.order_id, claim_id(), event_id()) is not None
    assert await claims.start(order.order_id, claim_id(), event_id()) is None
    assert await claims.take_over(order.order_id, claim_id()) is not None
    counts = {
        outcome: registry.get_sample_value("order_engine_claims_total", {"outcome": outcome})
        for outcome in ("started", "taken_over", "neither")
    }
    assert counts == {"started": 1, "taken_over": 1, "neither": 1}


async def test_sweeps_count_what_they_find(memory: MemoryOrderStore, registry: CollectorRegistry) -> None:
    claims = MeteredOrderClaims(claims_of(memory), registry)
    for _ in range(3):
        await memory.create(new_order())
    assert len((await claims.due(10)).order_ids) == 3
    assert len((await claims.due(2)).order_ids) == 2
    assert registry.get_sample_value("order_engine_sweeps_total", {"outcome": "ok"}) == 2
    assert registry.get_sample_value("order_engine_swept_orders_total") == 5


async def test_a_sweep_that_fails_is_counted_and_still_fails(
    memory: MemoryOrderStore, registry: CollectorRegistry
) -> None:
    class Away(MemoryOrderClaims):
        async def due(self, at_most: int) -> DueOrders:
            raise Unavailable("away")

    away = Away(memory, AdmissionLimits(max_in_flight=0, max_starts_per_minute=0), LEASE)
    with pytest.raises(Unavailable):
        await MeteredOrderClaims(away, registry).due(1)
    assert registry.get_sample_value("order_engine_sweeps_total", {"outcome": "unavailable"}) == 1


async def test_hints_are_counted_and_passed_on(registry: CollectorRegistry) -> None:
    hinted: list[OrderId] = []
    order_id = new_order().order_id
    MeteredTaskQueue(MemoryTaskQueue(hinted.append), registry).hint(order_id)
    await asyncio.sleep(0)
    assert hinted == [order_id]
    assert registry.get_sample_value("order_engine_hints_sent_total") == 1


def test_every_hint_that_arrives_is_counted(registry: CollectorRegistry) -> None:
    broker = StubBroker(middleware=[])
    broker.add_middleware(HintCounter(registry))
    message = dramatiq.Message(queue_name="q", actor_name="a", args=(), kwargs={}, options={})
    broker.emit_before("process_message", message)
    assert registry.get_sample_value("order_engine_hints_received_total") == 1


async def test_every_observer_is_told(memory: MemoryOrderStore) -> None:
    class Recorder:
        def __init__(self) -> None:
            self.told: Sequence[tuple[Order, OrderEvent]] = ()

        def recorded(self, order: Order, event: OrderEvent) -> None:
            self.told = [*self.told, (order, event)]

    order = await memory.create(new_order())
    fact = await memory.append(order, AttemptStarted(), event_id())
    first, second = Recorder(), Recorder()
    Observers(first, second).recorded(*fact)
    assert first.told == second.told == [fact]


@pytest.mark.parametrize(
    ("answer", "outcome", "error"),
    [
        (reply(result="abc"), "ok", None),
        (reply(error={"code": -32602, "message": "no"}), "refused", RpcError),
        (raw(http(b"", 429)), "unavailable", ChainUnavailable),
    ],
)
async def test_calls_to_the_chain_are_timed_by_outcome(
    registry: CollectorRegistry, answer: Answer, outcome: str, error: type[Exception] | None
) -> None:
    async with serving(answer) as endpoint, http_session(5.0) as session:
        rpc = JsonRpc(f"{endpoint.url}/secret-key", session, ChainMetrics(registry).called)
        if error is None:
            assert await rpc.call("getGenesisHash", [], replies.TEXT) == "abc"
        else:
            with pytest.raises(error):
                await rpc.call("getGenesisHash", [], replies.TEXT)
    labels = {"endpoint": endpoint.name, "method": "getGenesisHash", "outcome": outcome}
    assert registry.get_sample_value("order_engine_solana_rpc_seconds_count", labels) == 1


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        (str(statements.CREATE), "insert orders"),
        (str(statements.KNOWN), "select orders"),
        (str(statements.ADVANCE), "update orders"),
        (str(statements.RECORD_TRANSACTIONS), "insert transactions"),
        (str(statements.WRITE_POST_MORTEMS), "insert post_mortems"),
        ("DELETE FROM order_events", "delete order_events"),
        ("SELECT 1", "other"),
        ("SELECT * FROM somebody_elses", "other"),
    ],
)
def test_statements_have_few_names(statement: str, name: str) -> None:
    assert statement_name(statement) == name
