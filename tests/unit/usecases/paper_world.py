"""The outside of one worker as a fake: chain, wallet, pool index, clock, all deterministic, crashing where told."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Self
from uuid import UUID

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.adapters.memory.order_claims import MemoryOrderClaims
from order_engine.adapters.memory.order_signals import MemoryOrderSignals
from order_engine.adapters.memory.order_store import MemoryOrderStore
from order_engine.domain.errors import AmountTooSmall, ChainUnavailable, QuoteRefused
from order_engine.domain.finality import Landed, Sighting
from order_engine.domain.market import MarketView, Pair
from order_engine.domain.order import (
    EventId,
    Fill,
    Order,
    OrderEvent,
    OrderId,
    OrderType,
    SignedTransaction,
)
from order_engine.domain.pool import (
    Account,
    AccountFilter,
    AccountSnapshot,
    ExactOutRequest,
    Pool,
    Quote,
    SwapRequest,
    Trader,
)
from order_engine.domain.route import SwapTerms
from order_engine.domain.tokens import TOKEN_PROGRAM
from order_engine.usecases.execute_order import ExecuteOrder, ExecutionPolicy
from order_engine.usecases.find_route import FindRoute
from order_engine.usecases.ports import AdmissionLimits, Simulation, TransactionPlan
from order_engine.usecases.read_wallet import ReadWallet

ME, IN, OUT = (Pubkey([n] * 32) for n in (4, 5, 6))
SLIPPED = '{"InstructionError":[4,{"Custom":6005}]}'
LEASE = timedelta(seconds=6)
AMOUNT_IN = 10
LIFE_BLOCKS, FINAL_BLOCKS = 150, 32


class Crash(BaseException):
    """The process dies here."""


@dataclass(frozen=True, slots=True)
class FlatPool:
    """Pays what its account's data says for the amount of every order here; 0 refuses as dust, 255 refuses."""

    VENUE: ClassVar[str] = "flat"
    PROGRAM_ID: ClassVar[Pubkey] = Pubkey([8] * 32)
    COMPUTE_UNITS: ClassVar[int] = 50_000
    SLIPPAGE_ERROR: ClassVar[int] = 6005
    EXCESS_INPUT_ERROR: ClassVar[int] = 6006

    address: Pubkey
    slot: int
    pays: int

    @classmethod
    def discovery_filters(cls, mint_a: Pubkey, mint_b: Pubkey) -> Sequence[AccountFilter]:
        return []

    @classmethod
    def dependencies(cls, address: Pubkey, account: Account) -> tuple[Pubkey, ...]:
        return ()

    @classmethod
    def decode(cls, address: Pubkey, snapshot: AccountSnapshot) -> Self:
        return cls(address, snapshot.slot, snapshot.require(address).data[0])

    def at(self, snapshot: AccountSnapshot) -> Self:
        return replace(self, slot=snapshot.slot)

    @property
    def mints(self) -> tuple[Pubkey, Pubkey]:
        return IN, OUT

    @property
    def token_programs(self) -> tuple[Pubkey, Pubkey]:
        return TOKEN_PROGRAM, TOKEN_PROGRAM

    def quote(self, swap: SwapRequest) -> Quote:
        if self.pays == 0:
            raise AmountTooSmall("dust")
        if self.pays == 255:
            raise QuoteRefused("paused")
        return Quote(
            venue=self.VENUE,
            pool=self.address,
            slot=self.slot,
            token_in=swap.token_in,
            token_out=swap.token_out,
            amount_in=swap.amount_in,
            amount_out=self.pays * swap.amount_in // AMOUNT_IN,
            fee_amount=1,
            fee_token=swap.token_in,
            price_impact_bps=0,
        )

    def quote_exact_out(self, swap: ExactOutRequest) -> Quote:
        raise QuoteRefused("sells no exact amount")

    def exact_out_instruction(self, quote: Quote, max_amount_in: int, trader: Trader) -> Instruction:
        return Instruction(self.PROGRAM_ID, bytes([quote.amount_out]), [])

    def swap_instruction(self, quote: Quote, min_amount_out: int, trader: Trader) -> Instruction:
        return Instruction(self.PROGRAM_ID, bytes([quote.amount_out]), [])


