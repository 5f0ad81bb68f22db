"""Meteora DLMM: what must hold for any pool and any amount."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import QuoteRefused
from order_engine.domain.pool import Quote
from order_engine.venues.meteora_dlmm.bins import references
from order_engine.venues.meteora_dlmm.fresh_pool import BinContent, FreshPool
from order_engine.venues.meteora_dlmm.layout import FEE_ON_INPUT, FEE_ON_Y, LIMIT_ORDER
from order_engine.venues.meteora_dlmm.math import FEE_DENOMINATOR, Q64, price_of
from order_engine.venues.meteora_dlmm.pool import MeteoraDlmmPool
from order_engine.venues.meteora_dlmm.refusals import (
    LiquidityExhausted,
)
from tests.unit.meteora_dlmm_samples import NOW, Market, a_pool, buy, decoded, sell

SIZES = st.one_of(st.just(0), st.integers(1, 1_000), st.integers(1, 10**12))
AMOUNTS = st.one_of(st.integers(1, 1_000), st.integers(1, 10**13))
STEPS = (2, 25, 400)


@st.composite
def bins_around(draw: st.DrawFn, active_id: int, *, orders: bool) -> dict[int, BinContent]:
    """Return bins with Y at and below the active one and X at and above it, with gaps."""
    bins: dict[int, BinContent] = {}
    for offset in draw(st.sets(st.integers(-80, 80), min_size=1, max_size=12)):
        size, has_orders = st.integers(1, 10**9), orders and draw(st.booleans())
        bins[active_id + offset] = BinContent(
            x=draw(SIZES) if offset >= 0 else 0,
            y=draw(SIZES) if offset <= 0 else 0,
            opened=draw(size) if has_orders else 0,
            processed=draw(size) if has_orders else 0,
            orders_sell_x=offset > 0 or (offset == 0 and draw(st.booleans())),
        )
    return bins


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a pool is made of: short to print."""

    bins: dict[int, BinContent]
    active_id: int
    step: int
    changes: dict[str, int]

    def pool(self) -> FreshPool:
        return a_pool(self.bins, self.active_id, self.step, **self.changes)


@st.composite
def pools(draw: st.DrawFn, *, orders: bool = False) -> Drawn:
    active_id = draw(st.integers(-300, 300))
    changes = {
        "function_type": LIMIT_ORDER,
        "collect_fee_mode": draw(st.sampled_from([FEE_ON_INPUT, FEE_ON_Y])),
        "variable_fee_control": draw(st.sampled_from([0, 40_000, 10**6])),
        "volatility_accumulator": draw(st.integers(0, 350_000)),
        "volatility_reference": draw(st.integers(0, 350_000)),
        "index_reference": active_id + draw(st.integers(-9, 9)),
        "last_update_timestamp": NOW - draw(st.sampled_from([0, 29, 30, 599, 600])),
        "protocol_share": draw(st.sampled_from([0, 500, 10_000])),
    }
    return Drawn(draw(bins_around(active_id, orders=orders)), active_id, draw(st.sampled_from(STEPS)), changes)


def out_of(pool: MeteoraDlmmPool, x_to_y: bool, amount: int) -> int:
    """Return the output, 0 where the pool refuses."""
    try:
        return pool.quote(sell(x_to_y, amount)).amount_out
    except QuoteRefused:
        return 0


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


