"""Seeded swaps through the engine's own doors: read the wallet, find a route, plan, sign; and what each must do.

Time stands still but for the slots that a swap takes, so that a swap lands at the second it was quoted at.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from order_engine.adapters.solana.chain import SolanaChain, open_chain
from order_engine.adapters.solana.lookup_tables import ChainLookupTables
from order_engine.adapters.solana.market import SolanaMarket
from order_engine.adapters.solana.pool_index import DiscoveredPools
from order_engine.adapters.solana.wallet import KeypairWallet
from order_engine.domain.order import Order, OrderId, OrderStatus, OrderType, SignedTransaction
from order_engine.domain.pool import Pool
from order_engine.domain.route import Route, RouteLeg, SwapMode, SwapTerms
from order_engine.domain.tokens import (
    KNOWN_TOKENS,
    TOKENS_BY_MINT,
    TOKENS_BY_SYMBOL,
    WRAPPED_SOL,
    Token,
    associated_token_address,
)
from order_engine.papernet.genesis import lookup_table_address
from order_engine.papernet.images import SYSTEM_PROGRAM, image, token_holding
from order_engine.papernet.network import Network
from order_engine.papernet.results import Execution
from order_engine.papernet.server import run
from order_engine.papernet.startup import open_network
from order_engine.papernet.world import MICRO_USD
from order_engine.papernet.world_accounts import token_account
from order_engine.settings import PapernetSettings
from order_engine.usecases.find_route import Decision, FindRoute
from order_engine.usecases.ports import TransactionPlan
from order_engine.usecases.read_wallet import ReadWallet
from order_engine.usecases.swap_plan import swap_plan
from order_engine.venues import VENUES

HUBS = tuple(TOKENS_BY_SYMBOL[symbol].mint for symbol in ("SOL", "USDC", "USDT"))
MAX_TRANSACTION_BYTES = 1_232
SLIPPAGES_BPS = (0, 1, 50, 300)
PRICES_MICRO_LAMPORTS = (0, 1, 10_000, 333_333)
PLENTY = 10**17  # of every token, and of lamports
_SLOT_MS = 10
_STANDING = 3_600_000
_NOW = datetime(2030, 1, 1, tzinfo=UTC)

Deltas = Mapping[Pubkey, int]  # by mint


@dataclass(frozen=True, kw_only=True)
class Case:
    """One swap of one wallet."""

    swap: SwapTerms
    wallet: Keypair
    held: frozenset[Pubkey]  # mints that the wallet has an account of
    with_table: bool
    max_hops: int
    compute_unit_price: int

    def __str__(self) -> str:
        names = [TOKENS_BY_MINT[mint].symbol for mint in (self.swap.token_in, self.swap.token_out)]
        held = " ".join(sorted(TOKENS_BY_MINT[mint].symbol for mint in self.held))
        return (
            f"{'>'.join(names)} {self.swap.swap_mode} {self.swap.amount} at {self.swap.slippage_bps} bps, "
            f"{'with' if self.with_table else 'without'} table, {self.max_hops} hops, wallet of {held}"
        )


def random_case(chance: random.Random) -> Case:
    token_in, token_out = chance.sample(KNOWN_TOKENS, 2)
    mode = chance.choice(list(SwapMode))
    token = token_in if mode is SwapMode.EXACT_IN else token_out
    swap = SwapTerms(
        token_in=token_in.mint,
        token_out=token_out.mint,
        swap_mode=mode,
        amount=_amount(token, chance),
        slippage_bps=chance.choice(SLIPPAGES_BPS),
    )
    held = {token.mint for token in KNOWN_TOKENS if chance.random() < 0.5} | {token_in.mint}
    if token_in.mint == WRAPPED_SOL and chance.random() < 0.5:
        held.discard(WRAPPED_SOL)
    return Case(
        swap=swap,
        wallet=Keypair.from_seed(chance.randbytes(32)),
        held=frozenset(held),
        with_table=chance.random() < 0.5,
        max_hops=chance.choice((1, 2, 3, 3)),
        compute_unit_price=chance.choice(PRICES_MICRO_LAMPORTS),
    )


def _amount(token: Token, chance: random.Random) -> int:
    """Return from dust to more than a pool takes, mostly what people trade."""
    exponent = chance.choice((chance.uniform(-6, 8), chance.uniform(0, 5.5)))
    return max(1, int(10**exponent * 10**6 * 10**token.decimals / MICRO_USD[token.symbol]))


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A route as one signed transaction."""

    route: Route
    pools: Mapping[Pubkey, Pool]
    plan: TransactionPlan
    signed: SignedTransaction

    @property
    def transaction(self) -> VersionedTransaction:
        return VersionedTransaction.from_bytes(self.signed.raw)


