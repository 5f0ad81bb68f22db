"""What the use cases need from the outside. Adapters implement these; nothing here does IO.

Every port raises `Unavailable` when what stands behind it cannot be reached.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.domain.finality import Sighting
from order_engine.domain.market import MarketView, Pair
from order_engine.domain.order import (
    EventId,
    Fact,
    Fill,
    Order,
    OrderEvent,
    OrderId,
    OrderStatus,
    SignedTransaction,
)
from order_engine.domain.pool import Account, AccountFilter, AccountSnapshot, Pool
from order_engine.domain.route import SwapTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """None matches any order of the owner."""

    owner: str
    status: OrderStatus | None = None
    token_in: Pubkey | None = None
    token_out: Pubkey | None = None
    venue: str | None = None  # of a leg of the latest route
    client_order_id: str | None = None
    create_time_after: datetime | None = None  # exclusive
    create_time_before: datetime | None = None  # exclusive


@dataclass(frozen=True, slots=True)
class PageKey:
    """The last order of a page: the next one starts behind it."""

    create_time: datetime
    order_id: OrderId


class OrderStore(Protocol):
    """Orders and their events: one transaction writes both."""

    async def create(self, order: Order) -> Order:
        """Store a new order with its first event and return it as stored, times by the store's clock.

        A known (owner, request_id) returns the stored order instead, whatever its state.

        Raises:
            RequestIdReused: the request_id belongs to an order with another fingerprint; metadata has its order_id.
        """
        ...

    async def get(self, order_id: OrderId, owner: str | None = None) -> Order:
        """Return the order; with `owner`, only if it is theirs.

        Raises:
            OrderNotFound.
        """
        ...

    async def list_orders(self, wanted: OrderFilter, at_most: int, after: PageKey | None) -> Sequence[Order]:
        """Return matching orders, newest first, that come after `after` in that order."""
        ...

    async def append(self, order: Order, fact: Fact, event_id: EventId) -> tuple[Order, OrderEvent]:
        """Apply `fact` to exactly this version of the order, and store both.

        Stores the signed bytes, the attempt's candidates and failure, and the post-mortem in the same transaction.
        Leaving ROUTING, BUILDING and SUBMITTED clears claim and lease. Repeating an `event_id` that was stored
        returns what was stored.

        Raises:
            StaleOrder: the stored order is at another sequence, or the database's guards refuse the fact.
            IllegalTransition: the fact does not fit the order as given.
        """
        ...

    async def events(self, order_id: OrderId, after_sequence: int) -> Sequence[OrderEvent]:
        """Return the events after a sequence, in order. Unknown orders have none."""
        ...

    async def latest_sequences(self, order_ids: Sequence[OrderId]) -> Mapping[OrderId, int]:
        """Return the sequence of the last event of each order that exists, read together."""
        ...

    async def live_transaction(self, order_id: OrderId) -> SignedTransaction | None:
        """Return the recorded transaction that has no outcome yet."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """0 is unlimited."""

    max_in_flight: int  # orders in ROUTING, BUILDING or SUBMITTED, over all workers
    max_starts_per_minute: int  # attempts started in any 60 s, over all workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on an order until the lease passes. Safety is the sequence; the lease gives liveness."""

    order: Order
    takeovers: int  # of this order while it was ROUTING or BUILDING


@dataclass(frozen=True, slots=True, kw_only=True)
class DueOrders:
    order_ids: Sequence[OrderId]  # oldest first
    next_at: timedelta | None  # until the next one falls due, counted from now by the store's clock


