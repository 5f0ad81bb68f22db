"""Raydium AMM v4: what holds for every swap."""

from collections.abc import Callable

from hypothesis import assume, example, given
from hypothesis import strategies as st

from order_engine.domain.amounts import U64_MAX
from order_engine.venues.raydium_amm_v4.math import (
    Market,
    ProgramRefuses,
    SwapAmounts,
    check_paid,
    swap_exact_in,
    swap_exact_out,
)

amounts = st.integers(0, U64_MAX) | st.integers(0, 10**4) | st.integers(U64_MAX - 10**4, U64_MAX)
fees = st.sampled_from([(0, 10_000), (25, 10_000), (3, 1_000), (9_999, 10_000), (10_000, 10_000), (0, 0), (U64_MAX, 1)])
usual_fees = st.sampled_from([(0, 10_000), (25, 10_000), (3, 1_000), (400, 10_000)])
usual_amounts = st.integers(0, 10**15)


def markets(reserves: st.SearchStrategy[int], fees: st.SearchStrategy[tuple[int, int]]) -> st.SearchStrategy[Market]:
    return st.builds(lambda x, y, fee: Market(x, y, *fee), reserves, reserves, fees)


def outputs(terms: Market, share_ppm: int) -> int:
    """Return what that much of the reserve is, at least 1 and never all of it."""
    return min(max(1, terms.reserve_out * share_ppm // 10**6), terms.reserve_out - 1)


shares_ppm = st.integers(0, 10**6)
usual_markets = markets(st.integers(2, 10**15) | st.integers(2, 10**3), usual_fees)
any_markets = markets(amounts, fees)


def paid(terms: Market, amount_in: int) -> int:
    swap = swap_exact_in(terms, amount_in)
    try:
        check_paid(terms, swap)
    except ProgramRefuses as refusal:
        if refusal.program_error != 29:
            raise
        return 0
    return swap.amount_out


def answer(swap: Callable[[Market, int], SwapAmounts], terms: Market, amount: int) -> SwapAmounts | None:
    """Return the swap, or None when it is refused with one of the named errors."""
    try:
        amounts = swap(terms, amount)
        check_paid(terms, amounts)
    except ProgramRefuses as refusal:
        if refusal.program_error not in {None, 29, 40}:
            raise
        return None
    return amounts


def bought(terms: Market, amount_out: int) -> SwapAmounts:
    """Return the swap; an example that costs more than 64 bits can count is left out."""
    try:
        return swap_exact_out(terms, amount_out)
    except ProgramRefuses as refusal:
        assume("exceeds u64" not in refusal.message)
        raise


def check_parts(terms: Market, swap: SwapAmounts) -> None:
    assert 0 < swap.amount_out < terms.reserve_out
    assert 0 <= swap.curve_amount_in <= swap.amount_in <= U64_MAX
    assert swap.fee_amount == swap.amount_in - swap.curve_amount_in
    # the fee is at least its fraction of the input, and less than one unit more
    excess = swap.fee_amount * terms.fee_denominator - swap.amount_in * terms.fee_numerator
    assert 0 <= excess < terms.fee_denominator


class TestEverySwap:
    @given(terms=usual_markets, amount=usual_amounts, more=usual_amounts)
    def test_more_in_never_pays_less(self, terms: Market, amount: int, more: int) -> None:
        assert paid(terms, amount + more) >= paid(terms, amount)

    @given(terms=usual_markets, share=shares_ppm, more=shares_ppm)
    def test_more_out_never_costs_less(self, terms: Market, share: int, more: int) -> None:
        wanted = sorted(outputs(terms, one) for one in (share, more))
        less, most = (bought(terms, amount).amount_in for amount in wanted)
        assert 0 < less <= most

    @given(terms=usual_markets, amount=usual_amounts)
    def test_a_round_trip_never_profits(self, terms: Market, amount: int) -> None:
        got = paid(terms, amount)
        assume(got > 0)
        back = Market(terms.reserve_out - got, terms.reserve_in + amount, terms.fee_numerator, terms.fee_denominator)
        assert paid(back, got) <= amount

    @given(terms=usual_markets, share=shares_ppm)
    def test_the_product_of_the_reserves_never_falls(self, terms: Market, share: int) -> None:
        exact = bought(terms, outputs(terms, share))
        for swap in (exact, swap_exact_in(terms, exact.amount_in)):
            after = (terms.reserve_in + swap.amount_in) * (terms.reserve_out - swap.amount_out)
            assert after >= terms.reserve_in * terms.reserve_out

    @given(terms=usual_markets, share=shares_ppm)
    @example(terms=Market(10**6, 10**12, 25, 10_000), share=0)
    def test_what_exact_out_asks_for_buys_at_least_that_much(self, terms: Market, share: int) -> None:
        wanted = outputs(terms, share)
        assert paid(terms, bought(terms, wanted).amount_in) >= wanted

    @given(terms=any_markets, amount=amounts)
    def test_exact_in_answers_within_u64_and_below_the_reserve_or_names_an_error(
        self, terms: Market, amount: int
    ) -> None:
        swap = answer(swap_exact_in, terms, amount)
        if swap is not None:
            check_parts(terms, swap)
            assert swap.amount_in == amount

    @given(terms=any_markets, wanted=amounts)
    def test_exact_out_answers_within_u64_and_below_the_reserve_or_names_an_error(
        self, terms: Market, wanted: int
    ) -> None:
        swap = answer(swap_exact_out, terms, wanted)
        if swap is not None:
            assert 0 < swap.amount_out == wanted < terms.reserve_out
            assert 0 < swap.curve_amount_in <= swap.amount_in <= U64_MAX
            assert swap.fee_amount == swap.amount_in - swap.curve_amount_in
