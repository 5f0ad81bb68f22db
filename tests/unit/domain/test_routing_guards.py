"""What an order's guards refuse, what is chosen instead, and the error where nothing is."""

from dataclasses import replace

import pytest

from order_engine.domain.errors import AmountTooSmall, NoRoute, PriceImpactTooHigh, QuoteTooOld, TotalFeeTooHigh
from order_engine.domain.market import LeftOut, MarketView
from order_engine.domain.pool import Pool
from order_engine.domain.route import Candidate, Guards, SwapMode, SwapTerms
from order_engine.domain.routing import Costs, find_candidates, why_no_route
from order_engine.domain.tokens import TOKENS_BY_SYMBOL
from tests.unit.domain.pool_sets import SLOT, Terms, pool_of, sixty_pools, worth
from tests.unit.domain.routing_checks import chosen_of

SOL, USDC, JUP = (TOKENS_BY_SYMBOL[symbol] for symbol in ("SOL", "USDC", "JUP"))
COSTS = Costs(compute_unit_price_micro_lamports=10_000, rent_lamports={USDC.mint: 2_039_280})


def pool(usd: int, *, fee_bps: int = 25, number: int = 0, slot: int = SLOT, first: str = "SOL") -> Pool:
    tokens = (TOKENS_BY_SYMBOL[first], USDC)
    reserves = (worth(tokens[0], usd), worth(USDC, usd))
    return pool_of(
        Terms(venue="raydium_cpmm", tokens=tokens, reserves=reserves, fee_bps=fee_bps, number=number, slot=slot)
    )


def sell(usd: int, guards: Guards, mode: SwapMode = SwapMode.EXACT_IN) -> SwapTerms:
    amount = worth(SOL if mode is SwapMode.EXACT_IN else USDC, usd)
    return SwapTerms(
        token_in=SOL.mint, token_out=USDC.mint, swap_mode=mode, amount=amount, slippage_bps=50, guards=guards
    )


def search(swap: SwapTerms, *pools: Pool) -> tuple[Candidate, ...]:
    return find_candidates(MarketView(slot=SLOT, pools=pools), swap, COSTS, (), 1, lambda _: "")


def test_price_impact_above_its_guard_is_refused_with_the_value() -> None:
    swap = sell(10_000, Guards(max_price_impact_bps=100))
    (found,) = search(swap, pool(100_000))
    assert found.route is not None
    value = found.route.price_impact_bps
    assert value > 900
    message = f"price impact {value} bps is above max_price_impact_bps 100"
    assert found.reject_reason == f"PRICE_IMPACT_TOO_HIGH: {message}"
    error = why_no_route([found], swap)
    assert isinstance(error, PriceImpactTooHigh)
    assert error.message == message
    assert error.metadata == {"guard": "max_price_impact_bps", "limit": "100", "value": str(value)}


def test_network_fee_and_rent_together_are_held_against_the_fee_guard() -> None:
    total = 5_000 + 2_000 + 2_039_280
    (kept,) = search(sell(100, Guards(max_total_fee_lamports=total)), pool(100_000))
    assert kept.chosen
    swap = sell(100, Guards(max_total_fee_lamports=total - 1))
    (broken,) = search(swap, pool(100_000))
    assert broken.reject_reason == (
        f"TOTAL_FEE_TOO_HIGH: network fee and rent {total} lamports is above max_total_fee_lamports {total - 1}"
    )
    assert isinstance(why_no_route([broken], swap), TotalFeeTooHigh)


def test_a_quote_older_than_its_guard_is_refused() -> None:
    swap = sell(100, Guards(max_quote_age_slots=4))
    (found,) = search(swap, pool(100_000, slot=SLOT - 5))
    assert found.reject_reason == "QUOTE_TOO_OLD: quote age 5 slots is above max_quote_age_slots 4"
    assert isinstance(why_no_route([found], swap), QuoteTooOld)
    assert search(swap, pool(100_000, slot=SLOT - 4))[0].chosen


def test_the_next_best_that_keeps_the_guards_is_chosen() -> None:
    best_but_old, other = pool(100_000, fee_bps=1, slot=SLOT - 9), pool(100_000, fee_bps=100, number=1)
    found = search(sell(100, Guards(max_quote_age_slots=3)), best_but_old, other)
    assert [one.pool for one in found] == [other.address, best_but_old.address]
    assert chosen_of(found) is found[0].route


