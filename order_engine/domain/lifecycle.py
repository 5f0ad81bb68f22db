"""What may happen to an order, and when. The table is the whole truth; the database refuses the same illegal writes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from order_engine.domain.errors import IllegalTransition
from order_engine.domain.order import (
    AttemptFailed,
    AttemptStarted,
    CancelRequested,
    Fact,
    Order,
    OrderCancelled,
    OrderEvent,
    OrderFailed,
    RouteChosen,
    TransactionConfirmed,
    TransactionSigned,
)
from order_engine.domain.order import OrderStatus as S

TRANSITIONS: Final[Mapping[tuple[S, type[Fact]], S]] = MappingProxyType(
    {
        (S.PENDING, AttemptStarted): S.ROUTING,
        (S.PENDING, CancelRequested): S.CANCELLED,
        (S.ROUTING, RouteChosen): S.BUILDING,
        (S.ROUTING, AttemptFailed): S.PENDING,
        (S.ROUTING, OrderFailed): S.FAILED,
        (S.ROUTING, CancelRequested): S.CANCELLED,
        (S.BUILDING, TransactionSigned): S.SUBMITTED,  # recorded before the first send
        (S.BUILDING, AttemptFailed): S.PENDING,
        (S.BUILDING, OrderFailed): S.FAILED,
        (S.BUILDING, CancelRequested): S.CANCELLED,
        (S.SUBMITTED, TransactionConfirmed): S.CONFIRMED,
        (S.SUBMITTED, AttemptFailed): S.PENDING,  # dead or failed on chain: safe to try again
        (S.SUBMITTED, OrderFailed): S.FAILED,
        (S.SUBMITTED, CancelRequested): S.SUBMITTED,  # it may still land: stop resending, then decide
        (S.SUBMITTED, OrderCancelled): S.CANCELLED,
    }
)

IN_FLIGHT: Final = frozenset({S.ROUTING, S.BUILDING, S.SUBMITTED})
TERMINAL: Final = frozenset(S) - {status for status, _ in TRANSITIONS}


def apply(order: Order, fact: Fact, *, at: datetime) -> tuple[Order, OrderEvent]:
    """Return the order after `fact`, and the event that records it.

    Raises:
        IllegalTransition: the table has no row for (order.status, type(fact)), a cancel is repeated, no attempt is
            left to wait for, or a fact about a transaction does not name the recorded one.
    """
    status = TRANSITIONS.get((order.status, type(fact)))
    if status is None:
        raise IllegalTransition(f"{order.order_id}: {type(fact).__name__} while {order.status}")
    _check_transaction(order, fact)
    if isinstance(fact, AttemptFailed) and order.attempt >= order.max_attempts:
        raise IllegalTransition(f"{order.order_id}: attempt {order.attempt} was the last of {order.max_attempts}")
    changed = replace(_project(order, fact, at), status=status, sequence=order.sequence + 1, update_time=at)
    event = OrderEvent(
        order_id=order.order_id,
        sequence=changed.sequence,
        status=status,
        attempt=changed.attempt,
        event_time=at,
        fact=fact,
    )
    return changed, event


def _check_transaction(order: Order, fact: Fact) -> None:
    """Only an attempt's own outcome leaves SUBMITTED, and only once is a cancel recorded."""
    if isinstance(fact, CancelRequested) and order.cancel_requested:
        raise IllegalTransition(f"{order.order_id}: cancel requested twice")
    if isinstance(fact, AttemptFailed | OrderFailed | OrderCancelled):
        named = fact.transaction.signature if fact.transaction else None
    elif isinstance(fact, TransactionConfirmed):
        named = fact.fill.signature
    else:
        return
    live = order.signature if order.status is S.SUBMITTED else None
    if named != live:
        raise IllegalTransition(
            f"{order.order_id}: {type(fact).__name__} names {named}, the live transaction is {live}"
        )


def _project(order: Order, fact: Fact, at: datetime) -> Order:
    match fact:
        case AttemptStarted():
            return replace(order, attempt=order.attempt + 1, next_attempt_at=None)
        case RouteChosen():
            return replace(order, route=fact.route)
        case TransactionSigned():
            return replace(order, signature=fact.signature, last_valid_block_height=fact.last_valid_block_height)
        case TransactionConfirmed():
            return replace(order, fill=fact.fill, failure=None)
        case AttemptFailed():
            return replace(order, failure=fact.failure, next_attempt_at=at + fact.retry_after)
        case OrderFailed():
            return replace(order, failure=fact.failure)
        case CancelRequested():
            return replace(order, cancel_requested=True, next_attempt_at=None)
        case _:
            return order