class OrderClaims(Protocol):
    """Who works on what. All times are the store's own clock."""

    async def start(self, order_id: OrderId, claim_id: UUID, event_id: EventId) -> tuple[Claim, OrderEvent] | None:
        """Start the next attempt of a PENDING order that is due, if the limits admit it now.

        The oldest due orders go first: an order is admitted only if it is among the first that fit. None otherwise:
        waiting writes nothing and costs no attempt.
        """
        ...

    async def take_over(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        """Claim an order in flight whose lease has passed. No event; needs no slot."""
        ...

    async def reload(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        """Return the order as it stands if it is in flight and still claimed by `claim_id`."""
        ...

    async def renew(self, claim_ids: Sequence[UUID]) -> set[UUID]:
        """Extend the leases and return those that are still ours."""
        ...

    async def release(self, claim_ids: Sequence[UUID]) -> None:
        """Let the leases pass now, so that another worker takes over at once."""
        ...

    async def due(self, at_most: int) -> DueOrders:
        """Return the orders a worker should look at: all with a passed lease, and PENDING ones the limits admit."""
        ...


class Subscription(Protocol):
    async def wait(self, at_most: timedelta) -> None:
        """Return on a wake-up, or when the time is up."""
        ...


class OrderSignals(Protocol):
    """Wake-ups, never data: a lost one costs latency, not correctness. Never raises."""

    def publish(self, order_id: OrderId, sequence: int) -> None: ...
    def subscribe(self, order_id: OrderId) -> AbstractAsyncContextManager[Subscription]: ...


EXECUTE_ORDER: Final = "execute_order"  # the one background task: names its queue and its actor


class TaskQueue(Protocol):
    """Hints to the workers: "look at this order". Best effort, never raises: the sweeper repeats what is lost."""

    def hint(self, order_id: OrderId) -> None: ...


class Market(Protocol):
    """The pools of a pair, on every venue, kept fresh."""

    async def view(self, pairs: Collection[Pair]) -> MarketView:
        """Return every readable pool of these pairs, none older than the market's refresh interval.

        A venue that fails or is slow is left out, and the view says so.

        Raises:
            ChainUnavailable: not one venue could be read.
        """
        ...

    async def read(self, pools: Mapping[Pubkey, str]) -> Mapping[Pubkey, Pool]:
        """Read these pools (address to venue name) anew.

        Raises:
            PoolUnreadable: one of them is not a pool of its venue, or an account it needs is missing.
            ChainUnavailable: the chain cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    error: str | None  # JSON, as the chain reports it
    logs: Sequence[str]
    slot: int  # of the state it ran on


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionPlan:
    """What is to be signed for one attempt, by its payer alone."""

    payer: Pubkey
    instructions: Sequence[Instruction]
    lookup_tables: Sequence[AddressLookupTableAccount]  # whose addresses are referred to, to save bytes
    compute_unit_limit: int


class Chain(Protocol):
    """Solana, over JSON-RPC. Reads are at `confirmed` unless said."""

    async def accounts(self, addresses: Sequence[Pubkey]) -> AccountSnapshot:
        """Read accounts and the chain's clock at one slot. Addresses that do not exist are not in the snapshot."""
        ...

    async def program_accounts(
        self, program_id: Pubkey, account_filter: AccountFilter
    ) -> Sequence[tuple[Pubkey, Account]]: ...

    async def simulate(self, plan: TransactionPlan) -> Simulation:
        """Run the plan without signing or sending it."""
        ...

    async def send(self, transaction: SignedTransaction) -> None:
        """Broadcast to every endpoint, without preflight. Safe to repeat; a refusal is no outcome and not raised."""
        ...

    async def sightings(self, signature: Signature) -> Sequence[Sighting]:
        """Ask every endpoint: height first, then the signature. One entry for each that answered both."""
        ...

    async def fill(self, signature: Signature, swap: SwapTerms, wallet: Pubkey) -> Fill | None:
        """Return what a landed transaction did to the wallet, None while no endpoint can say it."""
        ...


class LookupTables(Protocol):
    """Tables of addresses on chain that transactions may refer to: with them, routes through more pools fit."""

    async def current(self) -> Sequence[AddressLookupTableAccount]: ...


class Wallet(Protocol):
    @property
    def address(self) -> Pubkey: ...

    async def sign(self, order_id: OrderId, attempt: int, plan: TransactionPlan) -> SignedTransaction:
        """Fetch a blockhash and sign. Asked again for the same order and attempt, return the first transaction."""
        ...


class OrderObserver(Protocol):
    """Told of every fact after it is stored, for logs and metrics. Never raises."""

    def recorded(self, order: Order, event: OrderEvent) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime: ...
    async def sleep(self, duration: timedelta) -> None: ...


class Identifiers(Protocol):
    """Random identifiers, behind a port so that the core stays deterministic."""

    def order_id(self) -> OrderId:
        """Return a new UUIDv7."""
        ...

    def event_id(self) -> EventId: ...
    def claim_id(self) -> UUID: ...
