"""Replay, then follow: no gap, no duplicate, and an end."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.domain.errors import EngineError, OrderNotFound, SequenceOutOfRange, Unavailable
from order_engine.domain.lifecycle import apply
from order_engine.domain.order import (
    LOCAL_OWNER,
    AttemptStarted,
    Fact,
    Fill,
    Order,
    OrderEvent,
    OrderId,
    OrderPlaced,
    OrderType,
    RouteChosen,
    TransactionConfirmed,
    TransactionSigned,
)
from order_engine.domain.route import Route
from order_engine.usecases.stream_order_status import FAILED_READS_AT_MOST, StreamOrderStatus

AT = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
ORDER_ID = OrderId(UUID(int=7))
SIGNATURE = Signature.new_unique()
ROUTE = Route(legs=(), amount_in=10, max_amount_in=10, amount_out=20, min_amount_out=19, price_impact_bps=0, slot=5)
FILL = Fill(signature=SIGNATURE, slot=9, amount_in=10, amount_out=20, fee_lamports=5000)
LIFE: Sequence[Fact] = (
    AttemptStarted(),
    RouteChosen(ROUTE, ()),
    TransactionSigned(SIGNATURE, b"raw", 300),
    TransactionConfirmed(FILL),
)


class Log:
    """A store of one order whose events a test adds one by one."""

    def __init__(self) -> None:
        self.order = Order(
            order_id=ORDER_ID,
            owner=LOCAL_OWNER,
            request_id="",
            client_order_id="",
            order_type=OrderType.MARKET,
            token_in=Pubkey.new_unique(),
            token_out=Pubkey.new_unique(),
            amount_in=10,
            slippage_bps=50,
            max_attempts=3,
            create_time=AT,
            update_time=AT,
        )
        placed = OrderEvent(
            order_id=ORDER_ID, sequence=1, status=self.order.status, attempt=0, event_time=AT, fact=OrderPlaced()
        )
        self.recorded = [placed]
        self.reads = 0
        self.failing_reads = 0

    def add(self, fact: Fact) -> None:
        self.order, event = apply(self.order, fact, at=AT)
        self.recorded.append(event)

    async def get(self, order_id: OrderId, owner: str | None = None) -> Order:
        if order_id != ORDER_ID or owner not in (None, self.order.owner):
            raise OrderNotFound("no such order")
        return self.order

    async def events(self, order_id: OrderId, after_sequence: int) -> Sequence[OrderEvent]:
        self.reads += 1
        if self.failing_reads:
            self.failing_reads -= 1
            raise Unavailable("the store is away")
        return [event for event in self.recorded if event.sequence > after_sequence]


class Signals:
    """Each wait records the next of `facts` and returns: a wake-up and the end of the time look the same."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.live = 0
        self.facts: list[Fact | None] = []  # None: a wake-up without news
        self.waited = asyncio.Event()
        self.waits: list[timedelta] = []
        self.on_subscribed: list[Fact] = []

    @asynccontextmanager
    async def subscribe(self, order_id: OrderId) -> AsyncGenerator["Signals"]:
        self.live += 1
        for fact in self.on_subscribed:
            self.log.add(fact)
        try:
            yield self
        finally:
            self.live -= 1

    async def wait(self, at_most: timedelta) -> None:
        self.waits.append(at_most)
        self.waited.set()
        fact = self.facts.pop(0) if self.facts else None
        if fact is not None:
            self.log.add(fact)
        await asyncio.sleep(0)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def signals(log: Log) -> Signals:
    return Signals(log)


@pytest.fixture
def stream(log: Log, signals: Signals) -> StreamOrderStatus:
    return StreamOrderStatus(store=log, signals=signals, reread_every=timedelta(seconds=5))


async def sequences(stream: StreamOrderStatus, after_sequence: int = 0) -> list[int]:
    async with aclosing(stream(ORDER_ID, LOCAL_OWNER, after_sequence)) as events:
        return [event.sequence async for event in events]


async def test_a_finished_order_is_replayed_whole_and_ends(stream, log, signals):
    for fact in LIFE:
        log.add(fact)
    assert await sequences(stream) == [1, 2, 3, 4, 5]
    assert signals.live == 0
    assert signals.waits == []