def test_splits_are_made_of_pools_that_are_young_enough() -> None:
    old, *young = (pool(100_000, number=number, slot=SLOT - 9 if number == 0 else SLOT) for number in range(3))
    found = search(sell(20_000, Guards(max_quote_age_slots=3)), old, *young)
    route = chosen_of(found)
    assert route is not None
    assert {leg.pool for leg in route.legs} == {one.address for one in young}


def test_a_split_keeps_the_impact_that_one_pool_breaks() -> None:
    pools = [pool(100_000, number=number) for number in range(3)]
    found = search(sell(6_000, Guards(max_price_impact_bps=250)), *pools)
    route = chosen_of(found)
    assert route is not None
    assert len(route.legs) == 3
    assert sum(one.reject_reason.startswith("PRICE_IMPACT_TOO_HIGH") for one in found) == 4


def test_the_age_of_a_route_is_that_of_its_oldest_pool() -> None:
    found = search(sell(20_000, Guards()), pool(100_000, slot=SLOT - 7), pool(100_000, number=1, slot=SLOT - 2))
    route = chosen_of(found)
    assert route is not None
    assert (route.slot, route.quote_age_slots) == (SLOT - 7, 7)


def test_a_guard_is_named_before_pools_that_cannot_fill() -> None:
    swap = sell(10_000, Guards(max_price_impact_bps=0))
    found = search(swap, pool(100_000))
    error = why_no_route([*found, Candidate(venue="v", pool=None, reject_reason="QUOTE_REFUSED: paused")], swap)
    assert isinstance(error, PriceImpactTooHigh)


@pytest.mark.parametrize(("mode", "field"), [(SwapMode.EXACT_IN, "amount_in"), (SwapMode.EXACT_OUT, "amount_out")])
def test_dust_everywhere_is_the_orders_own_fault(mode: SwapMode, field: str) -> None:
    dust = [
        Candidate(venue="v", pool=None, reject_reason="AMOUNT_TOO_SMALL: pays nothing"),
        Candidate(venue="v>w", pool=None, reject_reason="AMOUNT_TOO_SMALL: no pool trades 1 of one hop"),
    ]
    error = why_no_route(dust, sell(1, Guards(), mode))
    assert isinstance(error, AmountTooSmall)
    assert error.message.startswith(f"{field} is so small")


def test_dust_is_recognised_on_every_way() -> None:
    hubs = tuple(TOKENS_BY_SYMBOL[symbol].mint for symbol in ("USDC", "USDT"))
    swap = replace(sell(1, Guards()), token_out=JUP.mint, amount=1)
    found = find_candidates(sixty_pools(), swap, COSTS, hubs, 3, lambda _: "")
    assert any(">" in one.venue for one in found)
    assert isinstance(why_no_route(found, swap), AmountTooSmall)


def test_a_refusal_beside_dust_may_look_different_next_time() -> None:
    mixed = [Candidate(venue="v", pool=None, reject_reason=why) for why in ("AMOUNT_TOO_SMALL: x", "QUOTE_REFUSED: y")]
    error = why_no_route(mixed, sell(1, Guards()))
    assert isinstance(error, NoRoute)
    assert error.message == "no pool can fill the order: AMOUNT_TOO_SMALL: x; QUOTE_REFUSED: y"


def test_no_pool_at_all_is_said() -> None:
    error = why_no_route((), sell(1, Guards()))
    assert isinstance(error, NoRoute)
    assert "no venue has a pool" in error.message


def test_the_reasons_of_sixty_pools_stay_readable() -> None:
    many = [
        Candidate(venue="v", pool=None, reject_reason=f"QUOTE_REFUSED: {number:02} " + "x" * 500)
        for number in range(60)
    ]
    message = why_no_route(many, sell(1, Guards())).message
    assert len(message) < 1_100
    assert message.endswith("; and 54 more reasons")


def test_a_venue_left_out_is_no_dust() -> None:
    left_out = [LeftOut(venue="v", pool=None, reason="VENUE_UNAVAILABLE: slow")]
    swap = replace(sell(1, Guards()), amount=1)
    found = find_candidates(MarketView(slot=SLOT, pools=[], left_out=left_out), swap, COSTS, (), 1, lambda _: "")
    error = why_no_route(found, swap)
    assert isinstance(error, NoRoute)
    assert error.message == "no pool can fill the order: VENUE_UNAVAILABLE: slow"
