"""The state table: what may happen, what may not, and what each fact does to an order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.domain.errors import IllegalTransition
from order_engine.domain.lifecycle import IN_FLIGHT, TERMINAL, TRANSITIONS, apply
from order_engine.domain.order import (
    AttemptFailed,
    AttemptStarted,
    CancelRequested,
    Fact,
    Failure,
    Fill,
    Order,
    OrderCancelled,
    OrderFailed,
    OrderId,
    OrderPlaced,
    OrderStatus,
    OrderType,
    ResolvedTransaction,
    RouteChosen,
    TransactionConfirmed,
    TransactionOutcome,
    TransactionSigned,
)
from order_engine.domain.route import Route

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIVE, OTHER = Signature(bytes([1] * 64)), Signature(bytes([2] * 64))
FAILURE = Failure("SLIPPAGE_EXCEEDED", "less than min_amount_out")
ROUTE = Route(legs=(), amount_in=5, max_amount_in=5, amount_out=9, min_amount_out=8, price_impact_bps=1, slot=7)


def order(status: OrderStatus, **changes: object) -> Order:
    plain = Order(
        order_id=OrderId(UUID(int=1)),
        owner="local",
        request_id="",
        client_order_id="",
        order_type=OrderType.MARKET,
        token_in=Pubkey([1] * 32),
        token_out=Pubkey([2] * 32),
        amount_in=5,
        slippage_bps=50,
        max_attempts=3,
        create_time=NOON,
        update_time=NOON,
        status=status,
        sequence=4,
        signature=LIVE if status is OrderStatus.SUBMITTED else None,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def resolved(signature: Signature = LIVE) -> ResolvedTransaction:
    return ResolvedTransaction(signature=signature, outcome=TransactionOutcome.DEAD)


def facts_for(status: OrderStatus) -> list[Fact]:
    out = resolved() if status is OrderStatus.SUBMITTED else None
    return [
        OrderPlaced(),
        AttemptStarted(),
        RouteChosen(ROUTE, ()),
        TransactionSigned(LIVE, b"bytes", 150),
        TransactionConfirmed(Fill(signature=LIVE, slot=9, amount_in=5, amount_out=9, fee_lamports=5000)),
        AttemptFailed(failure=FAILURE, retry_after=timedelta(seconds=1), transaction=out),
        OrderFailed(failure=FAILURE, transaction=out),
        CancelRequested(),
        OrderCancelled(resolved()),
    ]


@pytest.mark.parametrize("status", list(OrderStatus))
def test_exactly_the_table_is_allowed(status: OrderStatus) -> None:
    for fact in facts_for(status):
        expected = TRANSITIONS.get((status, type(fact)))
        if expected is None:
            with pytest.raises(IllegalTransition):
                apply(order(status), fact, at=NOON)
        else:
            changed, event = apply(order(status), fact, at=NOON)
            assert changed.status is event.status is expected
            assert changed.sequence == event.sequence == 5


def test_no_status_is_forgotten() -> None:
    assert {OrderStatus.CONFIRMED, OrderStatus.FAILED, OrderStatus.CANCELLED, OrderStatus.EXPIRED} == TERMINAL
    assert {OrderStatus.ROUTING, OrderStatus.BUILDING, OrderStatus.SUBMITTED} == IN_FLIGHT
    assert frozenset(OrderStatus) == TERMINAL | IN_FLIGHT | {OrderStatus.PENDING}


@pytest.mark.parametrize(
    "fact",
    [
        AttemptFailed(failure=FAILURE, retry_after=timedelta(seconds=1), transaction=resolved(OTHER)),
        AttemptFailed(failure=FAILURE, retry_after=timedelta(seconds=1)),
        OrderFailed(failure=FAILURE),
        OrderCancelled(resolved(OTHER)),
        TransactionConfirmed(Fill(signature=OTHER, slot=9, amount_in=5, amount_out=9, fee_lamports=5000)),
    ],
)
def test_only_the_outcome_of_the_live_transaction_leaves_submitted(fact: Fact) -> None:
    with pytest.raises(IllegalTransition):
        apply(order(OrderStatus.SUBMITTED), fact, at=NOON)


def test_an_unsigned_attempt_cannot_fail_with_a_transaction() -> None:
    fact = OrderFailed(failure=FAILURE, transaction=resolved())
    with pytest.raises(IllegalTransition):
        apply(order(OrderStatus.BUILDING, signature=LIVE), fact, at=NOON)


def test_a_cancel_of_a_sent_order_is_recorded_once_and_keeps_the_status() -> None:
    changed, _ = apply(order(OrderStatus.SUBMITTED), CancelRequested(183), at=NOON)
    assert changed.cancel_requested
    assert changed.status is OrderStatus.SUBMITTED
    with pytest.raises(IllegalTransition):
        apply(changed, CancelRequested(183), at=NOON)


def test_a_retry_waits_exactly_its_delay_after_the_failure() -> None:
    fact = AttemptFailed(failure=FAILURE, retry_after=timedelta(seconds=2))
    changed, _ = apply(order(OrderStatus.ROUTING, attempt=2), fact, at=NOON)
    assert changed.next_attempt_at == NOON + timedelta(seconds=2)
    assert changed.attempt == 2
    again, _ = apply(changed, AttemptStarted(), at=NOON)
    assert (again.attempt, again.next_attempt_at) == (3, None)


def test_a_confirmed_order_shows_its_fill_and_no_old_failure() -> None:
    fill = Fill(signature=LIVE, slot=9, amount_in=5, amount_out=9, fee_lamports=5000)
    changed, _ = apply(order(OrderStatus.SUBMITTED, failure=FAILURE), TransactionConfirmed(fill), at=NOON)
    assert changed.fill == fill
    assert changed.failure is None
