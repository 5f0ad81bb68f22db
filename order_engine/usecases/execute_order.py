"""Execute an order: claim, route, build, submit, confirm.

Safe to run twice and to die anywhere. Nothing can be on chain before TransactionSigned is stored, so until then a
fresh worker goes on from the stored state; after it, a worker only sends the same bytes and looks for their signature
until they have landed or can never land. Every fact is appended to the version it was decided on: whoever loses that
race drops what it held, reloads, and decides again.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

from solders.pubkey import Pubkey

from order_engine.domain.attempts import unlucky_pool
from order_engine.domain.chain_errors import attempt_error, failed_instruction
from order_engine.domain.errors import (
    AttemptError,
    ChainSilent,
    ChainUnavailable,
    NoRoute,
    PoolUnreadable,
    StaleOrder,
    TransactionExpired,
    Unavailable,
    WorkerLost,
)
from order_engine.domain.finality import Landed, verdict
from order_engine.domain.order import (
    AttemptFailed,
    Fact,
    Failure,
    Order,
    OrderCancelled,
    OrderFailed,
    OrderId,
    OrderStatus,
    ResolvedTransaction,
    RouteChosen,
    SignedTransaction,
    TransactionConfirmed,
    TransactionOutcome,
    TransactionSigned,
)
from order_engine.domain.pool import Pool
from order_engine.domain.route import Candidate, Route
from order_engine.domain.routing import broken_guard
from order_engine.usecases.find_route import FindRoute
from order_engine.usecases.ports import (
    Chain,
    Claim,
    Clock,
    Identifiers,
    LookupTables,
    Market,
    OrderClaims,
    OrderObserver,
    OrderSignals,
    OrderStore,
    Wallet,
)
from order_engine.usecases.read_wallet import ReadWallet
from order_engine.usecases.swap_plan import leg_at, swap_plan

MAX_TAKEOVERS: Final = 5  # of an order that has not been signed: one that keeps killing its workers ends WORKER_LOST
RESEND_EVERY_POLLS: Final = 5
CHAIN_PATIENCE_TRIES: Final = 30  # how often an unreachable chain is asked again before the attempt fails

STORE_RETRY_DELAY: Final = timedelta(milliseconds=500)
STORE_PATIENCE_TRIES: Final = 60  # then the order is put down: whoever finds its lease passed goes on

Pools = Mapping[Pubkey, Pool]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPolicy:
    retry_delay: timedelta  # before the second attempt; doubles for each further one
    poll_interval: timedelta
    compute_unit_price_micro_lamports: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecuteOrder:
    store: OrderStore
    claims: OrderClaims
    signals: OrderSignals
    observer: OrderObserver
    chain: Chain
    wallet: Wallet
    market: Market
    lookup_tables: LookupTables
    read_wallet: ReadWallet
    find_route: FindRoute
    slippage_errors: Mapping[str, frozenset[int]]  # by venue: the program's own codes for a bound that does not hold
    clock: Clock
    identifiers: Identifiers
    policy: ExecutionPolicy

    async def __call__(self, order_id: OrderId, claim_id: UUID) -> None:
        """Work on the order until it is terminal, waits for its next attempt, or is someone else's."""
        claim = await self._claim(order_id, claim_id)
        while claim is not None:
            try:
                await self._work(claim, claim_id)
                return
            except StaleOrder:
                claim = await self.claims.reload(order_id, claim_id)
            except Unavailable:
                claim = await self._reload_when_back(order_id, claim_id)

    async def _reload_when_back(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        """Wait out a restart of the store. Whether the last write was kept is seen in what it then holds."""
        for _ in range(STORE_PATIENCE_TRIES):
            await self.clock.sleep(STORE_RETRY_DELAY)
            try:
                return await self.claims.reload(order_id, claim_id)
            except Unavailable:
                continue
        return await self.claims.reload(order_id, claim_id)

    async def _claim(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        started = await self.claims.start(order_id, claim_id, self.identifiers.event_id())
        if started is None:
            return await self.claims.take_over(order_id, claim_id)
        claim, event = started
        self.signals.publish(order_id, event.sequence)
        self.observer.recorded(claim.order, event)
        return claim

    async def _work(self, claim: Claim, claim_id: UUID) -> None:
        order = claim.order
        if claim.takeovers > MAX_TAKEOVERS and order.status is not OrderStatus.SUBMITTED:
            error = WorkerLost(f"{claim.takeovers} workers died while working on this attempt")
            await self._record(order, OrderFailed(failure=_failure(error)))
            return
        pools: Pools = {}
        if order.status is OrderStatus.ROUTING:
            order, pools = await self._route(order)
        just_sent = False
        if order.status is OrderStatus.BUILDING:
            order, transaction = await self._build(order, pools)
            if transaction is not None:
                await self.chain.send(transaction)
                just_sent = True
        if order.status is OrderStatus.SUBMITTED:
            await self._confirm(order, claim_id, just_sent=just_sent)

    async def _route(self, order: Order) -> tuple[Order, Pools]:
        swap = order.swap
        candidates: tuple[Candidate, ...] = ()
        try:
            holdings = await self._patiently(lambda: self.read_wallet(swap))
            holdings.check_terms(swap)
            rent = holdings.lost_rent_lamports
            decision = await self._patiently(lambda: self.find_route(swap, rent, unlucky_pool(order)))
            candidates = decision.candidates
            route = decision.require_route()
            holdings.check_route(route)
        except AttemptError as error:
            return await self._end_attempt(order, error, candidates=candidates), {}
        return await self._record(order, RouteChosen(route, candidates)), decision.pools

    async def _build(self, order: Order, pools: Pools) -> tuple[Order, SignedTransaction | None]:
        """Simulate, then sign, then record; only then may the bytes be sent."""
        try:
            transaction = await self._patiently(lambda: self._sign(order, pools))
        except AttemptError as error:
            return await self._end_attempt(order, error), None
        fact = TransactionSigned(transaction.signature, transaction.raw, transaction.last_valid_block_height)
        return await self._record(order, fact), transaction

    async def _sign(self, order: Order, pools: Pools) -> SignedTransaction:
        route = _route_of(order)
        pools = pools or await self._read_again(route)
        price = self.policy.compute_unit_price_micro_lamports
        tables = await self.lookup_tables.current()
        plan = swap_plan(order, route, pools, self.wallet.address, price, tables)
        simulation = await self.chain.simulate(plan)
        if simulation.error is not None:
            raise self._attempt_error(order, simulation.error, {"simulated": "true"})
        aged = replace(route, quote_age_slots=max(0, simulation.slot - route.slot))
        if refused := broken_guard(aged, order.guards):
            raise refused
        return await self.wallet.sign(order.order_id, order.attempt, plan)

    async def _read_again(self, route: Route) -> Pools:
        """Read the recorded route's pools: another worker chose it."""
        try:
            return await self.market.read({leg.pool: leg.venue for leg in route.legs})
        except PoolUnreadable as error:
            raise NoRoute(f"a pool of the chosen route cannot be read any more: {error.message}") from error

    async def _confirm(self, order: Order, claim_id: UUID, *, just_sent: bool) -> None:
        """Look until the outcome is certain. The same bytes are sent again unless a cancel was asked."""
        transaction = await self.store.live_transaction(order.order_id)
        polls = 1 if just_sent else 0
        while transaction is not None:
            sightings = await self.chain.sightings(transaction.signature)
            outcome = verdict(sightings, transaction.last_valid_block_height)
            if isinstance(outcome, Landed):
                if await self._landed(order, transaction, outcome):
                    return
            elif outcome == "dead":
                await self._expired(order, transaction)
                return
            elif polls % RESEND_EVERY_POLLS == 0:
                claim = await self.claims.reload(order.order_id, claim_id)
                if claim is None:
                    return
                order = claim.order
                if not order.cancel_requested:
                    await self.chain.send(transaction)
            polls += 1
            await self.clock.sleep(self.policy.poll_interval)

    async def _landed(self, order: Order, transaction: SignedTransaction, landed: Landed) -> bool:
        """Record what landed. False while the chain cannot yet say what it did to the wallet."""
        if landed.error is not None:
            resolved = ResolvedTransaction(
                signature=transaction.signature,
                outcome=TransactionOutcome.FAILED,
                slot=landed.slot,
                error=landed.error,
            )
            error = self._attempt_error(order, landed.error, {"signature": str(transaction.signature)})
            await self._end_attempt(order, error, transaction=resolved)
            return True
        fill = await self.chain.fill(transaction.signature, order.swap, self.wallet.address)
        if fill is None:
            return False
        await self._record(order, TransactionConfirmed(fill))
        return True

    async def _expired(self, order: Order, transaction: SignedTransaction) -> None:
        resolved = ResolvedTransaction(signature=transaction.signature, outcome=TransactionOutcome.DEAD)
        height = transaction.last_valid_block_height
        error = TransactionExpired(
            f"the chain passed block height {height} without the transaction: it can never land",
            signature=str(transaction.signature),
        )
        await self._end_attempt(order, error, transaction=resolved)

    async def _end_attempt(
        self,
        order: Order,
        error: AttemptError,
        *,
        transaction: ResolvedTransaction | None = None,
        candidates: tuple[Candidate, ...] = (),
    ) -> Order:
        """Cancelled if that was asked, else another attempt if one is left and can go better, else failed."""
        failure = _failure(error)
        fact: Fact
        if order.cancel_requested and transaction is not None:
            fact = OrderCancelled(transaction)
        elif error.retryable and order.attempt < order.max_attempts:
            wait = self.policy.retry_delay * 2 ** (order.attempt - 1)
            fact = AttemptFailed(failure=failure, retry_after=wait, transaction=transaction, candidates=candidates)
        else:
            fact = OrderFailed(failure=failure, transaction=transaction, candidates=candidates)
        return await self._record(order, fact)

    def _attempt_error(self, order: Order, chain_error: str, metadata: Mapping[str, str]) -> AttemptError:
        place = failed_instruction(chain_error)
        leg = None if place is None else leg_at(_route_of(order), place)
        if leg is None:
            return attempt_error(chain_error, frozenset(), metadata)
        described = {**metadata, "venue": leg.venue, "pool": str(leg.pool)}
        return attempt_error(chain_error, self.slippage_errors[leg.venue], described)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask an unreachable chain again for a while: nothing is signed yet, so waiting is harmless."""
        for _ in range(CHAIN_PATIENCE_TRIES):
            try:
                return await ask()
            except ChainUnavailable as error:
                last = error
                await self.clock.sleep(self.policy.poll_interval)
        raise ChainSilent(last.message)

    async def _record(self, order: Order, fact: Fact) -> Order:
        changed, event = await self.store.append(order, fact, self.identifiers.event_id())
        self.signals.publish(changed.order_id, event.sequence)
        self.observer.recorded(changed, event)
        return changed


def _failure(error: AttemptError) -> Failure:
    return Failure(error.code, error.message, dict(error.metadata))


def _route_of(order: Order) -> Route:
    if order.route is None:
        raise NoRoute(f"{order.order_id} is {order.status} without a route")
    return order.route
