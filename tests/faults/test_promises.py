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
from order_engine.adapters.solana import replies
from order_engine.adapters.solana.chain import SILENT_SECONDS, SolanaChain
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


@dataclass
class Searched(Endpoint):
    """Says what it was told to, or, while it is silent, nothing."""

    landed: bool = False
    speaks: asyncio.Event = field(default_factory=asyncio.Event)
    breaks: bool = False

    async def call(self, method: str, params: Sequence[object], reply: object) -> object:
        await self.speaks.wait()
        if self.breaks:
            raise ChainUnavailable("away")
        if method == "getEpochInfo":
            return replies.EpochInfo(absoluteSlot=2, blockHeight=1)
        status = replies.SignatureStatus(slot=1, err=None, confirmationStatus="confirmed") if self.landed else None
        return replies.WithContext(context=replies.Context(slot=2), value=[status])


def two_endpoints(*, landed: bool) -> tuple[SolanaChain, Searched]:
    """The second one is silent."""
    speaking, silent = Searched("speaking", landed=landed), Searched("silent")
    speaking.speaks.set()
    return SolanaChain([cast(JsonRpc, speaking), cast(JsonRpc, silent)]), silent


async def test_what_one_endpoint_has_seen_land_has_landed() -> None:
    chain, _ = two_endpoints(landed=True)
    async with asyncio.timeout(SILENT_SECONDS / 2):
        assert [one.endpoint for one in await chain.sightings(Signature.default())] == ["speaking"]


async def test_a_signature_is_missed_only_when_every_endpoint_was_heard_or_has_failed() -> None:
    chain, silent = two_endpoints(landed=False)
    searching = asyncio.create_task(chain.sightings(Signature.default()))
    await asyncio.wait({searching}, timeout=2 * SILENT_SECONDS)
    assert not searching.done()
    silent.breaks = True
    silent.speaks.set()
    assert [one.endpoint for one in await searching] == ["speaking"]


async def test_one_that_has_just_failed_is_asked_but_not_waited_for() -> None:
    chain, silent = two_endpoints(landed=False)
    silent.breaks = True
    silent.speaks.set()
    await chain.sightings(Signature.default())
    silent.speaks.clear()
    async with asyncio.timeout(2 * SILENT_SECONDS):
        assert [one.endpoint for one in await chain.sightings(Signature.default())] == ["speaking"]
    silent.breaks = False
    silent.speaks.set()
    assert {one.endpoint for one in await chain.sightings(Signature.default())} == {"speaking", "silent"}
