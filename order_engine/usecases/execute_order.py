"""Execute an order: claim, route, build, submit, confirm.

Safe to run twice and to die anywhere. Nothing can be on chain before TransactionSigned is stored, so until then a
fresh worker goes on from the stored state; after it, a worker only sends the same bytes and looks for their signature
until they have landed or can never land. Every fact is appended to the version it was decided on: whoever loses that
race drops what it held, reloads, and decides again.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

from order_engine.domain.chain_errors import attempt_error
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
    Candidate,
    Fact,
    Failure,
    Order,
    OrderCancelled,
    OrderFailed,
    OrderId,
    OrderStatus,
    ResolvedTransaction,
    Route,
    RouteChosen,
    SignedTransaction,
    TransactionConfirmed,
    TransactionOutcome,
    TransactionSigned,
)
from order_engine.domain.pool import Pool, SwapRequest, missing_dependencies
from order_engine.usecases.check_wallet import CheckWallet
from order_engine.usecases.find_route import FindRoute
from order_engine.usecases.ports import (
    Chain,
    Claim,
    Clock,
    Identifiers,
    OrderClaims,
    OrderObserver,
    OrderSignals,
    OrderStore,
    Wallet,
)
from order_engine.usecases.swap_plan import network_fee, swap_plan

MAX_TAKEOVERS: Final = 5  # of an order that has not been signed: one that keeps killing its workers ends WORKER_LOST
RESEND_EVERY_POLLS: Final = 5
CHAIN_PATIENCE_TRIES: Final = 30  # how often an unreachable chain is asked again before the attempt fails

STORE_RETRY_DELAY: Final = timedelta(milliseconds=500)
STORE_PATIENCE_TRIES: Final = 60  # then the order is put down: whoever finds its lease passed goes on

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
    find_route: FindRoute
    check_wallet: CheckWallet
    venues: Mapping[str, type[Pool]]
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
        pool = None
        if order.status is OrderStatus.ROUTING:
            order, pool = await self._route(order)
        just_sent = False
        if order.status is OrderStatus.BUILDING:
            order, transaction = await self._build(order, pool)
            if transaction is not None:
                await self.chain.send(transaction)
                just_sent = True
        if order.status is OrderStatus.SUBMITTED:
            await self._confirm(order, claim_id, just_sent=just_sent)

    async def _route(self, order: Order) -> tuple[Order, Pool | None]:
        swap = SwapRequest(token_in=order.token_in, token_out=order.token_out, amount_in=order.amount_in)
        dearest = max(venue.COMPUTE_UNITS for venue in self.venues.values())
        fee = network_fee(dearest, self.policy.compute_unit_price_micro_lamports)
        try:
            await self._patiently(lambda: self.check_wallet(order, fee))
            decision = await self._patiently(lambda: self.find_route(swap, order.slippage_bps))
        except AttemptError as error:
            return await self._end_attempt(order, error), None
        if decision.error or decision.route is None:
            why = decision.error or NoRoute("no route was chosen")
            return await self._end_attempt(order, why, candidates=decision.candidates), None
        return await self._record(order, RouteChosen(decision.route, decision.candidates)), decision.pool

    async def _build(self, order: Order, pool: Pool | None) -> tuple[Order, SignedTransaction | None]:
        """Simulate, then sign, then record; only then may the bytes be sent."""
        try:
            transaction = await self._patiently(lambda: self._sign(order, pool))
        except AttemptError as error:
            return await self._end_attempt(order, error), None
        fact = TransactionSigned(transaction.signature, transaction.raw, transaction.last_valid_block_height)
        return await self._record(order, fact), transaction

    async def _sign(self, order: Order, pool: Pool | None) -> SignedTransaction:
        route = _route_of(order)
        pool = pool or await self._load(route)
        price = self.policy.compute_unit_price_micro_lamports
        plan = swap_plan(order, route, pool, self.wallet.address, price)
        simulation = await self.chain.simulate(plan)
        if simulation.error is not None:
            raise self._attempt_error(order, simulation.error, {"simulated": "true"})
        return await self.wallet.sign(order.order_id, order.attempt, plan)

    async def _load(self, route: Route) -> Pool:
        """Read the recorded route's pool again: another worker chose it."""
        address = route.legs[0].pool
        venue = self.venues[route.legs[0].venue]
        head = await self.chain.accounts([address])
        try:
            needs = venue.dependencies(address, head.require(address, venue.PROGRAM_ID))
            snapshot = await self.chain.accounts([address, *needs])
            missing = missing_dependencies(venue, address, snapshot)
            if missing:
                snapshot = await self.chain.accounts([address, *needs, *missing])
            return venue.decode(address, snapshot)
        except PoolUnreadable as error:
            raise NoRoute(f"the chosen pool cannot be read any more: {error.message}") from error

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
        swap = SwapRequest(token_in=order.token_in, token_out=order.token_out, amount_in=order.amount_in)
        fill = await self.chain.fill(transaction.signature, swap, self.wallet.address)
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
        leg = _route_of(order).legs[0]
        described = {**metadata, "venue": leg.venue, "pool": str(leg.pool)}
        return attempt_error(chain_error, self.venues[leg.venue].SLIPPAGE_ERROR, described)

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
