"""Explanations, quotes and verdicts → proto."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from order_engine.api.translate import failure_message, order_message, route_message, timestamp, update_message
from order_engine.domain.attempts import Attempt
from order_engine.domain.route import Candidate
from order_engine.usecases.cancel_order import Cancellation, CancelVerdict
from order_engine.usecases.explain_order import Explanation
from order_engine.usecases.find_route import Decision
from protos.order_engine.v1 import order_service_pb2 as pb

_VERDICTS: Final[Mapping[CancelVerdict, pb.CancelVerdict.ValueType]] = MappingProxyType(
    {verdict: pb.CancelVerdict.Value(f"CANCEL_VERDICT_{verdict.name}") for verdict in CancelVerdict}
)


def cancellation_message(cancellation: Cancellation) -> pb.CancelOrderResponse:
    return pb.CancelOrderResponse(
        verdict=_VERDICTS[cancellation.verdict],
        decided_by_block_height=cancellation.decided_by_block_height,
        order=order_message(cancellation.order),
    )


def explanation_message(explanation: Explanation) -> pb.ExplainOrderResponse:
    return pb.ExplainOrderResponse(
        order=order_message(explanation.order),
        attempts=[_attempt_message(attempt) for attempt in explanation.attempts],
        updates=[update_message(event) for event in explanation.events],
    )


def quote_message(decision: Decision) -> pb.GetQuoteResponse:
    return pb.GetQuoteResponse(
        route=route_message(decision.route) if decision.route else None,
        candidates=[candidate_message(candidate) for candidate in decision.candidates],
        slot=decision.slot,
    )


def _attempt_message(attempt: Attempt) -> pb.Attempt:
    return pb.Attempt(
        number=attempt.number,
        start_time=timestamp(attempt.start_time),
        candidates=[candidate_message(candidate) for candidate in attempt.candidates],
        signature=str(attempt.signature) if attempt.signature else "",
        failure=failure_message(attempt.failure) if attempt.failure else None,
    )


def candidate_message(candidate: Candidate) -> pb.Candidate:
    """A candidate that could not be quoted still says which venue and pool it is about."""
    if candidate.route is not None:
        route = route_message(candidate.route)
    else:
        pool = str(candidate.pool) if candidate.pool else ""
        route = pb.Route(legs=[pb.RouteLeg(venue=candidate.venue, pool=pool)])
    return pb.Candidate(
        route=route,
        chosen=candidate.chosen,
        reject_reason=candidate.reject_reason,
        net_amount_out=candidate.net_amount_out,
        net_amount_in=candidate.net_amount_in,
    )