@dataclass(frozen=True, slots=True)
class PlainBin:
    """The rules for one bin without limit orders, in the order the program applies them."""

    bin_id: int
    have: int
    price: int
    fee: int
    x_to_y: bool
    on_input: bool

    def takes(self, out: int) -> int:
        return ceil_div(out * Q64, self.price) if self.x_to_y else ceil_div(out * self.price, Q64)

    def pays(self, net: int) -> int:
        return net * self.price // Q64 if self.x_to_y else net * Q64 // self.price

    def after_fee(self, out: int) -> int:
        return out if self.on_input else out - ceil_div(out * self.fee, FEE_DENOMINATOR)

    def with_fee(self, net: int) -> int:
        return ceil_div(net * FEE_DENOMINATOR, FEE_DENOMINATOR - self.fee)

    def exact_in(self, rest: int) -> tuple[int, int]:
        net = rest - ceil_div(rest * self.fee, FEE_DENOMINATOR) if self.on_input else rest
        whole = self.takes(self.have)
        if net >= whole:
            return self.with_fee(whole) if self.on_input else whole, self.after_fee(self.have)
        return rest, self.after_fee(self.pays(net))

    def exact_out(self, rest: int) -> tuple[int, int]:
        gross = rest if self.on_input else self.with_fee(rest)
        is_whole = gross >= self.have
        net = self.takes(self.have if is_whole else gross)
        return self.with_fee(net) if self.on_input else net, self.after_fee(self.have) if is_whole else rest


def plain_bins(pool: MeteoraDlmmPool, bins: dict[int, BinContent], x_to_y: bool) -> Iterator[PlainBin]:
    state = pool.state
    index, reference = references(state, NOW)
    for bin_id in sorted(bins, reverse=x_to_y):
        have = bins[bin_id].y if x_to_y else bins[bin_id].x
        if have == 0 or (bin_id > state.active_id if x_to_y else bin_id < state.active_id):
            continue
        accumulator = min(state.max_volatility_accumulator, reference + abs(index - bin_id) * 10_000)
        variable = ceil_div(state.variable_fee_control * (accumulator * state.bin_step) ** 2, 10**11)
        fee = min(10**8, state.base_factor * state.bin_step * 10 + variable)
        on_input = state.collect_fee_mode == FEE_ON_INPUT or not x_to_y
        yield PlainBin(bin_id, have, price_of(bin_id, state.bin_step), fee, x_to_y, on_input)


def bin_by_bin(bins: Iterator[PlainBin], amount: int, *, out: bool) -> tuple[int, int, int] | None:
    """Return input, output and last bin of a swap; `out` says that amount is the output. None: the bins end first."""
    paid = received = 0
    for one in bins:
        takes, pays = one.exact_out(amount - received) if out else one.exact_in(amount - paid)
        paid, received = paid + takes, received + pays
        if (received if out else paid) == amount:
            return paid, received, one.bin_id
    return None


@given(pools(), st.booleans(), st.lists(AMOUNTS, min_size=1, max_size=4), st.booleans())
def test_running_sums_agree_with_walking_bin_by_bin(drawn: Drawn, x_to_y: bool, amounts: list[int], out: bool) -> None:
    pool = decoded(drawn.pool())
    walk = pool._walk(x_to_y=x_to_y)
    for amount in amounts:
        wanted = bin_by_bin(plain_bins(pool, drawn.bins, x_to_y), amount, out=out)
        if wanted is None:
            with pytest.raises(LiquidityExhausted):
                (walk.exact_out if out else walk.exact_in)(amount)
            continue
        trade = (walk.exact_out if out else walk.exact_in)(amount)
        assert (trade.amount_in, trade.amount_out, trade.last_offer.bin_id) == wanted


@given(pools(), st.booleans(), st.booleans(), st.sampled_from([-1, 0, 1]))
def test_running_sums_agree_where_one_bin_ends(drawn: Drawn, x_to_y: bool, out: bool, beside: int) -> None:
    pool = decoded(drawn.pool())
    walk = pool._walk(x_to_y=x_to_y)
    with pytest.raises(LiquidityExhausted):
        walk.exact_in(U64_MAX)
    ends = [sums.amount_out for sums in walk._sums] if out else walk._in
    for end in ends[1:]:
        wanted = bin_by_bin(plain_bins(pool, drawn.bins, x_to_y), end + beside, out=out) if end + beside else None
        if wanted is not None:
            trade = (walk.exact_out if out else walk.exact_in)(end + beside)
            assert (trade.amount_in, trade.amount_out, trade.last_offer.bin_id) == wanted