class Desk:
    """The engine at work on a network that stands still."""

    def __init__(self, network: Network, chain: SolanaChain) -> None:
        self.network, self.chain = network, chain
        self.market = SolanaMarket(
            chain,
            DiscoveredPools(chain, VENUES, timedelta(hours=1)),
            VENUES,
            refresh=timedelta(0),
            venue_timeout=timedelta(seconds=30),
        )
        self._serial = 0
        self._tables = ChainLookupTables(chain, [lookup_table_address(network.genesis)], timedelta(hours=1))
        self._no_tables = ChainLookupTables(chain, [])

    def tables(self, case: Case) -> ChainLookupTables:
        return self._tables if case.with_table else self._no_tables

    async def decide(self, case: Case) -> Decision:
        """Open the case's wallet and find its route."""
        for token in KNOWN_TOKENS:
            if token.mint in case.held:
                address = associated_token_address(case.wallet.pubkey(), token.mint, token.token_program)
                self.network.bank.load(address, token_account(token, case.wallet.pubkey(), PLENTY))
        self.network.bank.load(case.wallet.pubkey(), image(SYSTEM_PROGRAM, b"", PLENTY))
        self.settle()
        holdings = await ReadWallet(self.chain, case.wallet.pubkey(), HUBS)(case.swap)
        find_route = FindRoute(
            market=self.market,
            lookup_tables=self.tables(case),
            hubs=HUBS,
            max_hops=case.max_hops,
            compute_unit_price_micro_lamports=case.compute_unit_price,
        )
        return await find_route(case.swap, holdings.lost_rent_lamports)

    async def pools(self, route: Route) -> Mapping[Pubkey, Pool]:
        return await self.market.read({leg.pool: leg.venue for leg in route.legs})

    async def prepare(self, case: Case, route: Route) -> Attempt:
        """Plan and sign a route; the simulation must not fail."""
        self._serial += 1
        order_id = OrderId(UUID(int=self._serial))
        pools, tables = await self.pools(route), await self.tables(case).current()
        order = _order(order_id, case.swap)
        plan = swap_plan(order, route, pools, case.wallet.pubkey(), case.compute_unit_price, tables)
        signed = await KeypairWallet(case.wallet, self.chain).sign(order_id, 1, plan)
        return Attempt(route=route, pools=pools, plan=plan, signed=signed)

    def preview(self, attempt: Attempt) -> Execution:
        """Return what the transaction would do if it landed now."""
        preview = self.network.preview(attempt.transaction)
        assert preview.execution is not None, preview.error
        return preview.execution

    def settle(self) -> None:
        """Let slots go by until what landed is confirmed, and what is sent next lands at the second of what is read."""
        self.advance(2)
        heights = self.network.heights
        while heights.unix_timestamp(heights.head - 1) != heights.unix_timestamp(heights.head + 2):
            self.advance(1)

    def advance(self, slots: int) -> None:
        for _ in range(slots):
            self.network.step()
            self.network.land_due(2**31)


@asynccontextmanager
async def desk(state_dir: Path, seed: int) -> AsyncIterator[Desk]:
    settings = PapernetSettings(
        _env_file=None,
        seed=seed,
        slot_ms=_SLOT_MS,
        land_after_slots_min=0,
        land_after_slots_max=0,
        failure_rate=0,
        market_volatility_bps=0,
    )
    network = open_network(settings, state_dir)
    network.rules = replace(network.rules, slot_ms=_STANDING)
    stop, url = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(run(network, stop, host="127.0.0.1", port=0, ready=url.set_result))
    try:
        async with open_chain([await url]) as chain:
            yield Desk(network, chain)
    finally:
        stop.set()
        await serving
        network.journal.close()


def moved(legs: Iterable[RouteLeg]) -> Counter[Pubkey]:
    """Return what the wallet gains of each token by these legs, left-overs on the way included."""
    total: Counter[Pubkey] = Counter()
    for leg in legs:
        total[leg.token_in] -= leg.amount_in
        total[leg.token_out] += leg.amount_out
    return total


def check_landed(case: Case, attempt: Attempt, done: Execution, legs: Sequence[RouteLeg]) -> None:
    """The wallet holds to the unit what these legs move, has paid the route's fee and rent, and nothing else."""
    route, owner, gains = attempt.route, case.wallet.pubkey(), moved(legs)
    assert done.error is None, done.error
    assert done.fee_lamports == route.network_fee_lamports
    assert done.compute_units <= attempt.plan.compute_unit_limit
    assert len(attempt.signed.raw) <= MAX_TRANSACTION_BYTES
    opened_rent = unwrapped = 0
    for before, after in zip(done.before, done.after, strict=True):
        held, holds = token_holding(before), token_holding(after)
        if owner not in {one.owner for one in (held, holds) if one is not None}:
            continue
        mint = (holds or held).mint  # type: ignore[union-attr]
        if mint == WRAPPED_SOL:
            assert holds is None, "the wrapped SOL was not unwrapped"
            unwrapped += before.lamports if before is not None else 0
            continue
        assert after is not None
        assert holds is not None
        assert holds.amount - (held.amount if held else 0) == gains[mint], TOKENS_BY_MINT[mint].symbol
        opened_rent += after.lamports - (before.lamports if before else 0)
    assert opened_rent == route.rent_lamports
    payer = done.keys.addresses.index(owner)
    lamports = done.after[payer].lamports - done.before[payer].lamports  # type: ignore[union-attr]
    expected = gains[WRAPPED_SOL] + unwrapped - route.network_fee_lamports - route.rent_lamports
    assert lamports == expected, f"lamports {lamports}, expected {expected}"


def _order(order_id: OrderId, swap: SwapTerms) -> Order:
    exact_in = swap.swap_mode is SwapMode.EXACT_IN
    return Order(
        order_id=order_id,
        owner="local",
        request_id="",
        client_order_id="",
        order_type=OrderType.MARKET,
        token_in=swap.token_in,
        token_out=swap.token_out,
        swap_mode=swap.swap_mode,
        amount_in=swap.amount if exact_in else 0,
        amount_out=0 if exact_in else swap.amount,
        slippage_bps=swap.slippage_bps,
        max_attempts=1,
        attempt=1,
        status=OrderStatus.BUILDING,
        create_time=_NOW,
        update_time=_NOW,
    )
