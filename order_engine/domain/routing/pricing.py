"""What a chain of divisions is worth as a route, all costs counted."""

from collections.abc import Sequence
from dataclasses import dataclass

from order_engine.domain.route import Route, SwapMode, SwapTerms
from order_engine.domain.routing.build import route_of
from order_engine.domain.routing.costs import Costs, network_fee
from order_engine.domain.routing.options import UnitCost
from order_engine.domain.routing.ranking import Ranked
from order_engine.domain.routing.split import Division
from order_engine.domain.routing.worth import Worth


@dataclass(frozen=True, slots=True)
class Pricing:
    swap: SwapTerms
    costs: Costs
    newest_slot: int
    worth: Worth

    def ranked(self, divisions: Sequence[Division]) -> Ranked:
        """Return the route with its net.

        Raises:
            QuoteRefused: it cannot be, as `route_of` says.
        """
        route = route_of(divisions, self.swap, self.costs, self.newest_slot)
        gross = route.amount_out if route.swap_mode is SwapMode.EXACT_IN else -route.amount_in
        return Ranked(route, gross - self.worth.of(route.network_fee_lamports + route.rent_lamports, route))

    def unit_cost(self, one: Ranked) -> UnitCost:
        worth = self.worth.of(one.route.network_fee_lamports + one.route.rent_lamports, one.route)
        return UnitCost.of(one.route, worth, self.costs.compute_unit_price_micro_lamports)

    def worth_beside_swaps(self, route: Route) -> int:
        """Return what the transaction costs without its swaps' compute units, in the judged token."""
        fee = network_fee(0, self.costs.compute_unit_price_micro_lamports, len(route.hops))
        return self.worth.of(fee + route.rent_lamports, route)
