"""Find the route that leaves the most in the wallet: pure, exact, and the same in every worker."""

from order_engine.domain.routing.costs import MAX_COMPUTE_UNITS, Costs, compute_unit_limit, network_fee
from order_engine.domain.routing.guards import broken_guard
from order_engine.domain.routing.paths import MAX_HOPS, pairs_of
from order_engine.domain.routing.ranking import why_no_route
from order_engine.domain.routing.search import find_candidates

__all__ = [
    "MAX_COMPUTE_UNITS",
    "MAX_HOPS",
    "Costs",
    "broken_guard",
    "compute_unit_limit",
    "find_candidates",
    "network_fee",
    "pairs_of",
    "why_no_route",
]
