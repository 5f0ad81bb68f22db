"""A swap's walk along the ticks: step by step, as the program's swap loop goes.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src/instructions/swap.rs, commit 03b44b7.
"""

from dataclasses import dataclass
from typing import Self

from order_engine.domain.amounts import U64_MAX, mul_div_floor
from order_engine.venues.raydium_clmm.layout import RATE_DENOMINATOR, AmmConfig, PoolState
from order_engine.venues.raydium_clmm.limit_orders import Match, match_exact_in, match_exact_out
from order_engine.venues.raydium_clmm.math import Step, Way, exact_in_step, exact_out_step
from order_engine.venues.raydium_clmm.refusals import MathOverflow, PriceInconsistent, ProgramPanics
from order_engine.venues.raydium_clmm.tick_arrays import Tick, TickPath
from order_engine.venues.raydium_clmm.ticks import (
    MAX_SQRT_PRICE_X64,
    MAX_TICK,
    MIN_SQRT_PRICE_X64,
    MIN_TICK,
    Q64,
    U128_MAX,
    sqrt_price_at_tick,
    tick_at_sqrt_price,
)
from order_engine.venues.raydium_clmm.volatility import MAX_FEE_RATE, DynamicFee


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a walk goes by and never changes. Rates are millionths."""

    way: Way
    exact_in: bool
    limit: int  # the square-root price it must not pass
    path: TickPath
    tick_spacing: int
    trade_fee_rate: int
    protocol_fee_rate: int
    fund_fee_rate: int
    dynamic_fee: DynamicFee | None  # as it refers when the swap starts


@dataclass(frozen=True, slots=True)
class Arrival:
    """A tick that the price came to: its orders as they are left, and the fee growth if its liquidity was crossed."""

    tick: Tick
    crossed_at_growth: int | None


def terms_of(
    state: PoolState,
    config: AmmConfig,
    path: TickPath,
    unix_timestamp: int,
    *,
    upwards: bool,
    exact_in: bool = True,
    limit: int = 0,
) -> Terms:
    """Return a walk's terms. `limit` 0 is none."""
    dynamic_fee = state.dynamic_fee
    if dynamic_fee:
        dynamic_fee = dynamic_fee.at_start(state.tick_current // state.tick_spacing, unix_timestamp)
    return Terms(
        way=Way(upwards, state.is_fee_on_input(1 if upwards else 0)),
        exact_in=exact_in,
        limit=limit or furthest_limit(upwards=upwards),
        path=path,
        tick_spacing=state.tick_spacing,
        trade_fee_rate=config.trade_fee_rate,
        protocol_fee_rate=config.protocol_fee_rate,
        fund_fee_rate=config.fund_fee_rate,
        dynamic_fee=dynamic_fee,
    )


def furthest_limit(*, upwards: bool) -> int:
    """Return the price limit that excludes no price."""
    return MAX_SQRT_PRICE_X64 - 1 if upwards else MIN_SQRT_PRICE_X64 + 1


class Walk:
    """A swap under way. `remaining` is what is left of the amount given, `calculated` the other amount so far."""

    __slots__ = (
        "accumulator",
        "arrivals",
        "calculated",
        "fee_growth",
        "fund_fee",
        "group",
        "liquidity",
        "lp_fee",
        "position",
        "price",
        "protocol_fee",
        "remaining",
        "steps",
        "terms",
        "tick",
    )

    def __init__(self, terms: Terms, state: PoolState, amount: int) -> None:
        fee_side = int(terms.way.upwards == terms.way.fee_on_input)
        self.terms = terms
        self.remaining, self.calculated = amount, 0
        self.price, self.tick, self.liquidity = state.sqrt_price_x64, state.tick_current, state.liquidity
        self.lp_fee = self.protocol_fee = self.fund_fee = 0
        self.fee_growth = state.fee_growth_x64[fee_side]  # of the token that fees are taken of
        self.position = 0  # of the next tick in the path
        self.group = self.tick // terms.tick_spacing
        self.accumulator = state.dynamic_fee.accumulator if state.dynamic_fee else 0
        self.steps = 0
        self.arrivals: list[Arrival] | None = None  # kept only when somebody puts a list here

    def copy(self, remaining: int) -> Self:
        """Return a second walk from here, with another amount left."""
        twin = object.__new__(type(self))
        twin.terms, twin.remaining, twin.calculated = self.terms, remaining, self.calculated
        twin.price, twin.tick, twin.liquidity = self.price, self.tick, self.liquidity
        twin.lp_fee, twin.protocol_fee, twin.fund_fee = self.lp_fee, self.protocol_fee, self.fund_fee
        twin.fee_growth, twin.position, twin.group = self.fee_growth, self.position, self.group
        twin.accumulator, twin.steps, twin.arrivals = self.accumulator, self.steps, None
        return twin

    @property
    def fee_amount(self) -> int:
        return self.lp_fee + self.protocol_fee + self.fund_fee

    @property
    def is_over(self) -> bool:
        return self.remaining == 0 or self.price == self.terms.limit

    def next_tick(self) -> Tick:
        """Return the initialized tick that the price goes to.

        Raises:
            ProgramRefusal: there is none.
        """
        return self.terms.path.tick(self.position)

    def run(self, at_most: int | None = None) -> None:
        """Go on until nothing remains or the price limit is reached.

        Raises:
            ProgramRefusal: the program would not get that far.
        """
        while not self.is_over and self.steps != at_most:
            self.advance()

    def advance(self) -> None:
        """Go one step: to the next initialized tick, to the edge of a spacing, or as far as the amount lasts."""
        terms = self.terms
        tick = self.next_tick()
        tick_price = sqrt_price_at_tick(tick.tick_index)
        target = min(tick_price, terms.limit) if terms.way.upwards else max(tick_price, terms.limit)
        if tick_price < self.price if terms.way.upwards else tick_price > self.price:
            raise PriceInconsistent(f"the price lies beyond tick {tick.tick_index}")
        rate, edge = self.fee_rate(), None
        if terms.dynamic_fee:
            edge = self._edge(terms.dynamic_fee, target)
        bound = target if edge is None else sqrt_price_at_tick(edge)
        reached = bound
        if self.price != bound:
            take = exact_in_step if terms.exact_in else exact_out_step
            step = take(terms.way, self.price, bound, self.liquidity, self.remaining, rate)
            self._apply(step)
            reached = step.sqrt_price_x64
        self._move(tick, tick_price, reached, rate, edge if reached == bound else None)

    def fee_rate(self) -> int:
        """Return what the next step charges, in millionths.

        Raises:
            ProgramPanics: the pool's settings overflow.
        """
        terms, fee = self.terms, self.terms.dynamic_fee
        if fee is None:
            return terms.trade_fee_rate
        self.accumulator = fee.accumulator_in(self.group)
        return min(MAX_FEE_RATE, terms.trade_fee_rate + fee.rate(self.accumulator, terms.tick_spacing))

    def _edge(self, fee: DynamicFee, target: int) -> int | None:
        """Return the tick where the group ends, None if the target comes first or groups no longer matter."""
        if self.liquidity == 0 or self.accumulator == fee.max_accumulator:
            return None
        upwards = self.terms.way.upwards
        edge = max(MIN_TICK, min(MAX_TICK, (self.group + upwards) * self.terms.tick_spacing))
        price = sqrt_price_at_tick(edge)
        return None if (target < price if upwards else target > price) else edge

    def _move(self, tick: Tick, tick_price: int, reached: int, rate: int, edge: int | None) -> None:
        """Take note of the new price, with all that happens where it is."""
        liquidity, skipped = self.liquidity, self._skips_groups()
        if reached == tick_price:
            liquidity = self._arrive(tick, tick_price, rate)
        elif reached != self.price:
            self.tick = tick_at_sqrt_price(reached) if edge is None else edge
        self.price = reached
        if self.terms.dynamic_fee:
            self._change_group(self.terms.dynamic_fee, tick, tick_price, skipped=skipped)
        self.liquidity = liquidity
        self.steps += 1

    def _skips_groups(self) -> bool:
        fee = self.terms.dynamic_fee
        return fee is not None and (self.liquidity == 0 or self.accumulator == fee.max_accumulator)

    def _arrive(self, tick: Tick, tick_price: int, rate: int) -> int:
        """Fill the tick's orders, then cross it if none is left. Return the liquidity beyond."""
        upwards = self.terms.way.upwards
        if tick.resting and self.remaining:
            take = match_exact_in if self.terms.exact_in else match_exact_out
            match = take(self.terms.way, tick, tick_price, self.remaining, rate)
            self._apply(match)
            tick = match.tick
        crosses = tick.liquidity_gross > 0 and tick.resting == 0
        liquidity = self.liquidity
        if crosses:
            liquidity += tick.liquidity_net if upwards else -tick.liquidity_net
            if not 0 <= liquidity <= U128_MAX:
                raise ProgramPanics(f"the liquidity beyond tick {tick.tick_index} does not fit u128")
        self.tick = tick.tick_index - (upwards == (tick.resting > 0))
        self.position += 1
        if self.arrivals is not None:
            self.arrivals.append(Arrival(tick, self.fee_growth if crosses else None))
        return liquidity

    def _apply(self, moved: Step | Match) -> None:
        fee = moved.fee_amount
        consumed = moved.amount_in + fee if self.terms.way.fee_on_input else moved.amount_in
        if self.terms.exact_in:
            self.remaining -= consumed
            self.calculated += moved.amount_out
        else:
            self.remaining -= moved.amount_out
            self.calculated += consumed
        if self.remaining < 0 or consumed > U64_MAX or self.calculated > U64_MAX:
            raise MathOverflow("the amounts of the swap do not fit u64")
        self._book(fee)

    def _book(self, fee: int) -> None:
        """Divide a fee between protocol, fund and liquidity; where there is none, the protocol gets its part."""
        protocol = mul_div_floor(fee, self.terms.protocol_fee_rate, RATE_DENOMINATOR)
        fund = mul_div_floor(fee, self.terms.fund_fee_rate, RATE_DENOMINATOR)
        rest = fee - protocol - fund
        self.fund_fee += fund
        if self.liquidity > 0:
            self.protocol_fee += protocol
            self.lp_fee += rest
            self.fee_growth = (self.fee_growth + mul_div_floor(rest, Q64, self.liquidity)) & U128_MAX
        else:
            self.protocol_fee += protocol + rest

    def _change_group(self, fee: DynamicFee, tick: Tick, tick_price: int, *, skipped: bool) -> None:
        upwards, spacing = self.terms.way.upwards, self.terms.tick_spacing
        if skipped:
            at = tick.tick_index if self.price == tick_price else self.tick
            self.group = at // spacing - (upwards and at % spacing == 0)
            if self.accumulator != fee.max_accumulator:
                self.accumulator = fee.accumulator_in(self.group)
        self.group += 1 if upwards else -1
