"""An order's attempts, read back out of its events: why it went the way it went."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.domain.errors import TransactionFailed
from order_engine.domain.order import (
    AttemptFailed,
    AttemptStarted,
    Failure,
    Order,
    OrderEvent,
    OrderFailed,
    RouteChosen,
    TransactionSigned,
)
from order_engine.domain.route import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    number: int  # from 1
    start_time: datetime
    candidates: tuple[Candidate, ...] = ()  # best first, the rejected ones last
    signature: Signature | None = None
    failure: Failure | None = None


def attempts_of(events: Iterable[OrderEvent]) -> tuple[Attempt, ...]:
    """Return every attempt that was started, oldest first. `events` are an order's, in sequence."""
    attempts: list[Attempt] = []
    for event in events:
        if isinstance(event.fact, AttemptStarted):
            attempts.append(Attempt(number=event.attempt, start_time=event.event_time))
        elif attempts:
            attempts[-1] = _after(attempts[-1], event)
    return tuple(attempts)


def _after(attempt: Attempt, event: OrderEvent) -> Attempt:
    match event.fact:
        case RouteChosen(candidates=candidates):
            return replace(attempt, candidates=candidates)
        case TransactionSigned(signature=signature):
            return replace(attempt, signature=signature)
        case AttemptFailed() | OrderFailed() as fact:
            return replace(attempt, failure=fact.failure, candidates=fact.candidates or attempt.candidates)
        case _:
            return attempt


def unlucky_pool(order: Order) -> Pubkey | None:
    """Return the pool whose program refused the last attempt for another reason than the price."""
    if order.failure is None or order.failure.reason != TransactionFailed.code:
        return None
    pool = order.failure.metadata.get("pool")
    return Pubkey.from_string(pool) if pool else None
