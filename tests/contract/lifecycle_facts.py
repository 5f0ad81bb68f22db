"""What is recorded about orders: by honest callers and workers, twice, too late, and in a wrong sequence."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import Final
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from solders.signature import Signature

from order_engine.domain.errors import RequestIdReused
from order_engine.domain.lifecycle import IN_FLIGHT, apply
from order_engine.domain.order import (
    AttemptFailed,
    AttemptStarted,
    CancelRequested,
    EventId,
    Fact,
    Order,
    OrderCancelled,
    OrderEvent,
    OrderFailed,
    OrderId,
    OrderPlaced,
    OrderStatus,
    ResolvedTransaction,
    TransactionOutcome,
    TransactionSigned,
    fingerprint,
)
from order_engine.usecases.ports import OrderFilter, PageKey
from tests.contract.lifecycle_lockstep import Lockstep, Refused, together
from tests.contract.lifecycle_sides import World
from tests.contract.order_samples import (
    FAILURE,
    attempt_failed,
    confirmed,
    dead,
    failed_on_chain,
    route_chosen,
    signed,
)

S = OrderStatus
VENUES: Final = ("raydium_cpmm", "meteora_dlmm")
SECOND: Final = timedelta(seconds=1)
MILLISECOND: Final = timedelta(milliseconds=1)

pick = st.integers(0, 11)  # of what there is to choose from, counted around
maybe_pick = st.sampled_from([*[None] * 9, 0, 1, 2])


def any_fact(order: Order, used: Signature) -> list[Fact]:
    """Return facts of every kind, fitting or not. `used` is a signature recorded before, perhaps elsewhere."""
    live = order.signature or used
    landed = replace(dead(live), outcome=TransactionOutcome.LANDED)
    return [
        OrderPlaced(),
        AttemptStarted(),
        route_chosen(),
        signed(),
        replace(signed(), signature=used),
        replace(signed(), raw=b""),
        replace(signed(), raw=bytes(1233)),
        confirmed(live),
        attempt_failed(),
        attempt_failed(dead(live)),
        attempt_failed(landed),
        OrderFailed(failure=FAILURE),
        OrderFailed(failure=FAILURE, transaction=failed_on_chain(live)),
        OrderFailed(failure=FAILURE, transaction=landed),
        CancelRequested(),
        OrderCancelled(dead(live)),
        OrderCancelled(landed),
    ]


def fitting_facts(order: Order) -> list[Fact]:
    """Return what an honest worker or caller may record now; the usual first, and twice."""
    facts: list[Fact] = []
    match order.status:
        case S.ROUTING:
            usual = [route_chosen(venue) for venue in VENUES]
            facts += [*usual, *usual, failure_of(order, None, timedelta(0)), OrderFailed(failure=FAILURE)]
        case S.BUILDING:
            facts += [signed(), signed(), failure_of(order, None, 2 * SECOND), OrderFailed(failure=FAILURE)]
        case S.SUBMITTED if order.signature is not None:
            ends = (dead(order.signature), failed_on_chain(order.signature))
            facts += [confirmed(order.signature), *(failure_of(order, end, SECOND) for end in ends)]
    if order.status in (S.PENDING, *IN_FLIGHT) and not order.cancel_requested:
        facts.append(CancelRequested(order.last_valid_block_height and order.last_valid_block_height + 33))
    return facts


def failure_of(order: Order, transaction: ResolvedTransaction | None, retry: timedelta) -> Fact:
    """Return what follows a failed attempt: the cancel that waited for it, the next attempt, or the end."""
    if transaction is not None and order.cancel_requested:
        return OrderCancelled(transaction)
    if order.attempt < order.max_attempts:
        return AttemptFailed(failure=FAILURE, retry_after=retry, transaction=transaction)
    return OrderFailed(failure=FAILURE, transaction=transaction, candidates=route_chosen().candidates)


class Facts(Lockstep):
    """What is recorded about orders, in the right sequence and in a wrong one."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.appended: list[tuple[Order, Fact, EventId, tuple[Order, OrderEvent]]] = []

    def append(self, order: Order, fact: Fact, event_id: EventId) -> tuple[Order, OrderEvent] | Refused:
        answer = self.both("append", lambda side: side.store.append(order, fact, event_id))
        if not isinstance(answer, Refused):
            if event_id not in self.kept[order.order_id].event_ids:
                assert order == self.kept[order.order_id].order
                assert answer == apply(order, fact, at=self.now)
            self.appended.append((order, fact, event_id, answer))
        return answer

    def append_fitting(self, order: Order, fact: Fact) -> None:
        """Record a fact that fits the stored version."""
        answer = self.append(order, fact, EventId(self.identity()))
        assert not isinstance(answer, Refused), f"{fact} on {order}: {answer}"

    def any_order(self, at: int) -> Order:
        return self.kept[sorted(self.kept)[at % len(self.kept)]].order

    @precondition(lambda self: self.placed)
    @rule(at=pick, request_id=st.sampled_from([None, "", "one", "three"]), amount_in=st.sampled_from([None, 3]))
    def submit_again(self, at: int, request_id: str | None, amount_in: int | None) -> None:
        """The same order_id once more: as it was, under another request_id, or for another amount."""
        placed = self.placed[sorted(self.placed)[at % len(self.placed)]]
        request_id = placed.request_id if request_id is None else request_id
        self.create([replace(placed, request_id=request_id, amount_in=amount_in or placed.amount_in)])

    def create(self, asked: Sequence[Order]) -> None:
        answers = self.both("create", lambda side: together([side.store.create(order) for order in asked]))
        assert not isinstance(answers, Refused)
        for order, answer in zip(asked, answers, strict=True):
            self.world.answers[f"create: {answer.error.__name__ if isinstance(answer, Refused) else 'order'}"] += 1
            if isinstance(answer, Order):
                assert fingerprint(answer) == fingerprint(order)
                self.placed.setdefault(answer.order_id, answer)
            elif answer.error is RequestIdReused:
                assert OrderId(UUID(answer.metadata["order_id"])) in self.placed

    @precondition(lambda self: self.kept)
    @rule(at=pick, versions_ago=st.integers(0, 3), kind=st.integers(0, 16), identity=st.integers(0, 7), by=pick)
    def append_anything(self, at: int, versions_ago: int, kind: int, identity: int, by: int) -> None:
        """Any fact on any version, now and then with an event_id that is stored already."""
        versions = self.versions[self.any_order(at).order_id]
        order = versions[-1 - versions_ago % len(versions)]
        recorded = [fact.signature for _, fact, _, _ in self.appended if isinstance(fact, TransactionSigned)]
        fact = any_fact(order, recorded[by % len(recorded)] if recorded else Signature.default())[kind]
        stored = list(chain.from_iterable(self.kept[one].event_ids for one in sorted(self.kept)))
        self.append(order, fact, EventId(self.identity()) if identity else stored[by % len(stored)])

    @precondition(lambda self: self.appended)
    @rule(at=pick)
    def repeat_an_append(self, at: int) -> None:
        """The answer to a commit was lost: the same write again gets the same answer and changes nothing."""
        order, fact, event_id, answer = self.appended[-1 - at % len(self.appended)]
        again = self.both("repeat", lambda side: side.store.append(order, fact, event_id), writes=False)
        assert again == answer

    @precondition(lambda self: self.having(*IN_FLIGHT))
    @rule(picks=st.lists(st.tuples(pick, pick), min_size=2, max_size=4))
    def append_together(self, picks: list[tuple[int, int]]) -> None:
        """Facts that fit when asked; of two about one order, the first wins."""
        flight = self.having(*IN_FLIGHT)
        orders = [self.kept[flight[at % len(flight)]].order for at, _ in picks]
        wanted = [
            (order, fitting_facts(order)[choice % len(fitting_facts(order))], EventId(self.identity()))
            for order, (_, choice) in zip(orders, picks, strict=True)
        ]
        answers = self.both("race", lambda side: together([side.store.append(*one) for one in wanted]))
        assert not isinstance(answers, Refused)
        won = [order.order_id for (order, *_), answer in zip(wanted, answers, strict=True) if isinstance(answer, tuple)]
        assert sorted(won) == sorted({order.order_id for order, *_ in wanted})

    @precondition(lambda self: self.kept)
    @rule(at=pick, after=st.integers(-1, 8))
    def read(self, at: int, after: int) -> None:
        kept = self.kept[self.any_order(at).order_id]
        order_id, owner = kept.order.order_id, kept.order.owner
        assert self.both("get", lambda side: side.store.get(order_id, owner), writes=False) == kept.order
        self.both("get", lambda side: side.store.get(order_id, "somebody else"), writes=False)
        unknown = OrderId(self.identity())
        self.both("get", lambda side: side.store.get(unknown), writes=False)
        events = self.both("events", lambda side: side.store.events(order_id, after), writes=False)
        assert events == [event for event in kept.events if event.sequence > after]
        for one in self.kept:
            self.read_live_transaction(one)
        asked = [*self.kept, unknown]
        latest = self.both("latest", lambda side: side.store.latest_sequences(asked), writes=False)
        assert latest == {one: kept.order.sequence for one, kept in self.kept.items()}

    def read_live_transaction(self, order_id: OrderId) -> None:
        live = self.both("live", lambda side: side.store.live_transaction(order_id), writes=False)
        assert live == next(iter(self.kept[order_id].live), None)

    @precondition(lambda self: self.kept)
    @rule(
        wanted=st.builds(
            OrderFilter,
            owner=st.sampled_from(["local", "local", "other"]),
            status=st.sampled_from([None, None, S.PENDING, S.ROUTING, S.CANCELLED]),
            venue=st.sampled_from([None, None, *VENUES]),
            client_order_id=st.sampled_from([None, None, None, "mine", ""]),
        ),
        at_most=st.integers(1, 4),
        after=maybe_pick,
        since=maybe_pick,
        until=maybe_pick,
    )
    def list_orders(
        self, wanted: OrderFilter, at_most: int, after: int | None, since: int | None, until: int | None
    ) -> None:
        page = None
        if after is not None:
            page = PageKey(self.any_order(after).create_time, self.any_order(after).order_id)
        if since is not None:
            wanted = replace(wanted, create_time_after=self.any_order(since).create_time)
        if until is not None:
            wanted = replace(wanted, create_time_before=self.any_order(until).create_time)
        self.both("list", lambda side: side.store.list_orders(wanted, at_most, page), writes=False)
