"""An order, and the facts that can be recorded about it. All immutable: a change is a new value."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.domain.route import NO_GUARDS, Candidate, Guards, Route, SwapMode, SwapTerms

OrderId = NewType("OrderId", UUID)
EventId = NewType("EventId", UUID)

LOCAL_OWNER: Final = "local"  # the one owner until there is authentication


class OrderType(StrEnum):
    MARKET = "market"


class OrderStatus(StrEnum):
    PENDING = "pending"
    ROUTING = "routing"
    BUILDING = "building"
    SUBMITTED = "submitted"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # the order's own deadline passed: reserved for order types that have one


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """What a confirmed transaction did to the wallet."""

    signature: Signature
    slot: int
    amount_in: int  # what left the wallet, fees of the chain aside
    amount_out: int  # what reached it
    fee_lamports: int  # base and priority fee


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt or an order failed. `reason` is stable and public."""

    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)


class TransactionOutcome(StrEnum):
    LANDED = "landed"  # confirmed on chain, and did what it should
    FAILED = "failed"  # confirmed on chain as failed: nothing swapped, fee paid
    DEAD = "dead"  # can never land any more


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedTransaction:
    """The end of one recorded transaction, named by its signature."""

    signature: Signature
    outcome: TransactionOutcome
    slot: int | None = None
    error: str | None = None  # as the chain reports it
    fee_lamports: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    order_id: OrderId
    owner: str
    request_id: str  # idempotency key, "" = none
    client_order_id: str
    order_type: OrderType
    token_in: Pubkey
    token_out: Pubkey
    swap_mode: SwapMode = SwapMode.EXACT_IN
    amount_in: int = 0  # base units of token_in; 0 for EXACT_OUT
    amount_out: int = 0  # base units of token_out; 0 for EXACT_IN
    slippage_bps: int
    guards: Guards = NO_GUARDS
    max_attempts: int
    create_time: datetime
    update_time: datetime
    status: OrderStatus = OrderStatus.PENDING
    sequence: int = 1  # of the last event; also the optimistic lock
    attempt: int = 0  # 0 before the first start
    route: Route | None = None  # of the latest attempt that chose one
    fill: Fill | None = None
    failure: Failure | None = None
    signature: Signature | None = None  # of the latest recorded transaction
    last_valid_block_height: int = 0  # of that transaction
    cancel_requested: bool = False
    next_attempt_at: datetime | None = None  # while PENDING again

    @property
    def swap(self) -> SwapTerms:
        return SwapTerms(
            token_in=self.token_in,
            token_out=self.token_out,
            swap_mode=self.swap_mode,
            amount=self.amount_in if self.swap_mode is SwapMode.EXACT_IN else self.amount_out,
            slippage_bps=self.slippage_bps,
            guards=self.guards,
        )


@dataclass(frozen=True, slots=True)
class OrderPlaced:
    """Sequence 1, written with the order."""


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A worker was admitted to work on the order."""


@dataclass(frozen=True, slots=True)
class RouteChosen:
    route: Route
    candidates: tuple[Candidate, ...]  # best first, the rejected ones last


@dataclass(frozen=True, slots=True)
class TransactionSigned:
    """Recorded before the first send. The bytes are kept with the attempt, not shown."""

    signature: Signature
    raw: bytes
    last_valid_block_height: int


@dataclass(frozen=True, slots=True)
class TransactionConfirmed:
    fill: Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """The attempt is over, another one follows after `retry_after`."""

    failure: Failure
    retry_after: timedelta
    transaction: ResolvedTransaction | None = None  # set exactly when one had been recorded
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFailed:
    failure: Failure
    transaction: ResolvedTransaction | None = None
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelRequested:
    decided_by_block_height: int = 0  # 0 when nothing was sent


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """A cancel was asked while a transaction was out, and that transaction is now dead or failed."""

    transaction: ResolvedTransaction


Fact = (
    OrderPlaced
    | AttemptStarted
    | RouteChosen
    | TransactionSigned
    | TransactionConfirmed
    | AttemptFailed
    | OrderFailed
    | CancelRequested
    | OrderCancelled
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """A fact in its place: sequence runs 1, 2, 3, … per order, without gaps."""

    order_id: OrderId
    sequence: int
    status: OrderStatus  # after the fact
    attempt: int
    event_time: datetime
    fact: Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTransaction:
    """A recorded transaction: what a worker sends and looks for."""

    signature: Signature
    raw: bytes
    last_valid_block_height: int


def fingerprint(order: Order) -> bytes:
    """Return what makes two orders under one request_id the same order: a SHA-256 over the validated fields.

    Fields that came later count only where they are used, so that the fingerprints of older orders stay what they were.
    """
    fields = [
        order.client_order_id,
        order.order_type.value,
        str(order.token_in),
        str(order.token_out),
        str(order.amount_in),
        str(order.slippage_bps),
    ]
    if order.swap_mode is not SwapMode.EXACT_IN:
        fields.append(f"{order.swap_mode}:{order.amount_out}")
    fields += [f"{name}:{value}" for name, value in sorted(asdict(order.guards).items()) if value is not None]
    return hashlib.sha256("\n".join(fields).encode()).digest()
