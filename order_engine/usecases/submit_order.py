"""Take an order: store it, then schedule it.

The store is the truth, the hint to the workers is best effort: a crash between the two leaves a PENDING order, which
the sweeper hints again. The caller's reply waits for the store alone.
"""

from dataclasses import dataclass

from solders.pubkey import Pubkey

from order_engine.domain.order import Order, OrderStatus, OrderType
from order_engine.domain.route import NO_GUARDS, Guards, SwapMode
from order_engine.usecases.ports import Clock, Identifiers, OrderSignals, OrderStore, TaskQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTerms:
    """What a caller asks for, checked for form."""

    owner: str
    request_id: str  # "" = no idempotency
    client_order_id: str
    order_type: OrderType
    token_in: Pubkey
    token_out: Pubkey
    swap_mode: SwapMode = SwapMode.EXACT_IN
    amount_in: int = 0  # base units of token_in; 0 for EXACT_OUT
    amount_out: int = 0  # base units of token_out; 0 for EXACT_IN
    slippage_bps: int | None  # None = the configured default
    guards: Guards = NO_GUARDS


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOrder:
    store: OrderStore
    queue: TaskQueue
    signals: OrderSignals
    identifiers: Identifiers
    clock: Clock
    default_slippage_bps: int
    max_attempts: int

    async def __call__(self, terms: OrderTerms) -> Order:
        """Return the stored order: the first one when the request_id is known.

        Raises:
            RequestIdReused: the request_id belongs to another order.
            Unavailable: the store cannot be reached; the order may have been stored, repeating the request_id tells.
        """
        stored = await self.store.create(self._new_order(terms))
        if stored.status is OrderStatus.PENDING:
            self.queue.hint(stored.order_id)
            self.signals.publish(stored.order_id, stored.sequence)
        return stored

    def _new_order(self, terms: OrderTerms) -> Order:
        now = self.clock.now()
        default = self.default_slippage_bps
        return Order(
            order_id=self.identifiers.order_id(),
            owner=terms.owner,
            request_id=terms.request_id,
            client_order_id=terms.client_order_id,
            order_type=terms.order_type,
            token_in=terms.token_in,
            token_out=terms.token_out,
            swap_mode=terms.swap_mode,
            amount_in=terms.amount_in,
            amount_out=terms.amount_out,
            slippage_bps=default if terms.slippage_bps is None else terms.slippage_bps,
            guards=terms.guards,
            max_attempts=self.max_attempts,
            create_time=now,
            update_time=now,
        )
