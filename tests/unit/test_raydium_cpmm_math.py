"""What must hold for every swap on a Raydium CPMM pool, whatever its size, rates and reserves."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.tokens import NO_TRANSFER_FEE, TransferFee
from order_engine.venues.raydium_cpmm.math import Market, ProgramRefuses, SwapAmounts, swap_exact_in, swap_exact_out

amounts = st.integers(0, U64_MAX) | st.integers(0, 10**4) | st.integers(U64_MAX - 10**4, U64_MAX)
reserves = st.integers(1, U64_MAX) | st.integers(1, 10**4)
rates = st.sampled_from([0, 1, 100, 2_500, 40_000, 500_000, 999_999, 10**6])
transfer_fees = st.builds(TransferFee, amounts, st.sampled_from([0, 1, 250, 9_999, 10_000])) | st.just(NO_TRANSFER_FEE)
markets = st.builds(
    Market,
    reserve_in=reserves,
    reserve_out=reserves,
    trade_fee_rate=rates,
    protocol_fee_rate=rates,
    fund_fee_rate=rates,
    creator_fee_rate=rates,
    is_creator_fee_on_input=st.booleans(),
    transfer_fee_in=transfer_fees,
    transfer_fee_out=transfer_fees,
)
usual_rates = st.sampled_from([1, 100, 2_500, 10_000, 40_000])
usual_markets = st.builds(
    Market,
    reserve_in=st.integers(10**3, 10**15),
    reserve_out=st.integers(10**3, 10**15),
    trade_fee_rate=usual_rates,
    protocol_fee_rate=st.sampled_from([0, 120_000, 250_000]),
    fund_fee_rate=st.sampled_from([0, 40_000]),
    creator_fee_rate=st.sampled_from([0, 500, 10_000]),
    is_creator_fee_on_input=st.booleans(),
    transfer_fee_in=st.just(NO_TRANSFER_FEE) | st.just(TransferFee(5_000, 100)),
    transfer_fee_out=st.just(NO_TRANSFER_FEE) | st.just(TransferFee(5_000, 100)),
)
usual_amounts = st.integers(10, 10**15)


def paid(terms: Market, amount_in: int) -> int:
    try:
        return swap_exact_in(terms, amount_in).amount_out
    except ProgramRefuses as refusal:
        if refusal.program_error != 2505:
            raise
        return 0


def reserves_after(terms: Market, swap: SwapAmounts) -> tuple[int, int]:
    creator_in, creator_out = (swap.creator_fee, 0) if terms.is_creator_fee_on_input else (0, swap.creator_fee)
    grown = terms.reserve_in + swap.pool_amount_in - swap.protocol_fee - swap.fund_fee - creator_in
    return grown, terms.reserve_out - swap.pool_amount_out - creator_out


def answer(
    swap: Callable[[Market, int], SwapAmounts], terms: Market, amount: int, *, named: set[int | None]
) -> SwapAmounts | None:
    """Return the swap, or None when it is refused with one of the named errors."""
    try:
        return swap(terms, amount)
    except ProgramRefuses as refusal:
        if refusal.program_error not in named:
            raise
        return None


def check_parts(terms: Market, swap: SwapAmounts) -> None:
    assert 0 < swap.amount_out <= swap.pool_amount_out <= swap.curve_amount_out < terms.reserve_out
    assert 0 <= swap.curve_amount_in <= swap.pool_amount_in <= swap.amount_in <= U64_MAX
    taken = swap.pool_amount_in - swap.curve_amount_in, swap.curve_amount_out - swap.pool_amount_out
    creator = (swap.creator_fee, 0) if terms.is_creator_fee_on_input else (0, swap.creator_fee)
    assert taken == (swap.trade_fee + creator[0], creator[1])
    assert swap.pool_amount_in == swap.amount_in - terms.transfer_fee_in.on(swap.amount_in)
    assert swap.amount_out == swap.pool_amount_out - terms.transfer_fee_out.on(swap.pool_amount_out)


class TestEverySwap:
    @given(terms=usual_markets, amount=usual_amounts, more=st.integers(0, 10**15))
    def test_more_in_never_pays_less(self, terms: Market, amount: int, more: int) -> None:
        assert paid(terms, amount + more) >= paid(terms, amount)

    @given(terms=usual_markets, amount=usual_amounts)
    def test_a_round_trip_never_profits(self, terms: Market, amount: int) -> None:
        assume(paid(terms, amount) > 0)
        swap = swap_exact_in(terms, amount)
        reserve_in, reserve_out = reserves_after(terms, swap)
        back = replace(
            terms,
            reserve_in=reserve_out,
            reserve_out=reserve_in,
            transfer_fee_in=terms.transfer_fee_out,
            transfer_fee_out=terms.transfer_fee_in,
        )
        assert paid(back, swap.amount_out) <= amount

    @given(terms=usual_markets, amount=usual_amounts)
    def test_the_product_of_the_reserves_never_falls(self, terms: Market, amount: int) -> None:
        assume(paid(terms, amount) > 0)
        reserve_in, reserve_out = reserves_after(terms, swap_exact_in(terms, amount))
        assert reserve_in * reserve_out >= terms.reserve_in * terms.reserve_out

    @given(terms=usual_markets, wanted=st.integers(1, 10**15))
    def test_what_exact_out_asks_for_buys_at_least_that_much(self, terms: Market, wanted: int) -> None:
        assume(wanted < terms.reserve_out // 2)
        swap = swap_exact_out(terms, wanted)
        assert swap.amount_out == wanted
        assert paid(terms, swap.amount_in) >= wanted

    @given(terms=markets, amount=amounts)
    def test_exact_in_answers_within_u64_and_below_the_reserve_or_names_an_error(
        self, terms: Market, amount: int
    ) -> None:
        swap = answer(swap_exact_in, terms, amount, named={2505, 6006})
        if swap is not None:
            check_parts(terms, swap)
            assert swap.amount_in == amount

    @given(terms=markets, wanted=amounts)
    def test_exact_out_answers_within_u64_and_below_the_reserve_or_names_an_error(
        self, terms: Market, wanted: int
    ) -> None:
        swap = answer(swap_exact_out, terms, wanted, named={None, 2505, 6006})
        if swap is not None:
            check_parts(terms, swap)
            assert swap.amount_out == wanted
