"""Every fact and every state becomes the message that the contract promises."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.api import translate
from order_engine.api.explanation import candidate_message
from order_engine.domain.order import (
    LOCAL_OWNER,
    AttemptFailed,
    AttemptStarted,
    CancelRequested,
    Fact,
    Failure,
    Fill,
    Order,
    OrderCancelled,
    OrderEvent,
    OrderFailed,
    OrderId,
    OrderPlaced,
    OrderStatus,
    OrderType,
    ResolvedTransaction,
    RouteChosen,
    TransactionConfirmed,
    TransactionOutcome,
    TransactionSigned,
)
from order_engine.domain.route import Candidate, Guards, Route, RouteLeg, SwapMode
from protos.order_engine.v1 import order_service_pb2 as pb

AT = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
U64_MAX = 2**64 - 1
MINT_IN, MINT_OUT, POOL = (Pubkey.new_unique() for _ in range(3))
SIGNATURE = Signature.new_unique()
FAILURE = Failure("SLIPPAGE_EXCEEDED", "too little", {"code": "6005"})
DEAD = ResolvedTransaction(signature=SIGNATURE, outcome=TransactionOutcome.DEAD)
FILL = Fill(signature=SIGNATURE, slot=9, amount_in=U64_MAX, amount_out=3, fee_lamports=5000)
LEG = RouteLeg(
    venue="raydium_cpmm",
    pool=POOL,
    token_in=MINT_IN,
    token_out=MINT_OUT,
    amount_in=10,
    amount_out=20,
    fee_amount=1,
    fee_token=MINT_IN,
    share_bps=10_000,
    min_amount_out=19,
    max_amount_in=10,
)
ROUTE = Route(legs=(LEG,), amount_in=10, max_amount_in=10, amount_out=20, min_amount_out=19, price_impact_bps=7, slot=5)
ORDER = Order(
    order_id=OrderId(UUID(int=7)),
    owner=LOCAL_OWNER,
    request_id="r",
    client_order_id="c",
    order_type=OrderType.MARKET,
    token_in=MINT_IN,
    token_out=MINT_OUT,
    amount_in=U64_MAX,
    slippage_bps=0,
    max_attempts=3,
    create_time=AT,
    update_time=AT,
)
GUARDS = ("max_price_impact_bps", "max_total_fee_lamports", "max_quote_age_slots")
DETAILS: Mapping[type[Fact], tuple[Fact, str | None]] = {
    OrderPlaced: (OrderPlaced(), None),
    AttemptStarted: (AttemptStarted(), None),
    RouteChosen: (RouteChosen(ROUTE, ()), "route"),
    TransactionSigned: (TransactionSigned(SIGNATURE, b"secret", 300), "transaction"),
    TransactionConfirmed: (TransactionConfirmed(FILL), "fill"),
    AttemptFailed: (AttemptFailed(failure=FAILURE, retry_after=timedelta(seconds=1)), "retry"),
    OrderFailed: (OrderFailed(failure=FAILURE), "failure"),
    CancelRequested: (CancelRequested(333), "cancel_requested"),
    OrderCancelled: (OrderCancelled(DEAD), None),
}


def update(fact: Fact) -> pb.OrderStatusUpdate:
    return translate.update_message(
        OrderEvent(order_id=ORDER.order_id, sequence=4, status=OrderStatus.PENDING, attempt=2, event_time=AT, fact=fact)
    )


@pytest.mark.parametrize("kind", get_args(Fact), ids=lambda kind: kind.__name__)
def test_each_fact_has_its_detail(kind):
    fact, detail = DETAILS[kind]
    message = update(fact)
    assert message.WhichOneof("detail") == detail
    assert (message.sequence, message.attempt, message.status) == (4, 2, pb.ORDER_STATUS_PENDING)
    assert b"secret" not in message.SerializeToString()


def test_a_retry_says_why_and_when():
    retry = update(DETAILS[AttemptFailed][0]).retry
    assert (retry.cause.reason, retry.cause.message, dict(retry.cause.metadata)) == (
        "SLIPPAGE_EXCEEDED",
        "too little",
        {"code": "6005"},
    )
    assert retry.next_attempt_time.ToDatetime(UTC) == AT + timedelta(seconds=1)


def test_a_route_is_told_leg_by_leg():
    route = update(RouteChosen(ROUTE, ())).route
    leg = route.legs[0]
    assert (route.amount_out, route.min_amount_out, route.price_impact_bps, route.slot) == (20, 19, 7, 5)
    assert (leg.venue, leg.pool, leg.token_in, leg.token_out) == (
        "raydium_cpmm",
        str(POOL),
        str(MINT_IN),
        str(MINT_OUT),
    )
    assert (leg.amount_in, leg.amount_out, leg.fee_amount, leg.fee_token) == (10, 20, 1, str(MINT_IN))
    assert leg.share_bps == 10_000


@pytest.mark.parametrize("kind", [Route, RouteLeg])
def test_every_field_of_a_route_is_told(kind):
    leg = replace(LEG, price_impact_bps=11, min_amount_out=12, max_amount_in=13)
    sample = {
        "swap_mode": SwapMode.EXACT_OUT, "slot": 14, "quote_age_slots": U64_MAX, "network_fee_lamports": 15,
        "rent_lamports": 16, "max_amount_in": 17, "min_amount_out": 18, "price_impact_bps": 19,
    }  # fmt: skip
    route = replace(ROUTE, legs=(leg, leg), **sample)
    message = translate.route_message(route)
    told, source = (message, route) if kind is Route else (message.legs[1], leg)
    for field in told.DESCRIPTOR.fields:
        if not field.is_repeated and field.enum_type is None:
            value = getattr(source, field.name)
            assert getattr(told, field.name) == (str(value) if isinstance(value, Pubkey) else value), field.name
    assert (message.swap_mode, len(message.legs)) == (pb.SWAP_MODE_EXACT_OUT, 2)


def test_a_candidate_tells_both_nets_and_one_that_was_refused_keeps_its_route():
    message = candidate_message(
        Candidate(venue="a+b", pool=None, route=ROUTE, net_amount_in=U64_MAX, reject_reason="PRICE_IMPACT_TOO_HIGH: so")
    )
    assert (message.net_amount_in, message.net_amount_out, message.chosen) == (U64_MAX, 0, False)
    assert (message.reject_reason, message.route.amount_out) == ("PRICE_IMPACT_TOO_HIGH: so", 20)


def test_a_candidate_of_several_pools_that_could_not_be_quoted_names_its_venues():
    message = candidate_message(Candidate(venue="a>b", pool=None, reject_reason="QUOTE_REFUSED: so"))
    assert [(leg.venue, leg.pool) for leg in message.route.legs] == [("a>b", "")]


@pytest.mark.parametrize("swap_mode", SwapMode)
def test_an_order_shows_its_mode_and_only_the_guards_it_has(swap_mode):
    zero = replace(ORDER, swap_mode=swap_mode, amount_out=5, guards=Guards(max_total_fee_lamports=0))
    message = translate.order_message(zero)
    assert pb.SwapMode.Name(message.swap_mode) == f"SWAP_MODE_{swap_mode.name}"
    assert message.amount_out == 5
    assert [name for name in GUARDS if message.HasField(name)] == ["max_total_fee_lamports"]
    assert not any(translate.order_message(ORDER).HasField(name) for name in GUARDS)


@pytest.mark.parametrize("status", OrderStatus)
def test_every_status_has_its_number(status):
    message = translate.order_message(replace(ORDER, status=status))
    assert pb.OrderStatus.Name(message.status) == f"ORDER_STATUS_{status.name}"


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (OrderStatus.PENDING, True),
        (OrderStatus.FAILED, True),
        (OrderStatus.ROUTING, False),
        (OrderStatus.SUBMITTED, False),
        (OrderStatus.CANCELLED, False),
    ],
)
def test_an_earlier_attempts_failure_is_shown_only_while_it_matters(status, shown):
    message = translate.order_message(replace(ORDER, status=status, failure=FAILURE))
    assert message.HasField("failure") is shown


def test_a_new_order_shows_only_what_it_has():
    message = translate.order_message(ORDER)
    unset = ("route", "fill", "failure", "next_attempt_time")
    assert not any(message.HasField(name) for name in unset)
    assert (message.signature, message.attempt, message.cancel_requested) == ("", 0, False)
    assert (message.amount_in, message.slippage_bps) == (U64_MAX, 0)


ZONES = st.just(UTC) | st.just(timezone(timedelta(hours=5, minutes=30)))


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2500, 1, 1), timezones=ZONES))  # noqa: DTZ001
def test_times_are_exact(at):
    message = translate.timestamp(at)
    assert (
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=message.seconds, microseconds=message.nanos // 1000) == at
    )
    assert message.nanos % 1000 == 0


@pytest.mark.parametrize("number", [0, 1])
def test_an_unset_order_type_is_a_market_order(number):
    request = pb.SubmitOrderRequest(token_in="SOL", token_out="USDC", amount_in=1, order_type=number)
    assert translate.order_terms(request, LOCAL_OWNER).order_type is OrderType.MARKET


def test_unset_and_zero_slippage_differ():
    request = pb.SubmitOrderRequest(token_in="SOL", token_out="USDC", amount_in=1)
    assert translate.order_terms(request, LOCAL_OWNER).slippage_bps is None
    request.slippage_bps = 0
    assert translate.order_terms(request, LOCAL_OWNER).slippage_bps == 0
