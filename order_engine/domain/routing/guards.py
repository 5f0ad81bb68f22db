"""The bounds an order sets beside slippage, held against a route."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from order_engine.domain.errors import GuardRefused, PriceImpactTooHigh, QuoteTooOld, TotalFeeTooHigh
from order_engine.domain.route import Guards, Route


@dataclass(frozen=True, slots=True)
class Guard:
    name: str
    error: type[GuardRefused]
    what: str
    unit: str
    limit: Callable[[Guards], int | None]
    value: Callable[[Route], int]


GUARDS: Final = (
    Guard(
        "max_price_impact_bps",
        PriceImpactTooHigh,
        "price impact",
        "bps",
        lambda guards: guards.max_price_impact_bps,
        lambda route: route.price_impact_bps,
    ),
    Guard(
        "max_total_fee_lamports",
        TotalFeeTooHigh,
        "network fee and rent",
        "lamports",
        lambda guards: guards.max_total_fee_lamports,
        lambda route: route.network_fee_lamports + route.rent_lamports,
    ),
    Guard(
        "max_quote_age_slots",
        QuoteTooOld,
        "quote age",
        "slots",
        lambda guards: guards.max_quote_age_slots,
        lambda route: route.quote_age_slots,
    ),
)


def broken_guard(route: Route, guards: Guards) -> GuardRefused | None:
    """Return the first guard that the route breaks, as the error it would be."""
    for guard in GUARDS:
        limit, value = guard.limit(guards), guard.value(route)
        if limit is not None and value > limit:
            message = f"{guard.what} {value} {guard.unit} is above {guard.name} {limit}"
            return guard.error(message, guard=guard.name, limit=str(limit), value=str(value))
    return None
