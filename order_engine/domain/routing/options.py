"""The ways to trade one hop of a path, each with what it is worth beside the others: one pool, or a few together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from order_engine.domain.amounts import mul_div_ceil, mul_div_floor
from order_engine.domain.route import Route, SwapMode
from order_engine.domain.routing.chain import worth_of
from order_engine.domain.routing.pool_side import PoolSide
from order_engine.domain.routing.split import CHUNKS, Division, given_out

ONE: Final = 1 << 48  # weights are fractions of this
FINER: Final = 2_000  # of ONE: dividing more finely than in chunks gains less
POOLS_ON_THEIR_OWN: Final = 4  # of a hop, besides splits


@dataclass(frozen=True, slots=True)
class Option:
    """`weight` says how a route fares with it: its part of the output, or the input, less its part of the fee."""

    division: Division
    weight: int


@dataclass(frozen=True, slots=True)
class UnitCost:
    """What compute units cost a route, as a fraction of all it trades."""

    lamports: int
    worth: int  # of these lamports, in the token the route is judged by
    traded: int  # of that token
    compute_unit_price_micro_lamports: int

    @classmethod
    def of(cls, route: Route, worth: int, compute_unit_price_micro_lamports: int) -> "UnitCost":
        traded = route.amount_out if route.swap_mode is SwapMode.EXACT_IN else route.amount_in
        lamports = route.network_fee_lamports + route.rent_lamports
        return cls(lamports, worth, traded, compute_unit_price_micro_lamports)

    def weight(self, compute_units: int) -> int:
        """Return the part of ONE that these compute units take. Rounds up."""
        micro_lamports = compute_units * self.compute_unit_price_micro_lamports
        return mul_div_ceil(micro_lamports * self.worth, ONE, 10**6 * self.lamports * self.traded)


def options_of(
    sides: Sequence[PoolSide], amount: int, base: Division, splits: Sequence[Division], cost: UnitCost
) -> tuple[Option, ...]:
    """Return the options for this amount, the best first; `base` has the weight of about ONE."""
    singles = [((side, amount),) for side in sides if side.value(amount) is not None]
    singles.sort(key=lambda division: -worth_of(division))
    divisions = [*splits, *singles[:POOLS_ON_THEIR_OWN]]
    if base not in divisions:
        divisions.append(base)
    of_base = worth_of(base)
    options = [Option(division, _weight(division, of_base, cost)) for division in divisions]
    return tuple(sorted(options, key=lambda option: (-option.weight, len(option.division))))


def headroom(sides: Sequence[PoolSide], amount: int, base: Division) -> int:
    """Return what splitting this hop could make of ONE at most: everything traded as well as the first chunk."""
    chunk = max(1, amount // CHUNKS)
    values = [value for side in sides if (value := side.value(chunk)) is not None]
    if not values:
        return ONE
    return max(ONE, _ratio(mul_div_floor(max(values), amount, chunk), worth_of(base)))


def headroom_in_chunks(sides: Sequence[PoolSide], amount: int, base: Division) -> int:
    """Return the same, seen more closely: what all pools together make of it, and a little more."""
    amounts = given_out(sides, amount)
    if amounts is None:
        return ONE
    together = worth_of(tuple(part for part in zip(sides, amounts, strict=True) if part[1]))
    return max(ONE, _ratio(together, worth_of(base))) + ONE // FINER


def _ratio(value: int, of_base: int) -> int:
    """Return how many ONEs `value` is of the base's. Values below 0 are costs: half the cost is twice as good."""
    return mul_div_floor(value, ONE, of_base) if value > 0 else mul_div_floor(of_base, ONE, value)


def _weight(division: Division, of_base: int, cost: UnitCost) -> int:
    units = sum(side.quote(amount).compute_units or side.pool.COMPUTE_UNITS for side, amount in division)
    return max(1, _ratio(worth_of(division), of_base) - cost.weight(units))
