"""Rows to orders and events, and a recorded change to rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from solders.pubkey import Pubkey
from solders.signature import Signature
from sqlalchemy import RowMapping

from order_engine.adapters.postgres.codec import (
    decode_fact,
    decode_failure,
    decode_fill,
    decode_route,
    encode_fact,
    encode_failure,
    encode_fill,
    encode_guards,
    encode_route,
)
from order_engine.adapters.postgres.shapes import FactJson, FailureJson, FillJson, GuardsJson, RouteJson
from order_engine.domain.lifecycle import IN_FLIGHT
from order_engine.domain.order import EventId, Order, OrderEvent, OrderId, OrderStatus, OrderType, fingerprint
from order_engine.domain.route import Guards, SwapMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    claim_id: UUID
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One fact about to be written: the order before and after it, and the event."""

    before: Order
    after: Order
    event: OrderEvent
    event_id: EventId
    lease: Lease | None = None  # given with AttemptStarted


class NewOrderRow(TypedDict):
    order_id: str
    owner: str
    request_id: str
    client_order_id: str
    fingerprint: str
    order_type: str
    token_in: str
    token_out: str
    swap_mode: str
    amount_in: int
    amount_out: int
    slippage_bps: int
    guards: GuardsJson
    max_attempts: int


class ChangeRow(TypedDict):
    order_id: str
    sequence: int
    status: str
    attempt: int
    event_time: str
    in_flight: bool
    route: RouteJson | None  # None: as it was
    fill: FillJson | None
    failure: FailureJson | None
    signature: str | None
    last_valid_block_height: int
    cancel_requested: bool
    next_attempt_at: str | None
    claimed_by: str | None
    claimed_until: str | None
    event_id: str
    kind: str
    detail: FactJson


def new_order_row(order: Order) -> NewOrderRow:
    return {
        "order_id": str(order.order_id),
        "owner": order.owner,
        "request_id": order.request_id,
        "client_order_id": order.client_order_id,
        "fingerprint": fingerprint(order).hex(),
        "order_type": order.order_type.value,
        "token_in": str(order.token_in),
        "token_out": str(order.token_out),
        "swap_mode": order.swap_mode.value,
        "amount_in": order.amount_in,
        "amount_out": order.amount_out,
        "slippage_bps": order.slippage_bps,
        "guards": encode_guards(order.guards),
        "max_attempts": order.max_attempts,
    }


def change_row(change: Change) -> ChangeRow:
    after, lease = change.after, change.lease
    return {
        "order_id": str(after.order_id),
        "sequence": after.sequence,
        "status": after.status.value,
        "attempt": after.attempt,
        "event_time": after.update_time.isoformat(),
        "in_flight": after.status in IN_FLIGHT,
        "route": encode_route(after.route) if after.route and after.route is not change.before.route else None,
        "fill": encode_fill(after.fill) if after.fill else None,
        "failure": encode_failure(after.failure) if after.failure else None,
        "signature": str(after.signature) if after.signature else None,
        "last_valid_block_height": after.last_valid_block_height,
        "cancel_requested": after.cancel_requested,
        "next_attempt_at": after.next_attempt_at.isoformat() if after.next_attempt_at else None,
        "claimed_by": str(lease.claim_id) if lease else None,
        "claimed_until": lease.until.isoformat() if lease else None,
        "event_id": str(change.event_id),
        "kind": type(change.event.fact).__name__,
        "detail": encode_fact(change.event.fact),
    }


def order_of(row: RowMapping) -> Order:
    return Order(
        order_id=OrderId(row["order_id"]),
        owner=row["owner"],
        request_id=row["request_id"],
        client_order_id=row["client_order_id"],
        order_type=OrderType(row["order_type"]),
        token_in=Pubkey.from_string(row["token_in"]),
        token_out=Pubkey.from_string(row["token_out"]),
        swap_mode=SwapMode(row["swap_mode"]),
        amount_in=int(row["amount_in"]),
        amount_out=int(row["amount_out"]),
        slippage_bps=row["slippage_bps"],
        guards=Guards(**row["guards"]),
        max_attempts=row["max_attempts"],
        create_time=row["create_time"],
        update_time=row["update_time"],
        status=OrderStatus(row["status"]),
        sequence=row["sequence"],
        attempt=row["attempt"],
        route=decode_route(row["route"]) if row["route"] else None,
        fill=decode_fill(row["fill"]) if row["fill"] else None,
        failure=decode_failure(row["failure"]) if row["failure"] else None,
        signature=Signature.from_string(row["signature"]) if row["signature"] else None,
        last_valid_block_height=int(row["last_valid_block_height"]),
        cancel_requested=row["cancel_requested"],
        next_attempt_at=row["next_attempt_at"] if row["attempt"] else None,  # a new order is due without waiting
    )


def event_of(row: RowMapping) -> OrderEvent:
    detail: Mapping[str, object] = row["detail"]
    return OrderEvent(
        order_id=OrderId(row["order_id"]),
        sequence=row["sequence"],
        status=OrderStatus(row["status"]),
        attempt=row["attempt"],
        event_time=row["event_time"],
        fact=decode_fact(row["kind"], detail, row["raw"]),
    )
