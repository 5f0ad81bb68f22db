"""Orders and facts to fill the stores with."""

import os
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.adapters.system import RandomIdentifiers
from order_engine.domain.amounts import U64_MAX
from order_engine.domain.order import (
    LOCAL_OWNER,
    AttemptFailed,
    AttemptStarted,
    EventId,
    Fact,
    Failure,
    Fill,
    Order,
    OrderEvent,
    OrderType,
    ResolvedTransaction,
    RouteChosen,
    TransactionConfirmed,
    TransactionOutcome,
    TransactionSigned,
)
from order_engine.domain.route import Candidate, Route, RouteLeg
from order_engine.usecases.ports import OrderStore

SOL = Pubkey.from_string("So11111111111111111111111111111111111111112")
USDC = Pubkey.from_string("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
FAILURE = Failure("NO_ROUTE", "no pool", {"venue": "raydium_cpmm"})


def new_order(
    request_id: str = "",
    *,
    owner: str = LOCAL_OWNER,
    client_order_id: str = "",
    amount_in: int = U64_MAX,
) -> Order:
    unknown_yet = datetime.fromtimestamp(0, UTC)
    return Order(
        order_id=RandomIdentifiers().order_id(),
        owner=owner,
        request_id=request_id,
        client_order_id=client_order_id,
        order_type=OrderType.MARKET,
        token_in=SOL,
        token_out=USDC,
        amount_in=amount_in,
        slippage_bps=50,
        max_attempts=3,
        create_time=unknown_yet,
        update_time=unknown_yet,
    )


def event_id() -> EventId:
    return EventId(uuid4())


def claim_id() -> UUID:
    return uuid4()


def route_chosen(venue: str = "raydium_cpmm", amount_out: int = 150) -> RouteChosen:
    pool = Pubkey.new_unique()
    leg = RouteLeg(
        venue=venue,
        pool=pool,
        token_in=SOL,
        token_out=USDC,
        amount_in=U64_MAX,
        amount_out=amount_out,
        fee_amount=3,
        fee_token=SOL,
        share_bps=10_000,
        min_amount_out=149,
        max_amount_in=U64_MAX,
        price_impact_bps=7,
    )
    route = Route(
        legs=(leg,),
        amount_in=U64_MAX,
        max_amount_in=U64_MAX,
        amount_out=amount_out,
        min_amount_out=149,
        price_impact_bps=7,
        slot=2**63,
        quote_age_slots=1,
        network_fee_lamports=5_100,
        rent_lamports=2_039_280,
    )
    chosen = Candidate(venue=venue, pool=pool, route=route, net_amount_out=amount_out - 1, chosen=True)
    rejected = Candidate(venue="meteora_damm_v2", pool=None, reject_reason="timed out after 250 ms")
    return RouteChosen(route, (chosen, rejected))


def signed() -> TransactionSigned:
    return TransactionSigned(Signature(os.urandom(64)), os.urandom(300), 1_000)


def confirmed(signature: Signature) -> TransactionConfirmed:
    return TransactionConfirmed(Fill(signature=signature, slot=77, amount_in=100, amount_out=150, fee_lamports=5_000))


def dead(signature: Signature) -> ResolvedTransaction:
    return ResolvedTransaction(signature=signature, outcome=TransactionOutcome.DEAD)


def failed_on_chain(signature: Signature) -> ResolvedTransaction:
    return ResolvedTransaction(
        signature=signature,
        outcome=TransactionOutcome.FAILED,
        slot=78,
        error='{"InstructionError":[2,{"Custom":6005}]}',
        fee_lamports=5_000,
    )


def attempt_failed(
    transaction: ResolvedTransaction | None = None, retry_after: timedelta = timedelta(seconds=1)
) -> AttemptFailed:
    return AttemptFailed(failure=FAILURE, retry_after=retry_after, transaction=transaction)


async def drive(store: OrderStore, order: Order, *facts: Fact) -> tuple[Order, OrderEvent]:
    """Append the facts one after the other; return the order and the last event."""
    assert facts
    for fact in facts:
        order, event = await store.append(order, fact, event_id())
    return order, event


async def placed(store: OrderStore, *facts: Fact) -> Order:
    """Store a new order and drive it through the facts."""
    order = await store.create(new_order())
    return (await drive(store, order, *facts))[0] if facts else order


async def submitted(store: OrderStore) -> tuple[Order, Signature]:
    fact = signed()
    return await placed(store, AttemptStarted(), route_chosen(), fact), fact.signature
