"""Facts and what they hold, to JSON and back. Amounts are JSON integers, durations microseconds, keys base58.

Signed bytes are not in it: they live in the table of transactions and are handed in when reading.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from types import MappingProxyType
from typing import Final, cast

from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.adapters.postgres.shapes import (
    CandidateJson,
    FactJson,
    FailureJson,
    FillJson,
    GuardsJson,
    LegJson,
    RouteJson,
    TransactionJson,
)
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
from order_engine.domain.route import Candidate, Guards, Route, RouteLeg, SwapMode

_MICROSECOND: Final = timedelta(microseconds=1)


def encode_fact(fact: Fact) -> FactJson:
    """Return the detail of an event; its kind is the name of the fact's class."""
    match fact:
        case OrderPlaced() | AttemptStarted():
            return {}
        case RouteChosen():
            return {"route": encode_route(fact.route), "candidates": encode_candidates(fact.candidates)}
        case TransactionSigned():
            return {"signature": str(fact.signature), "last_valid_block_height": fact.last_valid_block_height}
        case TransactionConfirmed():
            return {"fill": encode_fill(fact.fill)}
        case AttemptFailed() | OrderFailed():
            return _encode_ending(fact)
        case CancelRequested():
            return {"decided_by_block_height": fact.decided_by_block_height}
        case OrderCancelled():
            return {"transaction": encode_transaction(fact.transaction)}


def decode_fact(kind: str, detail: Mapping[str, object], raw: bytes | None = None) -> Fact:
    """Return the fact of an event. `raw` is the transaction's bytes, needed for TransactionSigned only."""
    return _DECODERS[kind](cast(FactJson, detail), raw or b"")


def encode_route(route: Route) -> RouteJson:
    return {
        "legs": [_encode_leg(leg) for leg in route.legs],
        "amount_in": route.amount_in,
        "amount_out": route.amount_out,
        "min_amount_out": route.min_amount_out,
        "price_impact_bps": route.price_impact_bps,
        "slot": route.slot,
        "swap_mode": route.swap_mode.value,
        "max_amount_in": route.max_amount_in,
        "quote_age_slots": route.quote_age_slots,
        "network_fee_lamports": route.network_fee_lamports,
        "rent_lamports": route.rent_lamports,
    }


def decode_route(source: RouteJson) -> Route:
    """Routes of older orders have one leg, which bears the route's own bounds."""
    return Route(
        legs=tuple(_decode_leg(leg, source) for leg in source["legs"]),
        amount_in=source["amount_in"],
        amount_out=source["amount_out"],
        min_amount_out=source["min_amount_out"],
        price_impact_bps=source["price_impact_bps"],
        slot=source["slot"],
        swap_mode=SwapMode(source.get("swap_mode", SwapMode.EXACT_IN)),
        max_amount_in=source.get("max_amount_in", source["amount_in"]),
        quote_age_slots=source.get("quote_age_slots", 0),
        network_fee_lamports=source.get("network_fee_lamports", 0),
        rent_lamports=source.get("rent_lamports", 0),
    )


def encode_candidates(candidates: tuple[Candidate, ...]) -> list[CandidateJson]:
    return [
        {
            "venue": candidate.venue,
            "pool": None if candidate.pool is None else str(candidate.pool),
            "route": None if candidate.route is None else encode_route(candidate.route),
            "net_amount_out": candidate.net_amount_out,
            "net_amount_in": candidate.net_amount_in,
            "reject_reason": _storable(candidate.reject_reason),
            "chosen": candidate.chosen,
        }
        for candidate in candidates
    ]


def decode_candidates(source: list[CandidateJson]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            venue=one["venue"],
            pool=None if one["pool"] is None else Pubkey.from_string(one["pool"]),
            route=None if one["route"] is None else decode_route(one["route"]),
            net_amount_out=one["net_amount_out"],
            net_amount_in=one.get("net_amount_in", 0),
            reject_reason=one["reject_reason"],
            chosen=one["chosen"],
        )
        for one in source
    )


def encode_guards(guards: Guards) -> GuardsJson:
    asked = {name: bound for name, bound in asdict(guards).items() if bound is not None}
    return cast(GuardsJson, asked)


def encode_fill(fill: Fill) -> FillJson:
    return {
        "signature": str(fill.signature),
        "slot": fill.slot,
        "amount_in": fill.amount_in,
        "amount_out": fill.amount_out,
        "fee_lamports": fill.fee_lamports,
    }


def decode_fill(source: FillJson) -> Fill:
    return Fill(
        signature=Signature.from_string(source["signature"]),
        slot=source["slot"],
        amount_in=source["amount_in"],
        amount_out=source["amount_out"],
        fee_lamports=source["fee_lamports"],
    )