@dataclass
class World:
    """Everything beyond one worker. Heights move with the clock: one block for each 400 ms."""

    crash_at: int = -1
    lands_after_sends: int = 1  # of one transaction; 0 = never
    fails_on_chain: int = 0  # how many transactions land as failed before one succeeds
    simulations: list[str | None] = field(default_factory=list)  # errors of the next simulations
    unreachable_calls: int = 0  # how many chain reads fail first
    unreadable_views: int = 0  # how often no venue can be read first
    pools: dict[Pubkey, int] = field(default_factory=lambda: {Pubkey([21] * 32): 90, Pubkey([22] * 32): 100})
    balance: int = 10**12
    token_exists: bool = True
    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        self.calls = 0
        self.sent: dict[Signature, int] = {}
        self.landed: dict[Signature, str | None] = {}
        self.recorded_before_send = True
        self.signed: dict[tuple[OrderId, int], SignedTransaction] = {}
        self.events: list[OrderEvent] = []
        self.store = MemoryOrderStore(self)
        self.claims = MemoryOrderClaims(self.store, AdmissionLimits(max_in_flight=10, max_starts_per_minute=100), LEASE)
        self.identifiers = _Counting()

    # Clock
    def now(self) -> datetime:
        return self.time

    async def sleep(self, duration: timedelta) -> None:
        self._step()
        self.time += duration

    # Wallet
    @property
    def address(self) -> Pubkey:
        return ME

    async def sign(self, order_id: OrderId, attempt: int, plan: TransactionPlan) -> SignedTransaction:
        self._step()
        signature = Signature(bytes([len(self.signed) + 1] * 64))
        transaction = SignedTransaction(
            signature=signature, raw=bytes(signature), last_valid_block_height=self.height + LIFE_BLOCKS
        )
        return self.signed.setdefault((order_id, attempt), transaction)

    # LookupTables
    async def current(self) -> Sequence[AddressLookupTableAccount]:
        return ()

    # Chain
    @property
    def height(self) -> int:
        return 1_000 + int((self.time - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds() / 0.4)

    async def accounts(self, addresses: Sequence[Pubkey]) -> AccountSnapshot:
        self._step()
        if self.unreachable_calls:
            self.unreachable_calls -= 1
            raise ChainUnavailable("unreachable")
        found = {address: self._account(address) for address in addresses if self._exists(address)}
        return AccountSnapshot(slot=self.height, unix_timestamp=0, epoch=0, accounts=found)

    async def program_accounts(
        self, program_id: Pubkey, account_filter: AccountFilter
    ) -> Sequence[tuple[Pubkey, Account]]:
        return []

    async def simulate(self, plan: TransactionPlan) -> Simulation:
        self._step()
        return Simulation(error=self.simulations.pop(0) if self.simulations else None, logs=[], slot=self.height)

    async def send(self, transaction: SignedTransaction) -> None:
        self._step()
        live = [record.live_transaction for record in self.store.records.values()]
        self.recorded_before_send &= transaction in live
        signature = transaction.signature
        self.sent[signature] = self.sent.get(signature, 0) + 1
        late = self.height > transaction.last_valid_block_height
        if self.sent[signature] == self.lands_after_sends and not late:
            self.landed[signature] = SLIPPED if len(self.landed) < self.fails_on_chain else None

    async def sightings(self, signature: Signature) -> Sequence[Sighting]:
        height = self.height
        self._step()
        known = signature in self.landed
        return [
            Sighting(
                endpoint="e",
                finalized_block_height=height - FINAL_BLOCKS,
                finalized_slot=height - FINAL_BLOCKS,
                context_slot=self.height,
                landed=Landed(slot=self.height, error=self.landed[signature]) if known else None,
            )
        ]

    async def fill(self, signature: Signature, swap: SwapTerms, wallet: Pubkey) -> Fill | None:
        self._step()
        return Fill(signature=signature, slot=self.height, amount_in=swap.amount, amount_out=100, fee_lamports=5000)

    # OrderObserver
    def recorded(self, order: Order, event: OrderEvent) -> None:
        self.events.append(event)

    def _exists(self, address: Pubkey) -> bool:
        return address != OUT or self.token_exists

    def _account(self, address: Pubkey) -> Account:
        if address in self.pools:
            return Account(owner=FlatPool.PROGRAM_ID, lamports=1, data=bytes([self.pools[address]]))
        if address in (IN, OUT):
            return Account(owner=TOKEN_PROGRAM, lamports=1, data=bytes(45) + b"\x01" + bytes(36))
        amount = self.balance.to_bytes(8, "little")
        return Account(owner=TOKEN_PROGRAM, lamports=10**12, data=bytes(64) + amount + bytes(93))

    def _step(self) -> None:
        self.calls += 1
        if self.calls == self.crash_at:
            raise Crash


class _Counting:
    def __init__(self) -> None:
        self._last = 0

    def order_id(self) -> OrderId:
        return OrderId(self._next())

    def event_id(self) -> EventId:
        return EventId(self._next())

    def claim_id(self) -> UUID:
        return self._next()

    def _next(self) -> UUID:
        self._last += 1
        return UUID(int=self._last)


@dataclass(frozen=True)
class PaperMarket:
    """Reads the world's pools anew for each view."""

    world: World

    async def view(self, pairs: Collection[Pair]) -> MarketView:
        if self.world.unreadable_views:
            self.world.unreadable_views -= 1
            raise ChainUnavailable("busy")
        snapshot = await self.world.accounts(list(self.world.pools))
        pools = [FlatPool.decode(address, snapshot) for address in self.world.pools]
        return MarketView(slot=snapshot.slot, pools=[pool for pool in pools if frozenset(pool.mints) in pairs])

    async def read(self, pools: Mapping[Pubkey, str]) -> Mapping[Pubkey, Pool]:
        snapshot = await self.world.accounts(list(pools))
        return {address: FlatPool.decode(address, snapshot) for address in pools}


def executor(world: World) -> ExecuteOrder:
    market = PaperMarket(world)
    find_route = FindRoute(market=market, lookup_tables=world, hubs=(), max_hops=1, compute_unit_price_micro_lamports=0)
    return ExecuteOrder(
        store=world.store,
        claims=world.claims,
        signals=MemoryOrderSignals(),
        observer=world,
        chain=world,
        wallet=world,
        market=market,
        lookup_tables=world,
        read_wallet=ReadWallet(world, ME, ()),
        find_route=find_route,
        slippage_errors={"flat": frozenset({FlatPool.SLIPPAGE_ERROR, FlatPool.EXCESS_INPUT_ERROR})},
        clock=world,
        identifiers=world.identifiers,
        policy=ExecutionPolicy(
            retry_delay=timedelta(seconds=1),
            poll_interval=timedelta(milliseconds=400),
            compute_unit_price_micro_lamports=0,
        ),
    )


async def placed(world: World) -> Order:
    return await world.store.create(
        Order(
            order_id=world.identifiers.order_id(),
            owner="local",
            request_id="",
            client_order_id="",
            order_type=OrderType.MARKET,
            token_in=IN,
            token_out=OUT,
            amount_in=AMOUNT_IN,
            slippage_bps=50,
            max_attempts=3,
            create_time=world.now(),
            update_time=world.now(),
        )
    )
