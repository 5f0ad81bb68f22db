"""Whatever a fact holds, it is the same after a journey through JSON."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import orjson
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.adapters.postgres.codec import decode_fact, decode_route, encode_fact
from order_engine.adapters.postgres.shapes import LegJson
from order_engine.domain.amounts import U64_MAX
from order_engine.domain.order import (
    AttemptFailed,
    AttemptStarted,
    CancelRequested,
    Fact,
    Failure,
    Fill,
    OrderCancelled,
    OrderFailed,
    OrderPlaced,
    ResolvedTransaction,
    RouteChosen,
    TransactionConfirmed,
    TransactionOutcome,
    TransactionSigned,
)
from order_engine.domain.route import Candidate, Route, RouteLeg, SwapMode

u64 = st.integers(0, U64_MAX)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
pubkeys = st.binary(min_size=32, max_size=32).map(Pubkey)
signatures = st.binary(min_size=64, max_size=64).map(Signature)
legs = st.builds(
    RouteLeg,
    venue=words,
    pool=pubkeys,
    token_in=pubkeys,
    token_out=pubkeys,
    amount_in=u64,
    amount_out=u64,
    fee_amount=u64,
    fee_token=pubkeys,
    share_bps=u64,
    compute_units=u64,
    min_amount_out=u64,
    max_amount_in=u64,
    price_impact_bps=u64,
)
routes = st.builds(
    Route,
    legs=st.lists(legs, min_size=1, max_size=3).map(tuple),
    amount_in=u64,
    amount_out=u64,
    min_amount_out=u64,
    price_impact_bps=u64,
    slot=u64,
    swap_mode=st.sampled_from(SwapMode),
    max_amount_in=u64,
    quote_age_slots=u64,
    network_fee_lamports=u64,
    rent_lamports=u64,
)
candidates = st.lists(
    st.builds(
        Candidate,
        venue=words,
        pool=st.none() | pubkeys,
        route=st.none() | routes,
        net_amount_out=st.integers(-U64_MAX // 4, U64_MAX),
        net_amount_in=u64,
        reject_reason=words,
        chosen=st.booleans(),
    ),
    max_size=3,
).map(tuple)
failures = st.builds(Failure, words, words, st.dictionaries(words, words, max_size=3))
endings = st.builds(
    ResolvedTransaction,
    signature=signatures,
    outcome=st.sampled_from(TransactionOutcome),
    slot=st.none() | u64,
    error=st.none() | words,
    fee_lamports=u64,
)
fills = st.builds(Fill, signature=signatures, slot=u64, amount_in=u64, amount_out=u64, fee_lamports=u64)
waits = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=365))
STRATEGIES: dict[type[Fact], st.SearchStrategy[Fact]] = {
    OrderPlaced: st.builds(OrderPlaced),
    AttemptStarted: st.builds(AttemptStarted),
    RouteChosen: st.builds(RouteChosen, routes, candidates),
    TransactionSigned: st.builds(TransactionSigned, signatures, st.binary(min_size=1, max_size=1232), u64),
    TransactionConfirmed: st.builds(TransactionConfirmed, fills),
    AttemptFailed: st.builds(
        AttemptFailed,
        failure=failures,
        retry_after=waits,
        transaction=st.none() | endings,
        candidates=candidates,
    ),
    OrderFailed: st.builds(OrderFailed, failure=failures, transaction=st.none() | endings, candidates=candidates),
    CancelRequested: st.builds(CancelRequested, u64),
    OrderCancelled: st.builds(OrderCancelled, endings),
}
facts = st.one_of(*STRATEGIES.values())


def test_every_kind_of_fact_is_tried() -> None:
    assert set(STRATEGIES) == set(get_args(Fact))


@given(facts)
def test_a_fact_survives_json(fact: Fact) -> None:
    raw = fact.raw if isinstance(fact, TransactionSigned) else None
    stored = orjson.loads(orjson.dumps(encode_fact(fact)))
    assert decode_fact(type(fact).__name__, stored, raw) == fact


def test_a_route_of_an_older_order_bears_its_bounds_on_its_one_leg() -> None:
    """Written before legs had bounds of their own."""
    older_leg: LegJson = {
        "venue": "raydium_cpmm",
        "pool": str(Pubkey.default()),
        "token_in": str(Pubkey.default()),
        "token_out": str(Pubkey.default()),
        "amount_in": 10,
        "amount_out": 20,
        "fee_amount": 1,
        "fee_token": str(Pubkey.default()),
        "share_bps": 10_000,
    }
    route = decode_route(
        {"legs": [older_leg], "amount_in": 10, "amount_out": 20, "min_amount_out": 19, "price_impact_bps": 7, "slot": 5}
    )
    assert (route.swap_mode, route.max_amount_in) == (SwapMode.EXACT_IN, 10)
    assert (route.legs[0].min_amount_out, route.legs[0].max_amount_in, route.legs[0].price_impact_bps) == (19, 10, 7)


@given(STRATEGIES[TransactionSigned])
def test_signed_bytes_are_not_in_an_event(fact: Fact) -> None:
    assert set(encode_fact(fact)) == {"signature", "last_valid_block_height"}


@given(st.text(max_size=30))
def test_any_text_becomes_storable_and_storable_text_stays(message: str) -> None:
    fact = OrderFailed(failure=Failure("INTERNAL", message, {message: message}))
    once = decode_fact("OrderFailed", orjson.loads(orjson.dumps(encode_fact(fact))))
    assert "\\u0000" not in json.dumps(encode_fact(fact))
    assert decode_fact("OrderFailed", orjson.loads(orjson.dumps(encode_fact(once)))) == once
    if "\0" not in message and not any(0xD800 <= ord(letter) <= 0xDFFF for letter in message):
        assert once == replace(fact)