def encode_failure(failure: Failure) -> FailureJson:
    metadata = {_storable(key): _storable(value) for key, value in failure.metadata.items()}
    return {"reason": failure.reason, "message": _storable(failure.message), "metadata": metadata}


def decode_failure(source: FailureJson) -> Failure:
    return Failure(source["reason"], source["message"], source["metadata"])


def encode_transaction(transaction: ResolvedTransaction) -> TransactionJson:
    return {
        "signature": str(transaction.signature),
        "outcome": transaction.outcome.value,
        "slot": transaction.slot,
        "error": None if transaction.error is None else _storable(transaction.error),
        "fee_lamports": transaction.fee_lamports,
    }


def _storable(text: str) -> str:
    """Replace what PostgreSQL cannot hold (NUL, lone surrogates): a program's log must not block an order."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _encode_leg(leg: RouteLeg) -> LegJson:
    return {
        "venue": leg.venue,
        "pool": str(leg.pool),
        "token_in": str(leg.token_in),
        "token_out": str(leg.token_out),
        "amount_in": leg.amount_in,
        "amount_out": leg.amount_out,
        "fee_amount": leg.fee_amount,
        "fee_token": str(leg.fee_token),
        "share_bps": leg.share_bps,
        "compute_units": leg.compute_units,
        "min_amount_out": leg.min_amount_out,
        "max_amount_in": leg.max_amount_in,
        "price_impact_bps": leg.price_impact_bps,
    }


def _decode_leg(source: LegJson, route: RouteJson) -> RouteLeg:
    return RouteLeg(
        venue=source["venue"],
        pool=Pubkey.from_string(source["pool"]),
        token_in=Pubkey.from_string(source["token_in"]),
        token_out=Pubkey.from_string(source["token_out"]),
        amount_in=source["amount_in"],
        amount_out=source["amount_out"],
        fee_amount=source["fee_amount"],
        fee_token=Pubkey.from_string(source["fee_token"]),
        share_bps=source["share_bps"],
        compute_units=source.get("compute_units", 0),
        min_amount_out=source.get("min_amount_out", route["min_amount_out"]),
        max_amount_in=source.get("max_amount_in", source["amount_in"]),
        price_impact_bps=source.get("price_impact_bps", route["price_impact_bps"]),
    )


def _decode_transaction(source: TransactionJson) -> ResolvedTransaction:
    return ResolvedTransaction(
        signature=Signature.from_string(source["signature"]),
        outcome=TransactionOutcome(source["outcome"]),
        slot=source["slot"],
        error=source["error"],
        fee_lamports=source["fee_lamports"],
    )


def _encode_ending(fact: AttemptFailed | OrderFailed) -> FactJson:
    ending: FactJson = {
        "failure": encode_failure(fact.failure),
        "transaction": None if fact.transaction is None else encode_transaction(fact.transaction),
        "candidates": encode_candidates(fact.candidates),
    }
    if isinstance(fact, AttemptFailed):
        ending["retry_after_us"] = fact.retry_after // _MICROSECOND
    return ending


def _decode_attempt_failed(source: FactJson, _: bytes) -> AttemptFailed:
    return AttemptFailed(
        failure=decode_failure(source["failure"]),
        retry_after=source["retry_after_us"] * _MICROSECOND,
        transaction=None if source["transaction"] is None else _decode_transaction(source["transaction"]),
        candidates=decode_candidates(source["candidates"]),
    )


def _decode_order_failed(source: FactJson, _: bytes) -> OrderFailed:
    return OrderFailed(
        failure=decode_failure(source["failure"]),
        transaction=None if source["transaction"] is None else _decode_transaction(source["transaction"]),
        candidates=decode_candidates(source["candidates"]),
    )


def _decode_cancelled(source: FactJson, _: bytes) -> OrderCancelled:
    transaction = source["transaction"]
    if transaction is None:
        raise ValueError("OrderCancelled names no transaction")
    return OrderCancelled(_decode_transaction(transaction))


_DECODERS: Final[Mapping[str, Callable[[FactJson, bytes], Fact]]] = MappingProxyType(
    {
        "OrderPlaced": lambda _source, _raw: OrderPlaced(),
        "AttemptStarted": lambda _source, _raw: AttemptStarted(),
        "RouteChosen": lambda source, _: RouteChosen(
            decode_route(source["route"]), decode_candidates(source["candidates"])
        ),
        "TransactionSigned": lambda source, raw: TransactionSigned(
            Signature.from_string(source["signature"]), raw, source["last_valid_block_height"]
        ),
        "TransactionConfirmed": lambda source, _: TransactionConfirmed(decode_fill(source["fill"])),
        "AttemptFailed": _decode_attempt_failed,
        "OrderFailed": _decode_order_failed,
        "CancelRequested": lambda source, _: CancelRequested(source["decided_by_block_height"]),
        "OrderCancelled": _decode_cancelled,
    }
)
