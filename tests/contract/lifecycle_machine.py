"""The life of orders as rules: what callers, workers, the chain and bad luck may do, in any sequence."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from order_engine.domain.lifecycle import IN_FLIGHT
from order_engine.domain.order import CancelRequested, EventId, Order, OrderId, OrderStatus
from order_engine.usecases.ports import AdmissionLimits, DueOrders, OrderClaims
from tests.contract.lifecycle_facts import MILLISECOND, SECOND, Facts, fitting_facts, pick
from tests.contract.lifecycle_lockstep import Refused, together
from tests.contract.lifecycle_sides import LEASE, Side, World
from tests.contract.order_samples import new_order

MICROSECOND: Final = timedelta(microseconds=1)

life = st.lists(pick, max_size=8)  # what happens to an order, step by step


class LifecycleMachine(Facts):
    """Who works on what, while time passes, workers die, and hints come twice or not at all."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.claim_ids: list[UUID] = []
        self.started: list[tuple[OrderId, UUID, EventId]] = []

    def claim_id(self) -> UUID:
        self.claim_ids.append(self.identity())
        return self.claim_ids[-1]

    @initialize(
        in_flight=st.sampled_from([0, 1, 1, 2, 3]),
        starts=st.sampled_from([0, 0, 2, 4]),
        lives=st.lists(st.tuples(life, st.integers(1, 3)), min_size=1, max_size=4),
    )
    def begin(self, in_flight: int, starts: int, lives: list[tuple[list[int], int]]) -> None:
        self.set_up(AdmissionLimits(max_in_flight=in_flight, max_starts_per_minute=starts))
        for choices, max_attempts in lives:
            self.submit([replace(new_order(), max_attempts=max_attempts)], MILLISECOND, choices)

    @rule(
        order=st.builds(
            new_order,
            st.sampled_from(["", "", "one", "two"]),
            owner=st.sampled_from(["local", "local", "other"]),
            client_order_id=st.sampled_from(["", "mine"]),
            amount_in=st.integers(1, 2),
        ),
        max_attempts=st.integers(1, 3),
        later=st.sampled_from([timedelta(0), MILLISECOND]),
        copies=st.sampled_from([1, 1, 2, 3]),
        choices=life,
    )
    def submit_and_work(
        self, order: Order, max_attempts: int, later: timedelta, copies: int, choices: list[int]
    ) -> None:
        """Perhaps several times at once, and perhaps with a request_id that is known."""
        self.submit([replace(order, max_attempts=max_attempts)] * copies, later, choices)

    def submit(self, orders: Sequence[Order], later: timedelta, choices: Sequence[int]) -> None:
        """Place orders; the first one goes some way before anything goes wrong."""
        self.world.pass_time(later)
        asked = [replace(order, order_id=OrderId(self.identity())) for order in orders]
        self.create(asked)
        self.both_keep_the_same()
        if asked[0].order_id in self.kept:
            self.live(asked[0].order_id, choices)

    @precondition(lambda self: self.able())
    @rule(at=pick, choices=life)
    def work(self, at: int, choices: list[int]) -> None:
        """An honest worker takes an order as far as it gets."""
        able = self.able()
        self.live(able[at % len(able)], [1, *choices])

    def able(self) -> list[OrderId]:
        return self.in_flight() + [one for one in self.having(OrderStatus.PENDING) if self.admits(one)]

    def live(self, order_id: OrderId, choices: Sequence[int]) -> None:
        for choice in choices:
            order = self.kept[order_id].order
            if order.status is OrderStatus.PENDING and choice == 0 and not order.cancel_requested:
                self.append_fitting(order, CancelRequested())
            elif self.admits(order_id):
                self.start_order(order_id)
            elif order.status is OrderStatus.PENDING:
                self.wait()
            elif order.status in IN_FLIGHT:
                facts = fitting_facts(order)
                self.append_fitting(order, facts[choice % len(facts)])
            else:
                return
            self.both_keep_the_same()

    @precondition(lambda self: self.kept)
    @rule(at=pick)
    def start(self, at: int) -> None:
        """A hint: right, early, or a second one for an order that another worker has."""
        self.start_order(self.any_order(at).order_id)

    @precondition(lambda self: self.kept)
    @rule(starts=st.integers(1, 3))
    def sweep(self, starts: int) -> None:
        """Look at what is due, as a worker's sweeper does."""
        due = self.due(starts)
        for order_id in due.order_ids[:1]:
            if self.kept[order_id].order.status is OrderStatus.PENDING:
                self.start_order(order_id)
            else:
                self.take_over_order(order_id)

    def due(self, at_most: int) -> DueOrders:
        due = self.both("due", lambda side: self.due_of(side, at_most), writes=False)
        assert not isinstance(due, Refused)
        return due

    async def due_of(self, side: Side, at_most: int) -> DueOrders:
        """Return what is due; leases that passed at the same moment, which are in no order, by order_id."""
        due = await side.claims.due(at_most)
        passed = [(self.kept[one].claimed_until or self.now, one) for one in due.order_ids if one in self.in_flight()]
        assert [until for until, _ in passed] == sorted(until for until, _ in passed)
        return replace(due, order_ids=[*(one for _, one in sorted(passed)), *due.order_ids[len(passed) :]])

    def in_flight(self) -> list[OrderId]:
        return self.having(*IN_FLIGHT)

    def start_order(self, order_id: OrderId) -> None:
        start = (order_id, self.claim_id(), EventId(self.identity()))
        started = self.both("start", lambda side: side.claims.start(*start))
        assert (started is not None) == self.admits(order_id)
        self.started.append(start)

    @precondition(lambda self: self.kept)
    @rule(first=pick)
    def start_everything(self, first: int) -> None:
        """Every order is hinted at once, and one of them to two workers: the limits choose."""
        names = sorted(self.kept, key=lambda one: (one != self.any_order(first).order_id, one))
        starts = [(one, self.claim_id(), EventId(self.identity())) for one in (*names, names[0])]
        self.both("start race", lambda side: together([side.claims.start(*start) for start in starts]))
        self.started += starts

    @precondition(lambda self: self.started)
    @rule(at=pick)
    def repeat_a_start(self, at: int) -> None:
        start = self.started[-1 - at % len(self.started)]
        self.both("start again", lambda side: side.claims.start(*start))

    @precondition(lambda self: self.kept)
    @rule(at=pick)
    def take_over(self, at: int) -> None:
        self.take_over_order(self.any_order(at).order_id)

    def take_over_order(self, order_id: OrderId) -> None:
        claim_id, until = self.claim_id(), self.kept[order_id].claimed_until
        claim = self.both("take over", lambda side: side.claims.take_over(order_id, claim_id))
        assert (claim is not None) == (until is not None and until <= self.now)

    @precondition(lambda self: self.in_flight())
    @rule(at=pick)
    def crash_and_take_over(self, at: int) -> None:
        """The worker died: its lease passes, and the order goes on where it stands."""
        flight = self.in_flight()
        self.world.pass_time(LEASE)
        self.take_over_order(flight[at % len(flight)])

    @precondition(lambda self: self.kept and self.claim_ids)
    @rule(at=pick, by=pick)
    def reload(self, at: int, by: int) -> None:
        """The worker that has the order, or one that had it, or has another."""
        order_id = self.any_order(at).order_id
        holder = self.kept[order_id].claimed_by
        claim_id = holder if holder and by % 2 else self.claim_ids[-1 - by % len(self.claim_ids)]
        claim = self.both("reload", lambda side: side.claims.reload(order_id, claim_id), writes=False)
        assert (claim is not None) == (self.kept[order_id].claimed_by == claim_id)

    @precondition(lambda self: self.in_flight())
    @rule(picks=st.lists(pick, max_size=4))
    def renew(self, picks: list[int]) -> None:
        asked = self.some_claims(picks)
        renewed = self.both("renew", lambda side: side.claims.renew(asked))
        assert renewed == {kept.claimed_by for kept in self.kept.values()} & set(asked)

    @precondition(lambda self: self.in_flight())
    @rule(picks=st.lists(pick, max_size=4))
    def release(self, picks: list[int]) -> None:
        asked = self.some_claims(picks)

        async def release(claims: OrderClaims) -> bool:
            await claims.release(asked)
            return True

        self.both("release", lambda side: release(side.claims))

    def some_claims(self, picks: Sequence[int]) -> list[UUID]:
        return [self.claim_ids[-1 - at % len(self.claim_ids)] for at in picks] if self.claim_ids else []

    @precondition(lambda self: self.kept)
    @rule(duration=st.sampled_from([None, None, SECOND, LEASE / 2, LEASE, 20 * SECOND]), early=st.sampled_from([0, 1]))
    def pass_time(self, duration: timedelta | None, early: int) -> None:
        """Some time, or until something falls due, or to just before that."""
        if duration is None:
            self.wait(early * MICROSECOND)
        else:
            self.world.pass_time(duration)

    def wait(self, early: timedelta = timedelta(0)) -> None:
        """Let time pass until the next order falls due."""
        next_at = self.due(10).next_at
        if next_at:
            self.world.pass_time(next_at - early)
