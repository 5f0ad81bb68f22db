"""Promises about the order of two steps, which no run of the whole engine can tell apart for certain."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.adapters.memory.order_signals import MemoryOrderSignals
from order_engine.adapters.memory.order_store import MemoryOrderStore
from order_engine.adapters.solana.chain import SolanaChain
from order_engine.adapters.solana.json_rpc import JsonRpc
from order_engine.domain.errors import ChainUnavailable, Unavailable
from order_engine.domain.order import Order, OrderId, OrderType
from order_engine.usecases.submit_order import OrderTerms, SubmitOrder
from tests.unit.usecases.paper_world import World, executor, placed

TERMS = OrderTerms(
    owner="local",
    request_id="",
    client_order_id="",
    order_type=OrderType.MARKET,
    token_in=Pubkey([1] * 32),
    token_out=Pubkey([2] * 32),
    amount_in=1,
    slippage_bps=None,
)


@dataclass
class Hints:
    given: list[OrderId] = field(default_factory=list)

    def hint(self, order_id: OrderId) -> None:
        self.given.append(order_id)


class StoreAway(MemoryOrderStore):
    async def create(self, order: Order) -> Order:
        raise Unavailable("away")


@dataclass
class NoonClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, 12, tzinfo=UTC)

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(0)


async def test_an_order_is_hinted_only_once_it_is_stored() -> None:
    world, hints = World(), Hints()
    submit = SubmitOrder(
        store=StoreAway(NoonClock()),
        queue=hints,
        signals=MemoryOrderSignals(),
        identifiers=world.identifiers,
        clock=NoonClock(),
        default_slippage_bps=50,
        max_attempts=3,
    )
    with pytest.raises(Unavailable):
        await submit(TERMS)
    assert hints.given == []


class SlowWorld(World):
    """Nothing lands, and a pause between two looks lasts until it is cancelled."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pausing = asyncio.Event()

    async def sleep(self, duration: timedelta) -> None:
        if self.pausing.is_set():
            raise AssertionError("it went on after it was cancelled")
        self.pausing.set()
        await asyncio.Event().wait()


async def test_a_cancelled_execution_stops_at_once() -> None:
    world = SlowWorld(lands_after_sends=0)
    order = await placed(world)
    working = asyncio.create_task(executor(world)(order.order_id, world.identifiers.claim_id()))
    await world.pausing.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


@dataclass
class Endpoint:
    name: str = "endpoint"
    asked: list[str] = field(default_factory=list)

    async def call(self, method: str, params: Sequence[object], reply: object) -> object:
        self.asked.append(method)
        if method == "getSignatureStatuses":
            raise ChainUnavailable("asked enough")
        return None


async def test_the_height_is_read_before_the_signature_is_looked_for() -> None:
    endpoint = Endpoint()
    await SolanaChain([cast(JsonRpc, endpoint)]).sightings(Signature.default())
    assert endpoint.asked == ["getEpochInfo", "getSignatureStatuses"]
