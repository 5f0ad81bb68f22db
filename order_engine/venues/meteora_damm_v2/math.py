"""The two curves of DAMM v2 as pure integer functions. Prices are Q64 square roots of B per A, liquidity is Q64.

Rounding always favours the pool: down for what it pays, up for what it takes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from typing import NamedTuple, Protocol

from order_engine.domain.amounts import BPS, U64_MAX, mul_div_ceil, mul_div_floor
from order_engine.venues.meteora_damm_v2.refusals import MathOverflow, PriceRangeViolation

Q64 = 1 << 64
Q128 = 1 << 128

MulDiv = Callable[[int, int, int], int]  # mul_div_floor or mul_div_ceil


class Step(NamedTuple):
    """What a curve exchanges, without any fee, and the price behind it."""

    amount_in: int
    amount_out: int
    sqrt_price: int


class Curve(Protocol):
    """One direction of a pool."""

    def exact_in(self, amount: int) -> Step:
        """Raises: PriceRangeViolation, MathOverflow."""
        ...

    def exact_out(self, amount: int) -> Step:
        """Raises: PriceRangeViolation, MathOverflow."""
        ...

    def partial_fill(self, amount: int) -> Step:
        """Take no more of `amount` than the bound allows.

        Raises:
            MathOverflow.
        """
        ...

    def price_impact_bps(self, step: Step) -> int:
        """Return how far the curve's price for this step is below its price for nothing. Rounds down."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcentratedCurve:
    """Liquidity that is the same everywhere between two prices."""

    a_to_b: bool
    liquidity: int
    sqrt_price: int
    sqrt_min_price: int
    sqrt_max_price: int

    def exact_in(self, amount: int) -> Step:
        after = self._price_after_input(amount)
        if not self.sqrt_min_price <= after <= self.sqrt_max_price:
            raise self._out_of_range(after)
        return _step(amount, self._delta_out(after), after)

    def exact_out(self, amount: int) -> Step:
        after = self._price_after_output(amount)
        if not self.sqrt_min_price <= after <= self.sqrt_max_price:
            raise self._out_of_range(after)
        return _step(self._delta_in(after), amount, after)

    def partial_fill(self, amount: int) -> Step:
        after = self._price_after_input(amount)
        if self.sqrt_min_price <= after <= self.sqrt_max_price:
            return _step(amount, self._delta_out(after), after)
        bound = self.sqrt_min_price if self.a_to_b else self.sqrt_max_price
        used = min(amount, self._delta_in(bound))
        return _step(used, self._delta_out(bound), bound)

    def price_impact_bps(self, step: Step) -> int:
        # The average price between two square roots is their product, so it lags the spot price by their ratio.
        spot, after = self.sqrt_price, step.sqrt_price
        return mul_div_floor(spot - after, BPS, spot) if self.a_to_b else mul_div_floor(after - spot, BPS, after)

    def _price_after_input(self, amount: int) -> int:
        """Round towards the current price, so that less is paid out."""
        liquidity, price = self.liquidity, self.sqrt_price
        if liquidity == 0:
            raise MathOverflow("the pool has no liquidity")
        if self.a_to_b:
            return mul_div_ceil(liquidity, price, liquidity + amount * price)
        return price + mul_div_floor(amount, Q128, liquidity)

    def _price_after_output(self, amount: int) -> int:
        """Round away from the current price, so that more is taken in."""
        if self.liquidity == 0:
            raise MathOverflow("the pool has no liquidity")
        if self.a_to_b:
            return self.sqrt_price - mul_div_ceil(amount, Q128, self.liquidity)
        left = self.liquidity - amount * self.sqrt_price
        if left <= 0:
            raise PriceRangeViolation(f"{amount} of A is more than the liquidity holds")
        return mul_div_ceil(self.liquidity, self.sqrt_price, left)

    def _delta_in(self, after: int) -> int:
        if self.a_to_b:
            return delta_a(self.liquidity, after, self.sqrt_price, mul_div_ceil)
        return delta_b(self.liquidity, self.sqrt_price, after, mul_div_ceil)

    def _delta_out(self, after: int) -> int:
        if self.a_to_b:
            return delta_b(self.liquidity, after, self.sqrt_price, mul_div_floor)
        return delta_a(self.liquidity, self.sqrt_price, after, mul_div_floor)

    def _out_of_range(self, price: int) -> PriceRangeViolation:
        return PriceRangeViolation(f"price {price} is outside {self.sqrt_min_price}..{self.sqrt_max_price}")


@dataclass(frozen=True, slots=True)
class CompoundingCurve:
    """Constant product of the reserves; the stored price follows them and is not part of the exchange."""

    reserve_in: int
    reserve_out: int

    def exact_in(self, amount: int) -> Step:
        reserve_in, reserve_out = self.reserve_in, self.reserve_out
        if reserve_in + amount == 0:
            raise MathOverflow("the pool is empty")
        return _step(amount, mul_div_floor(reserve_out, amount, reserve_in + amount), 0)

    def exact_out(self, amount: int) -> Step:
        reserve_in, reserve_out = self.reserve_in, self.reserve_out
        if amount >= reserve_out:
            raise MathOverflow(f"{amount} is not less than the reserve of {reserve_out}")
        return _step(mul_div_ceil(reserve_in, amount, reserve_out - amount), amount, 0)

    def partial_fill(self, amount: int) -> Step:
        return self.exact_in(amount)

    def price_impact_bps(self, step: Step) -> int:
        return mul_div_floor(step.amount_in, BPS, self.reserve_in + step.amount_in)


def delta_a(liquidity: int, lower: int, upper: int, mul_div: MulDiv) -> int:
    """Return the amount of A between two prices."""
    return mul_div(liquidity, upper - lower, lower * upper)


def delta_b(liquidity: int, lower: int, upper: int, mul_div: MulDiv) -> int:
    """Return the amount of B between two prices."""
    return mul_div(liquidity, upper - lower, Q128)


def compounding_sqrt_price(amount_a: int, amount_b: int) -> int:
    """Return the Q64 square root of the reserves' ratio. Rounds down."""
    if amount_a == 0:
        raise MathOverflow("the pool holds no A")
    return isqrt(mul_div_floor(amount_b, Q128, amount_a))


def require_u64(amount: int) -> int:
    if not 0 <= amount <= U64_MAX:
        raise MathOverflow(f"{amount} does not fit 64 bits")
    return amount


def _step(amount_in: int, amount_out: int, sqrt_price: int) -> Step:
    if not 0 <= amount_in <= U64_MAX or not 0 <= amount_out <= U64_MAX:
        raise MathOverflow(f"{amount_in} for {amount_out} does not fit 64 bits")
    return Step(amount_in, amount_out, sqrt_price)
