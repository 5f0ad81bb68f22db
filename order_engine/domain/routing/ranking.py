"""Order what was found, say what each way costs in the end, and why none of them will do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from order_engine.domain.errors import AmountTooSmall, AttemptError, NoRoute
from order_engine.domain.route import Candidate, Route, SwapMode, SwapTerms
from order_engine.domain.routing.guards import GUARDS, broken_guard

Preference = tuple[int, int, tuple[bytes, ...], int]  # the lowest is the best

MAX_REASONS: Final = 6  # named when there is no route
MAX_REASON_LENGTH: Final = 160


@dataclass(frozen=True, slots=True)
class Ranked:
    """A route and its net: what is received after all costs, or for EXACT_OUT what is paid with them, below 0."""

    route: Route
    net: int


def preference(one: Ranked) -> Preference:
    """Sort the best first. Ties: fewer legs, then lower pool addresses, so that every worker agrees."""
    legs = one.route.legs
    return -one.net, len(legs), tuple(bytes(leg.pool) for leg in legs), -legs[0].amount_in


def candidate_of(one: Ranked, reject_reason: str = "", *, chosen: bool = False) -> Candidate:
    exact_in = one.route.swap_mode is SwapMode.EXACT_IN
    legs = one.route.legs
    return Candidate(
        venue=">".join("+".join(leg.venue for leg in hop) for hop in one.route.hops),
        pool=legs[0].pool if len(legs) == 1 else None,
        route=one.route,
        net_amount_out=max(0, one.net) if exact_in else 0,
        net_amount_in=0 if exact_in else -one.net,
        reject_reason=reject_reason,
        chosen=chosen,
    )


def why_no_route(candidates: Sequence[Candidate], swap: SwapTerms) -> AttemptError:
    """Return the error of a search that chose nothing.

    Only guards stood in the way: the guard that refused the best route, which the caller may loosen. Dust everywhere
    is the order's own fault, and final. Everything else may look different at the next attempt.
    """
    if not candidates:
        return NoRoute("no venue has a pool for this pair, and no hub token leads there")
    for one in candidates:
        broken = broken_guard(one.route, swap.guards) if one.route and _is_guards(one.reject_reason) else None
        if broken is not None:
            return broken
    reasons = [one.reject_reason for one in candidates]
    if all(reason.startswith(f"{AmountTooSmall.code}:") for reason in reasons):
        amount = "amount_in" if swap.swap_mode is SwapMode.EXACT_IN else "amount_out"
        return AmountTooSmall(f"{amount} is so small that no pool trades it")
    return NoRoute("no pool can fill the order: " + _listed(sorted(set(reasons))))


def _is_guards(reason: str) -> bool:
    return reason.startswith(tuple(f"{guard.error.code}:" for guard in GUARDS))


def _listed(reasons: Sequence[str]) -> str:
    named = [
        reason if len(reason) <= MAX_REASON_LENGTH else reason[: MAX_REASON_LENGTH - 1] + "…" for reason in reasons
    ]
    more = f"; and {len(named) - MAX_REASONS} more reasons" if len(named) > MAX_REASONS else ""
    return "; ".join(named[:MAX_REASONS]) + more
