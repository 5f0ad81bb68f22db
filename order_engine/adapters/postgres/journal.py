"""Writes facts: every statement for a whole batch at once, in the order that the guards expect.

Transactions come before the order that names them, the order with its attempt and event, the post-mortem last of all.
"""

from collections.abc import Mapping, Sequence

import orjson
from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection

from order_engine.adapters.postgres import statements
from order_engine.adapters.postgres.codec import encode_transaction
from order_engine.adapters.postgres.rows import Change, change_row
from order_engine.domain.order import (
    AttemptFailed,
    OrderCancelled,
    OrderFailed,
    ResolvedTransaction,
    TransactionConfirmed,
    TransactionOutcome,
    TransactionSigned,
)


async def write(connection: AsyncConnection, changes: Sequence[Change]) -> None:
    """Store the changes. Their orders are locked and at the versions that the changes were decided on."""
    facts = [(change, change.event.fact) for change in changes]
    signed = [_signed(change, fact) for change, fact in facts if isinstance(fact, TransactionSigned)]
    resolved = [_resolved(change, end) for change, fact in facts if (end := _resolution(fact))]
    await _write_rows(connection, statements.RECORD_TRANSACTIONS, signed)
    await _write_rows(connection, statements.RESOLVE_TRANSACTIONS, resolved)
    await _write_rows(connection, statements.ADVANCE, [change_row(change) for change in changes])
    if failed := [change.after.order_id for change, fact in facts if isinstance(fact, OrderFailed)]:
        await connection.execute(statements.WRITE_POST_MORTEMS, {"order_ids": failed})


async def _write_rows(connection: AsyncConnection, statement: TextClause, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        await connection.execute(statement, {"items": orjson.dumps(rows).decode()})


def _signed(change: Change, fact: TransactionSigned) -> dict[str, object]:
    return {
        "order_id": str(change.after.order_id),
        "attempt": change.after.attempt,
        "signature": str(fact.signature),
        "raw": fact.raw.hex(),
        "last_valid_block_height": fact.last_valid_block_height,
    }


def _resolution(fact: object) -> ResolvedTransaction | None:
    match fact:
        case TransactionConfirmed(fill):
            return ResolvedTransaction(
                signature=fill.signature,
                outcome=TransactionOutcome.LANDED,
                slot=fill.slot,
                fee_lamports=fill.fee_lamports,
            )
        case AttemptFailed() | OrderFailed() | OrderCancelled():
            return fact.transaction
        case _:
            return None


def _resolved(change: Change, end: ResolvedTransaction) -> dict[str, object]:
    return {
        **encode_transaction(end),
        "order_id": str(change.after.order_id),
        "event_time": change.after.update_time.isoformat(),
    }
