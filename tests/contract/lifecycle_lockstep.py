"""One step on both implementations at once: every answer must agree, and so must everything that is kept after it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, TypeVar
from uuid import NAMESPACE_OID, UUID, uuid5

from hypothesis.stateful import RuleBasedStateMachine, invariant

from order_engine.domain.errors import EngineError
from order_engine.domain.lifecycle import IN_FLIGHT, TERMINAL, TRANSITIONS, apply
from order_engine.domain.order import Order, OrderEvent, OrderId, OrderPlaced, OrderStatus
from order_engine.usecases.ports import AdmissionLimits
from tests.contract.lifecycle_sides import Kept, Side, State, World

T = TypeVar("T")

MINUTE: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Refused:
    error: type[EngineError]
    metadata: dict[str, str]


async def answer_of(call: Awaitable[T]) -> T | Refused:
    try:
        return await call
    except EngineError as error:
        return Refused(type(error), dict(error.metadata))


async def together(calls: Sequence[Awaitable[T]]) -> list[T | Refused]:
    """Ask all at once, as concurrent callers of one process do."""
    return await asyncio.gather(*(answer_of(call) for call in calls))


class Lockstep(RuleBasedStateMachine):
    """Holds the two sides, the state they last agreed on, and what rules need to choose from."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.sides: tuple[Side, ...] = ()
        self.limits = AdmissionLimits(max_in_flight=0, max_starts_per_minute=0)
        self.kept: State = {}
        self.placed: dict[OrderId, Order] = {}
        self.versions: dict[OrderId, list[Order]] = {}
        self._must_not_write = True
        self._identities = 0

    def set_up(self, limits: AdmissionLimits) -> None:
        self.limits = limits
        self.sides = self.world.begin(limits)

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    def identity(self) -> UUID:
        """Return an identifier that is new, the same in every run, and in no order."""
        self._identities += 1
        return uuid5(NAMESPACE_OID, str(self._identities))

    def having(self, *statuses: OrderStatus) -> list[OrderId]:
        return sorted(one for one, kept in self.kept.items() if kept.order.status in statuses)

    def both(
        self, what: str, call: Callable[[Side], Coroutine[object, object, T]], *, writes: bool = True
    ) -> T | Refused:
        """Return the answer that both sides gave. A refusal, None and what only reads may change nothing."""
        memory, postgres = (self.world.run(answer_of(call(side))) for side in self.sides)
        assert memory == postgres, f"{what}:\n  memory   {memory!r}\n  postgres {postgres!r}"
        refused = memory.error.__name__ if isinstance(memory, Refused) else ""
        self.world.answers[f"{what}: {refused or ('yes' if memory else 'no')}"] += 1
        if writes and not refused and memory is not None:
            self._must_not_write = False
        return memory

    @invariant()
    def both_keep_the_same(self) -> None:
        memory, postgres = self.world.memory_state(), self.world.postgres_state()
        for order_id in memory.keys() | postgres.keys():
            ours, theirs = memory.get(order_id), postgres.get(order_id)
            assert ours == theirs, f"kept of {order_id}:\n  memory   {ours!r}\n  postgres {theirs!r}"
        if self._must_not_write:
            assert memory == self.kept, "something was written that should not have been"
        self._must_not_write = True
        last, self.kept = self.kept, memory
        for order_id, kept in memory.items():
            earlier = last.get(order_id)
            if kept != earlier:
                self.versions[order_id] = _history(self.placed[order_id], kept.events)
                _check(kept, self.versions[order_id], earlier)
                steps = list(pairwise(kept.events))[len(earlier.events) - 1 if earlier else 0 :]
                self.world.taken.update((before.status, type(event.fact)) for before, event in steps)
        signatures = [one.signature for kept in memory.values() for one in kept.live]
        assert len(signatures) == len(set(signatures))

    def admits(self, order_id: OrderId) -> bool:
        """Say whether the limits admit the order to a start now: it is among the oldest due ones that fit."""
        due = [(one.due_at, one.order.create_time, name) for name, one in self.kept.items() if one.due_at]
        waiting = [name for at, _, name in sorted(due) if at <= self.now]
        free = [len(waiting)]
        if self.limits.max_in_flight:
            free.append(self.limits.max_in_flight - len(self.having(*IN_FLIGHT)))
        if self.limits.max_starts_per_minute:
            starts = [one.started_at for kept in self.kept.values() for one in kept.attempts]
            recent = [at for at in starts if at >= self.now - MINUTE]
            free.append(self.limits.max_starts_per_minute - len(recent))
        order = self.kept[order_id].order
        return order_id in waiting[: max(0, min(free))] and order.attempt < order.max_attempts


def _history(placed: Order, events: Sequence[OrderEvent]) -> list[Order]:
    """Return every version of an order, made anew from its facts alone."""
    versions = [placed]
    for event in events[1:]:
        order, again = apply(versions[-1], event.fact, at=event.event_time)
        assert again == event
        versions.append(order)
    return versions


def _check(kept: Kept, versions: Sequence[Order], before: Kept | None) -> None:
    order, events = kept.order, kept.events
    assert order == versions[-1]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert (events[0].fact, events[0].status) == (OrderPlaced(), OrderStatus.PENDING)
    for earlier, event in pairwise(events):
        assert TRANSITIONS[earlier.status, type(event.fact)] is event.status
        assert earlier.status not in TERMINAL
        assert earlier.event_time <= event.event_time
    if before is not None:
        assert events[: len(before.events)] == before.events
        assert before.order.status not in TERMINAL
    assert [one.signature for one in kept.live] == ([order.signature] if order.status is OrderStatus.SUBMITTED else [])
    assert (kept.due_at is not None) == (order.status is OrderStatus.PENDING)
    assert (kept.claimed_until is not None) == (order.status in IN_FLIGHT)
    assert kept.claimed_by is None or kept.claimed_until is not None
    assert len(kept.attempts) == order.attempt <= order.max_attempts
