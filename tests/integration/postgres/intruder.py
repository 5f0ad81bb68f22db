"""Someone who writes to the database behind the engine's back."""

from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import CheckViolation, IntegrityError, UniqueViolation
from psycopg.sql import SQL, Identifier

from order_engine.domain.order import AttemptStarted, CancelRequested, Fact, OrderFailed, OrderStatus
from order_engine.usecases.ports import OrderStore
from tests.contract.order_samples import FAILURE, confirmed, dead, placed, route_chosen, signed

S = OrderStatus
KEPT_TABLES = ("orders", "order_events", "attempts", "transactions", "post_mortems")

# Moves an order as the engine would, so that only the guard under test can object.
MOVE = """
    UPDATE orders SET status = %(to)s, sequence = sequence + 1, update_time = now(), claimed_by = NULL,
        attempt = attempt + (status = 'pending' AND %(to)s = 'routing')::integer,
        next_attempt_at = CASE WHEN %(to)s = 'pending' THEN now() END,
        claimed_until = CASE WHEN %(to)s IN ('routing', 'building', 'submitted') THEN now() END
    WHERE order_id = %(order_id)s
"""
EVENT = """
    INSERT INTO order_events (order_id, sequence, event_id, status, attempt, event_time, kind, detail)
    SELECT order_id, sequence, gen_random_uuid(), status, attempt, update_time, %(kind)s, '{}'
    FROM orders WHERE order_id = %(order_id)s
"""
SIGN = """
    INSERT INTO transactions (order_id, attempt, signature, raw, last_valid_block_height)
    SELECT order_id, attempt + %(later)s, 'signature ' || gen_random_uuid(), '\\x01', 1
    FROM orders WHERE order_id = %(order_id)s
"""
RESOLVE = "UPDATE transactions SET outcome = %(outcome)s, resolved_at = now() WHERE order_id = %(order_id)s"


@dataclass(frozen=True, slots=True)
class Intruder:
    """Someone with the engine's own rights on the database, and no manners."""

    connection: psycopg.Connection

    def runs(self, *statements: str, **parameters: object) -> None:
        """Run the statements as one transaction, to its commit."""
        with self.connection.transaction():
            for statement in statements:
                self.connection.execute(statement.encode(), parameters)

    def refused(self, *statements: str, because: str, **parameters: object) -> None:
        before = self.everything()
        with pytest.raises(IntegrityError) as refusal:
            self.runs(*statements, **parameters)
        assert isinstance(refusal.value, CheckViolation | UniqueViolation)
        assert because in str(refusal.value)
        assert self.everything() == before

    def everything(self) -> list[object]:
        return [
            self.connection.execute(SQL("SELECT * FROM {} ORDER BY 1, 2").format(Identifier(table))).fetchall()
            for table in KEPT_TABLES
        ]


async def order_in(store: OrderStore, status: OrderStatus) -> UUID:
    """Store an order and drive it to a status."""
    signing = signed()
    to_submitted: tuple[Fact, ...] = (AttemptStarted(), route_chosen(), signing)
    facts: dict[OrderStatus, tuple[Fact, ...]] = {
        S.PENDING: (),
        S.ROUTING: to_submitted[:1],
        S.BUILDING: to_submitted[:2],
        S.SUBMITTED: to_submitted,
        S.CONFIRMED: (*to_submitted, confirmed(signing.signature)),
        S.FAILED: (*to_submitted, OrderFailed(failure=FAILURE, transaction=dead(signing.signature))),
        S.CANCELLED: (*to_submitted[:2], CancelRequested()),
    }
    order = await placed(store, *facts[status])
    assert order.status is status
    return order.order_id