@pytest.mark.parametrize("after_sequence", range(5))
async def test_it_resumes_after_every_sequence(stream, log, after_sequence):
    for fact in LIFE:
        log.add(fact)
    assert await sequences(stream, after_sequence) == list(range(after_sequence + 1, 6))


async def test_a_cursor_at_the_terminal_event_ends_at_once(stream, log):
    for fact in LIFE:
        log.add(fact)
    assert await sequences(stream, 5) == []
    assert log.reads == 0


async def test_later_events_are_followed_until_the_terminal_one(stream, signals):
    signals.facts = list(LIFE)
    assert await sequences(stream) == [1, 2, 3, 4, 5]
    assert signals.live == 0
    assert set(signals.waits) == {timedelta(seconds=5)}


async def test_a_cursor_at_the_last_event_waits_for_the_next(stream, signals):
    signals.facts = list(LIFE)
    assert await sequences(stream, 1) == [2, 3, 4, 5]


async def test_what_happens_right_after_subscribing_is_not_lost(stream, signals):
    signals.on_subscribed = list(LIFE)
    assert await sequences(stream) == [1, 2, 3, 4, 5]


async def test_a_wake_up_without_news_yields_nothing_twice(stream, signals):
    signals.facts = [None, LIFE[0], None, None, *LIFE[1:]]
    assert await sequences(stream) == [1, 2, 3, 4, 5]
    assert len(signals.waits) == 7


async def test_a_cursor_beyond_the_last_event_is_refused(stream, signals):
    with pytest.raises(SequenceOutOfRange) as refused:
        await sequences(stream, 2)
    assert refused.value.metadata == {"last_sequence": "1"}
    assert signals.live == 0


async def test_the_largest_cursor_never_reaches_the_store(stream, log):
    with pytest.raises(SequenceOutOfRange):
        await sequences(stream, 2**64 - 1)
    assert log.reads == 0


async def test_an_unknown_order_is_refused(stream, signals):
    with pytest.raises(OrderNotFound):
        await anext(stream(OrderId(UUID(int=8)), LOCAL_OWNER))
    assert signals.live == 0


async def test_someone_elses_order_looks_unknown(stream):
    with pytest.raises(OrderNotFound):
        await anext(stream(ORDER_ID, "somebody-else"))


async def test_a_store_that_is_away_for_a_moment_is_waited_out(stream, log, signals):
    async with aclosing(stream(ORDER_ID, LOCAL_OWNER)) as events:
        assert (await anext(events)).sequence == 1
        log.failing_reads = FAILED_READS_AT_MOST - 1
        signals.facts = list(LIFE)
        assert [event.sequence async for event in events] == [2, 3, 4, 5]


async def test_a_store_that_stays_away_ends_the_stream(stream, log, signals):
    async with aclosing(stream(ORDER_ID, LOCAL_OWNER)) as events:
        await anext(events)
        log.failing_reads = FAILED_READS_AT_MOST
        with pytest.raises(Unavailable):
            await anext(events)
    assert signals.live == 0


async def test_a_store_that_is_away_at_the_start_is_reported_at_once(stream, log, signals):
    log.failing_reads = 1
    with pytest.raises(Unavailable):
        await anext(stream(ORDER_ID, LOCAL_OWNER))
    assert signals.waits == []


@pytest.mark.parametrize("wrong_sequence", [2, 4])
async def test_a_gap_or_a_repeat_in_the_store_is_never_passed_on(stream, log, wrong_sequence):
    log.add(LIFE[0])
    log.add(LIFE[1])
    log.recorded[2] = replace(log.recorded[2], sequence=wrong_sequence)
    events = stream(ORDER_ID, LOCAL_OWNER)
    assert [(await anext(events)).sequence for _ in range(2)] == [1, 2]
    with pytest.raises(EngineError, match="follows 2"):
        await anext(events)


async def test_leaving_early_unsubscribes(stream, signals):
    events = stream(ORDER_ID, LOCAL_OWNER)
    await anext(events)
    assert signals.live == 1
    await events.aclose()
    assert signals.live == 0


async def test_cancelling_a_waiting_watcher_unsubscribes(stream, signals):
    watcher = asyncio.ensure_future(sequences(stream))
    await signals.waited.wait()
    watcher.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watcher
    assert signals.live == 0
