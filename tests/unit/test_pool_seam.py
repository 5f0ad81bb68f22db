"""What every venue's pool promises about exact amounts on either side, asked for through the seam alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import AmountTooSmall, QuoteRefused
from order_engine.domain.pool import ExactOutRequest, Pool, Quote, SwapRequest
from order_engine.papernet.programs import ProgramError
from order_engine.venues import VENUES
from order_engine.venues.raydium_clmm.refusals import TOO_MUCH_INPUT_PAID
from tests.unit.pool_seam_samples import MARKETS, TRADER

POOLS: Final = {name: market.pool() for name, market in MARKETS.items()}
EDGES: Final = (0, 1, 2, U64_MAX - 1, U64_MAX, U64_MAX + 1, -1)
amounts = st.integers(1, 1_000) | st.integers(1, 10**6) | st.integers(1, 3 * 10**10)
sides = st.integers(0, 1)
every_market = pytest.mark.parametrize("name", MARKETS)
often = settings(max_examples=30)


def selling(pool: Pool, side_in: int, amount_in: int) -> SwapRequest:
    return SwapRequest(token_in=pool.mints[side_in], token_out=pool.mints[1 - side_in], amount_in=amount_in)


def buying(pool: Pool, side_in: int, amount_out: int) -> ExactOutRequest:
    return ExactOutRequest(token_in=pool.mints[side_in], token_out=pool.mints[1 - side_in], amount_out=amount_out)


def paid(pool: Pool, side_in: int, amount_in: int) -> int:
    """Return what the input pays, 0 where it is refused."""
    try:
        return pool.quote(selling(pool, side_in, amount_in)).amount_out
    except QuoteRefused:
        return 0


def bought(pool: Pool, side_in: int, amount_out: int) -> Quote:
    """Return the quote; an example that the pool refuses is not counted."""
    try:
        return pool.quote_exact_out(buying(pool, side_in, amount_out))
    except QuoteRefused:
        assume(False)
        raise


def test_every_venue_is_asked() -> None:
    assert {POOLS[name].PROGRAM_ID for name in MARKETS} == set(VENUES)


@every_market
def test_a_pool_says_where_and_when_it_was_read(name: str) -> None:
    market, pool = MARKETS[name], POOLS[name]
    assert (pool.address, pool.slot) == (market.address, market.snapshot.slot)
    quote = pool.quote_exact_out(buying(pool, 0, 1_000))
    assert (quote.venue, quote.pool, quote.slot) == (market.venue, pool.address, pool.slot)
    assert (quote.token_in, quote.token_out, quote.amount_out) == (*pool.mints, 1_000)


@every_market
@often
@given(side_in=sides, wanted=amounts)
def test_an_exact_output_is_carried_out_as_quoted_and_refused_one_unit_below(
    name: str, side_in: int, wanted: int
) -> None:
    pool = POOLS[name]
    quote = bought(pool, side_in, wanted)
    _, took, got = MARKETS[name].swap(pool.exact_out_instruction(quote, quote.amount_in, TRADER), quote)
    assert (took, got) == (quote.amount_in, wanted) == (quote.amount_in, quote.amount_out)
    with pytest.raises(ProgramError) as refusal:
        MARKETS[name].swap(pool.exact_out_instruction(quote, quote.amount_in - 1, TRADER), quote)
    # CLMM alone has a code of its own for an input above the maximum
    assert refusal.value.code == (TOO_MUCH_INPUT_PAID if name.startswith("clmm") else pool.SLIPPAGE_ERROR)


@every_market
@often
@given(side_in=sides, wanted=amounts)
def test_what_an_exact_output_costs_buys_it_and_one_unit_less_does_not(name: str, side_in: int, wanted: int) -> None:
    pool = POOLS[name]
    quote = bought(pool, side_in, wanted)
    assert paid(pool, side_in, quote.amount_in) >= wanted
    assert paid(pool, side_in, quote.amount_in - 1) < wanted


@every_market
@often
@given(side_in=sides, wanted=amounts, more=st.integers(1, 3) | amounts)
def test_more_out_never_costs_less_nor_moves_the_price_less(name: str, side_in: int, wanted: int, more: int) -> None:
    less, rather = (bought(POOLS[name], side_in, amount) for amount in (wanted, wanted + more))
    assert less.amount_in <= rather.amount_in
    assert 0 <= less.price_impact_bps <= rather.price_impact_bps <= 10_000


@every_market
@often
@given(side_in=sides, wanted=amounts)
def test_a_fee_is_part_of_what_was_exchanged(name: str, side_in: int, wanted: int) -> None:
    quote = bought(POOLS[name], side_in, wanted)
    assert quote.fee_token in (quote.token_in, quote.token_out)
    # a fee on the output comes on top of what reaches the trader
    assert 0 < quote.fee_amount <= (quote.amount_in if quote.fee_token == quote.token_in else wanted)


@every_market
@often
@given(side_in=sides, wanted=amounts)
def test_buying_an_exact_output_and_selling_it_never_profits(name: str, side_in: int, wanted: int) -> None:
    pool = POOLS[name]
    quote = bought(pool, side_in, wanted)
    after, took, got = MARKETS[name].swap(pool.exact_out_instruction(quote, quote.amount_in, TRADER), quote)
    assert paid(after.pool(), 1 - side_in, got) <= took


@every_market
@often
@given(side_in=sides, amount_in=amounts)
def test_selling_and_buying_the_same_back_never_profits(name: str, side_in: int, amount_in: int) -> None:
    pool = POOLS[name]
    assume(paid(pool, side_in, amount_in) > 0)
    quote = pool.quote(selling(pool, side_in, amount_in))
    after, took, got = MARKETS[name].swap(pool.swap_instruction(quote, quote.amount_out, TRADER), quote)
    assert (took, got) == (amount_in, quote.amount_out)
    assert bought(after.pool(), 1 - side_in, amount_in).amount_in >= got


@every_market
@pytest.mark.parametrize("side_in", [0, 1])
@often
@given(amount=st.sampled_from(EDGES) | st.integers(0, U64_MAX))
def test_every_amount_is_an_answer_within_the_reserve_or_a_named_refusal(name: str, side_in: int, amount: int) -> None:
    pool = POOLS[name]
    reserve = MARKETS[name].reserve(pool.mints[1 - side_in])
    asks: tuple[Callable[[], Quote], ...] = (
        lambda: pool.quote(selling(pool, side_in, amount)),
        lambda: pool.quote_exact_out(buying(pool, side_in, amount)),
    )
    for ask in asks:
        try:
            quote = ask()
        except QuoteRefused:
            continue
        assert 0 < quote.amount_in <= U64_MAX
        assert 0 < quote.amount_out <= reserve


@every_market
@pytest.mark.parametrize("side_in", [0, 1])
def test_nothing_is_too_small_and_what_the_pool_does_not_hold_is_refused(name: str, side_in: int) -> None:
    pool = POOLS[name]
    reserve = MARKETS[name].reserve(pool.mints[1 - side_in])
    assert 10**6 < reserve < U64_MAX
    with pytest.raises(AmountTooSmall):
        pool.quote(selling(pool, side_in, 0))
    with pytest.raises(AmountTooSmall):
        pool.quote_exact_out(buying(pool, side_in, 0))
    for amount in (reserve, reserve + 1, U64_MAX, U64_MAX + 1, -1):
        with pytest.raises(QuoteRefused):
            pool.quote_exact_out(buying(pool, side_in, amount))
    with pytest.raises(QuoteRefused, match="does not trade"):
        pool.quote_exact_out(replace(buying(pool, side_in, 1_000), token_in=TRADER.owner))
