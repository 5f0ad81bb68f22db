"""Every write that could execute an order twice, tried in SQL."""

import pytest
from psycopg.errors import CheckViolation

from order_engine.domain.order import AttemptStarted, Fact, OrderStatus
from order_engine.usecases.ports import OrderStore
from tests.contract.order_samples import (
    attempt_failed,
    dead,
    placed,
    route_chosen,
    signed,
)
from tests.integration.postgres.intruder import EVENT, MOVE, RESOLVE, SIGN, Intruder, S, order_in


@pytest.mark.parametrize("status", [S.PENDING, S.ROUTING, S.CONFIRMED, S.FAILED, S.CANCELLED])
async def test_a_transaction_is_recorded_only_while_building(
    store: OrderStore, intruder: Intruder, status: OrderStatus
) -> None:
    order_id = await order_in(store, status)
    intruder.refused(SIGN, because="is not building in attempt", order_id=order_id, later=0)


async def test_a_transaction_belongs_to_the_current_attempt(store: OrderStore, intruder: Intruder) -> None:
    order = await placed(store, AttemptStarted(), attempt_failed(), AttemptStarted(), route_chosen())
    for later in (-1, 1):
        intruder.refused(SIGN, because="is not building in attempt", order_id=order.order_id, later=later)


async def test_a_transaction_is_recorded_with_the_fact_or_not_at_all(store: OrderStore, intruder: Intruder) -> None:
    order_id = await order_in(store, S.BUILDING)
    intruder.refused(SIGN, because="building with an unresolved transaction", order_id=order_id, later=0)
    landed = SIGN.replace("last_valid_block_height)", "last_valid_block_height, outcome, resolved_at)").replace(
        "'\\x01', 1", "'\\x01', 1, 'landed', now()"
    )
    intruder.refused(landed, because="is recorded before its outcome", order_id=order_id, later=0)


async def test_an_order_is_submitted_only_with_its_recorded_transaction(store: OrderStore, intruder: Intruder) -> None:
    order_id = await order_in(store, S.BUILDING)
    submit = {"order_id": order_id, "to": "submitted", "kind": "TransactionSigned", "later": 0}
    intruder.refused(MOVE, EVENT, because="submitted without its recorded transaction", **submit)
    intruder.refused(SIGN, MOVE, EVENT, because="submitted without its recorded transaction", **submit)


async def test_there_is_one_live_transaction(store: OrderStore, intruder: Intruder) -> None:
    order_id = await order_in(store, S.SUBMITTED)
    intruder.refused(SIGN, because="is not building in attempt", order_id=order_id, later=0)
    second_attempt = "INSERT INTO attempts (order_id, number, started_at) VALUES (%(order_id)s, 2, now())"
    unguarded = "ALTER TABLE transactions DISABLE TRIGGER USER"
    intruder.refused(unguarded, second_attempt, SIGN, because="one_live_transaction", order_id=order_id, later=1)


@pytest.mark.parametrize(
    ("to", "kind"), [("pending", "AttemptFailed"), ("failed", "OrderFailed"), ("cancelled", "OrderCancelled")]
)
async def test_an_attempt_ends_only_when_its_transaction_is_dead_or_failed(
    store: OrderStore, intruder: Intruder, to: str, kind: str
) -> None:
    move = {"order_id": await order_in(store, S.SUBMITTED), "to": to, "kind": kind}
    intruder.refused(MOVE, EVENT, because=f"{to} with an unresolved transaction", **move)
    intruder.refused(RESOLVE, MOVE, EVENT, because=f"{to} with a landed transaction", outcome="landed", **move)


async def test_an_order_is_confirmed_only_by_a_landed_transaction(store: OrderStore, intruder: Intruder) -> None:
    move = {"order_id": await order_in(store, S.SUBMITTED), "to": "confirmed", "kind": "TransactionConfirmed"}
    intruder.refused(MOVE, EVENT, because="confirmed with an unresolved transaction", **move)
    for outcome in ("dead", "failed"):
        intruder.refused(
            RESOLVE, MOVE, EVENT, because="confirmed without a landed transaction", outcome=outcome, **move
        )


async def test_an_outcome_ends_the_attempt_with_it(store: OrderStore, intruder: Intruder) -> None:
    order_id = await order_in(store, S.SUBMITTED)
    for outcome in ("dead", "failed", "landed"):
        reason = "submitted without its recorded transaction"
        intruder.refused(RESOLVE, because=reason, order_id=order_id, outcome=outcome)


@pytest.mark.parametrize("change", ["outcome = 'landed'", "outcome = NULL, resolved_at = NULL", "error = 'x'"])
async def test_an_outcome_is_final(store: OrderStore, intruder: Intruder, change: str) -> None:
    fact = signed()
    retrying: tuple[Fact, ...] = (AttemptStarted(), route_chosen(), fact, attempt_failed(dead(fact.signature)))
    statement = f"UPDATE transactions SET {change} WHERE order_id = %(order_id)s AND attempt = 1"  # noqa: S608
    for order in (await placed(store, *retrying), await placed(store, *_resubmitted())):
        intruder.refused(statement, because="is not submitted in attempt 1", order_id=order.order_id)
    with intruder.connection.transaction(force_rollback=True):
        order_id = await order_in(store, S.SUBMITTED)
        intruder.connection.execute(RESOLVE, {"order_id": order_id, "outcome": "dead"})
        with pytest.raises(CheckViolation, match="has its outcome"):
            intruder.connection.execute(statement.encode(), {"order_id": order_id})


def _resubmitted() -> tuple[Fact, ...]:
    first, second = signed(), signed()
    again = (AttemptStarted(), route_chosen())
    return (*again, first, attempt_failed(dead(first.signature)), *again, second)


@pytest.mark.parametrize(
    "change", ["raw = '\\x02'", "signature = 'other'", "last_valid_block_height = 9", "attempt = 2"]
)
async def test_what_was_signed_never_changes(store: OrderStore, intruder: Intruder, change: str) -> None:
    order_id = await order_in(store, S.SUBMITTED)
    statement = f"UPDATE transactions SET {change} WHERE order_id = %(order_id)s"  # noqa: S608
    reason = "is not submitted in attempt 2" if "attempt" in change else "what was signed never changes"
    intruder.refused(statement, because=reason, order_id=order_id)