@given(pools(orders=True), st.booleans(), AMOUNTS, AMOUNTS)
def test_more_in_never_pays_less(drawn: Drawn, x_to_y: bool, first: int, second: int) -> None:
    less, more = sorted((first, second))
    decoded_pool = decoded(drawn.pool())
    paid_more = out_of(decoded_pool, x_to_y, more)
    assume(paid_more > 0)
    assert out_of(decoded_pool, x_to_y, less) <= paid_more


@given(pools(orders=True), st.booleans(), AMOUNTS, AMOUNTS)
def test_more_out_never_costs_less(drawn: Drawn, x_to_y: bool, first: int, second: int) -> None:
    less, more = sorted((first, second))
    try:
        cheap, dear = (decoded(drawn.pool()).quote_exact_out(buy(x_to_y, amount)).amount_in for amount in (less, more))
    except QuoteRefused:
        assume(False)
    assert cheap <= dear


@given(pools(orders=True), st.booleans(), AMOUNTS)
def test_no_output_is_above_what_the_bins_hold(drawn: Drawn, x_to_y: bool, amount: int) -> None:
    paid = out_of(decoded(drawn.pool()), x_to_y, amount)
    bins_hold = sum(everything(data, x_to_y) for data in drawn.pool().arrays.values())
    assert paid <= bins_hold


def everything(array: bytes, x_to_y: bool) -> int:
    """Return all of an array's Y (for X to Y) or X, limit orders included."""
    total = 0
    for at in range(56, len(array), 144):
        total += int.from_bytes(array[at + 8 * x_to_y : at + 8 * x_to_y + 8], "little")
        total += sum(int.from_bytes(array[at + field : at + field + 8], "little") for field in (112, 128))
    return total


@given(pools(orders=True), st.booleans(), AMOUNTS)
def test_a_vault_never_pays_more_than_it_holds(drawn: Drawn, x_to_y: bool, amount: int) -> None:
    out = out_of(decoded(drawn.pool()), x_to_y, amount)
    assume(out > 0)
    vaults = (0, out - 1) if x_to_y else (out - 1, 0)
    with pytest.raises(QuoteRefused):
        decoded(drawn.pool(), vaults).quote(sell(x_to_y, amount))


@given(pools(orders=True), st.booleans(), AMOUNTS)
def test_a_round_trip_never_profits(drawn: Drawn, x_to_y: bool, amount: int) -> None:
    market = Market.of(drawn.pool())
    try:
        there = market.swap(amount, x_to_y=x_to_y)
        back = market.swap(there, x_to_y=not x_to_y)
    except QuoteRefused:
        assume(False)
    assert back <= amount


@given(pools(orders=True), st.booleans(), AMOUNTS)
def test_what_an_exact_output_costs_pays_for_it_as_an_exact_input(drawn: Drawn, x_to_y: bool, wanted: int) -> None:
    try:
        cost = decoded(drawn.pool()).quote_exact_out(buy(x_to_y, wanted)).amount_in
    except QuoteRefused:
        assume(False)
    assert decoded(drawn.pool()).quote(sell(x_to_y, cost)).amount_out >= wanted


@given(pools(orders=True), st.booleans(), st.one_of(st.integers(0, 2), st.integers(U64_MAX - 2, U64_MAX), AMOUNTS))
def test_every_amount_is_an_answer_or_a_named_refusal(drawn: Drawn, x_to_y: bool, amount: int) -> None:
    pool = decoded(drawn.pool())
    for quote in (answer(pool.quote, sell(x_to_y, amount)), answer(pool.quote_exact_out, buy(x_to_y, amount))):
        assert quote is None or (0 < quote.amount_in <= U64_MAX and 0 < quote.amount_out <= U64_MAX)


R = TypeVar("R")


def answer(ask: Callable[[R], Quote], request: R) -> Quote | None:
    try:
        return ask(request)
    except QuoteRefused:
        return None
