"""The candidates of a search: what is recorded, what it costs, and which one is chosen."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import AmountTooSmall, NoRoute
from order_engine.domain.market import LeftOut, MarketView
from order_engine.domain.pool import Pool
from order_engine.domain.route import Candidate, Route, SwapMode, SwapTerms
from order_engine.domain.routing import (
    MAX_COMPUTE_UNITS,
    Costs,
    compute_unit_limit,
    find_candidates,
    network_fee,
)
from order_engine.domain.tokens import TOKENS_BY_SYMBOL
from tests.unit.domain.pool_sets import SLOT, Terms, pool_of, sixty_pools, worth
from tests.unit.domain.routing_checks import check_route, chosen_of

SOL, USDC, USDT, JUP = (TOKENS_BY_SYMBOL[symbol] for symbol in ("SOL", "USDC", "USDT", "JUP"))
FREE = Costs(compute_unit_price_micro_lamports=0)
BASE_FEE = 5_000


def pool(first: str, second: str, usd: int, *, venue: str = "raydium_cpmm", fee_bps: int = 25, number: int = 0) -> Pool:
    tokens = (TOKENS_BY_SYMBOL[first], TOKENS_BY_SYMBOL[second])
    reserves = (worth(tokens[0], usd), worth(tokens[1], usd))
    return pool_of(Terms(venue=venue, tokens=tokens, reserves=reserves, fee_bps=fee_bps, number=number))


def market(*pools: Pool, left_out: tuple[LeftOut, ...] = ()) -> MarketView:
    return MarketView(slot=SLOT, pools=pools, left_out=left_out)


def sell(first: str, second: str, usd: int, mode: SwapMode = SwapMode.EXACT_IN) -> SwapTerms:
    token_in, token_out = TOKENS_BY_SYMBOL[first], TOKENS_BY_SYMBOL[second]
    amount = worth(token_in if mode is SwapMode.EXACT_IN else token_out, usd)
    return SwapTerms(token_in=token_in.mint, token_out=token_out.mint, swap_mode=mode, amount=amount, slippage_bps=50)


def search(
    view: MarketView,
    swap: SwapTerms,
    *,
    costs: Costs = FREE,
    hubs: tuple[Pubkey, ...] = (),
    refusal: Callable[[Route], str] = lambda _: "",
) -> tuple[Candidate, ...]:
    return find_candidates(view, swap, costs, hubs, 3, refusal)


def the_route(*found: Candidate) -> Route:
    route = chosen_of(found)
    assert route is not None
    return route


@pytest.mark.parametrize("mode", SwapMode)
def test_the_pool_with_the_best_price_wins_a_small_swap(mode: SwapMode) -> None:
    cheap, dear = pool("SOL", "USDC", 100_000, fee_bps=5), pool("SOL", "USDC", 100_000, fee_bps=30, number=1)
    found = search(market(dear, cheap), sell("SOL", "USDC", 1, mode))
    assert [one.pool for one in found] == [cheap.address, dear.address]
    assert the_route(*found).legs[0].pool == cheap.address


@pytest.mark.parametrize("mode", SwapMode)
def test_a_large_swap_is_split_and_every_smaller_split_stays_a_candidate(mode: SwapMode) -> None:
    pools = [pool("SOL", "USDC", 100_000, number=number) for number in range(5)]
    found = search(market(*pools), sell("SOL", "USDC", 20_000, mode))
    assert [len(one.route.legs) for one in found if one.route] == [4, 3, 2, 1, 1, 1, 1, 1]
    assert (found[0].venue, found[0].pool) == ("+".join(["raydium_cpmm"] * 4), None)
    for one in found:
        assert one.route is not None
        check_route(one.route, sell("SOL", "USDC", 20_000, mode))


def test_a_split_that_does_not_pay_for_its_own_fee_loses() -> None:
    pools = market(*(pool("SOL", "USDC", 100_000, number=number) for number in range(2)))
    swap = sell("SOL", "USDC", 100)
    assert len(the_route(*search(pools, swap)).legs) == 2
    assert len(the_route(*search(pools, swap, costs=Costs(compute_unit_price_micro_lamports=100_000_000))).legs) == 1


@pytest.mark.parametrize("mode", SwapMode)
def test_a_way_over_hub_tokens_wins_where_it_leaves_more(mode: SwapMode) -> None:
    direct, first, second = (
        pool("JUP", "USDC", 1_000),
        pool("JUP", "SOL", 1_000_000),
        pool("SOL", "USDC", 1_000_000, venue="meteora_damm_v2"),
    )
    swap = sell("JUP", "USDC", 500, mode)
    found = search(market(direct, first, second), swap, hubs=(SOL.mint,))
    assert [(one.venue, one.pool) for one in found] == [
        ("raydium_cpmm>meteora_damm_v2", None),
        ("raydium_cpmm", direct.address),
    ]
    check_route(the_route(*found), swap)


@pytest.mark.parametrize("mode", SwapMode)
def test_hops_of_a_longer_way_are_split(mode: SwapMode) -> None:
    ways = [pool("JUP", "SOL", 100_000), pool("JUP", "SOL", 100_000, number=1), pool("SOL", "USDC", 10_000_000)]
    swap = sell("JUP", "USDC", 20_000, mode)
    found = search(market(*ways), swap, hubs=(SOL.mint,))
    assert [len(hop) for hop in the_route(*found).hops] == [2, 1]
    assert found[0].venue == "raydium_cpmm+raydium_cpmm>raydium_cpmm"
    check_route(the_route(*found), swap)


def test_a_hop_that_no_single_pool_takes_is_shared() -> None:
    shallow = [pool("JUP", "SOL", 1_000, venue="meteora_dlmm", number=number) for number in range(2)]
    found = search(market(*shallow, pool("SOL", "USDC", 100_000)), sell("JUP", "USDC", 1_500), hubs=(SOL.mint,))
    assert [len(hop) for hop in the_route(*found).hops] == [2, 1]


def test_the_next_best_that_fits_one_transaction_is_chosen() -> None:
    pools = market(*(pool("SOL", "USDC", 100_000, number=number) for number in range(4)))
    asked: list[int] = []

    def refusal(route: Route) -> str:
        asked.append(len(route.legs))
        return "" if len(route.legs) <= 2 else f"TRANSACTION_TOO_LARGE: {len(route.legs)} swaps"

    found = search(pools, sell("SOL", "USDC", 20_000), refusal=refusal)
    assert asked == [4, 3, 2]
    assert len(the_route(*found).legs) == 2
    refused = [one.reject_reason for one in found if one.reject_reason]
    assert refused == ["TRANSACTION_TOO_LARGE: 4 swaps", "TRANSACTION_TOO_LARGE: 3 swaps"]


def test_a_way_whose_best_pools_do_not_fit_is_gone_with_others() -> None:
    heavy = [pool("JUP", "SOL", 900_000, venue="raydium_clmm"), pool("SOL", "USDC", 900_000, venue="raydium_clmm")]
    light = [pool("JUP", "SOL", 10_000), pool("SOL", "USDC", 10_000)]

    def refusal(route: Route) -> str:
        return "TRANSACTION_TOO_LARGE: x" if {leg.venue for leg in route.legs} != {"raydium_cpmm"} else ""

    found = search(market(*heavy, *light), sell("JUP", "USDC", 100), hubs=(SOL.mint,), refusal=refusal)
    assert {leg.pool for leg in the_route(*found).legs} == {one.address for one in light}


def test_where_nothing_fits_everything_is_rejected() -> None:
    found = search(sixty_pools(), sell("JUP", "USDC", 100), hubs=(SOL.mint, USDT.mint), refusal=lambda _: "TOO_BIG: x")
    assert chosen_of(found) is None
    assert {one.reject_reason for one in found} == {"TOO_BIG: x"}


def test_at_most_eight_longer_ways_are_recorded() -> None:
    hubs = tuple(TOKENS_BY_SYMBOL[symbol].mint for symbol in ("SOL", "USDT", "RAY"))
    found = search(sixty_pools(), sell("JUP", "USDC", 10), hubs=hubs)
    assert sum(">" in one.venue for one in found) == 8
    assert len({one.pool for one in found if one.pool}) == 6


def test_a_pool_that_refuses_says_why() -> None:
    small = pool("SOL", "USDC", 1_000, venue="meteora_dlmm")
    found = search(market(small, pool("SOL", "USDC", 100_000)), sell("SOL", "USDC", 5_000))
    refused = next(one for one in found if one.pool == small.address)
    assert refused.route is None
    assert refused.reject_reason.startswith("QUOTE_REFUSED: ")
    assert found[-1] == refused


def test_what_could_not_be_read_is_listed_last() -> None:
    left_out = (
        LeftOut(venue="raydium_clmm", pool=None, reason="VENUE_UNAVAILABLE: slow"),
        LeftOut(venue="meteora_dlmm", pool=Pubkey([9] * 32), reason="POOL_UNREADABLE: cut off"),
    )
    found = search(market(pool("SOL", "USDC", 1_000), left_out=left_out), sell("SOL", "USDC", 1))
    assert [(one.venue, one.reject_reason) for one in found[1:]] == [(one.venue, one.reason) for one in left_out]


def test_a_pool_given_twice_is_used_once() -> None:
    twice = pool("SOL", "USDC", 100_000)
    assert len(search(market(twice, twice), sell("SOL", "USDC", 50_000))) == 1


def test_nothing_to_swap_and_nothing_to_swap_for_are_named() -> None:
    view, swap = sixty_pools(), sell("SOL", "USDC", 1)
    with pytest.raises(AmountTooSmall):
        search(view, replace(swap, amount=0))
    with pytest.raises(NoRoute):
        search(view, replace(swap, token_out=swap.token_in))


@pytest.mark.parametrize("mode", SwapMode)
@pytest.mark.parametrize("amount", [U64_MAX, U64_MAX + 1, 2**70])
def test_amounts_beyond_all_pools_are_refused(mode: SwapMode, amount: int) -> None:
    swap = replace(sell("JUP", "RAY", 1, mode), amount=amount)
    found = search(sixty_pools(), swap, hubs=(SOL.mint, USDC.mint))
    for one in found:
        if one.route:
            check_route(one.route, swap)
        else:
            assert one.reject_reason
    assert amount <= U64_MAX or not any(one.route for one in found)


def test_a_most_to_be_paid_beyond_64_bits_is_refused() -> None:
    swap = replace(sell("SOL", "USDC", 1, SwapMode.EXACT_OUT), slippage_bps=10**18)
    (found,) = search(market(pool("SOL", "USDC", 1_000)), swap)
    assert found.reject_reason.startswith("QUOTE_REFUSED: ")
    assert "64 bits" in found.reject_reason


@pytest.mark.parametrize(("hops", "beside"), [(1, 140_000), (2, 165_000), (3, 190_000)])
def test_every_further_token_has_room_for_its_account(hops: int, beside: int) -> None:
    assert compute_unit_limit(60_000, hops) == beside + 60_000
    assert network_fee(60_000, 10, hops) == BASE_FEE + -(-(beside + 60_000) * 10 // 10**6)
    assert compute_unit_limit(2_000_000, hops) == MAX_COMPUTE_UNITS


def test_lamports_count_one_to_one_in_sol() -> None:
    view = market(pool("SOL", "USDC", 100_000))
    (bought,) = search(view, sell("USDC", "SOL", 100))
    (paid,) = search(view, sell("SOL", "USDC", 100, SwapMode.EXACT_OUT))
    assert bought.net_amount_out == the_route(bought).amount_out - BASE_FEE
    assert paid.net_amount_in == the_route(paid).amount_in + BASE_FEE


def test_lamports_count_at_the_routes_own_price() -> None:
    view = market(pool("SOL", "USDC", 100_000))
    (sold,) = search(view, sell("SOL", "USDC", 100))
    route = the_route(sold)
    assert sold.net_amount_out == route.amount_out - -(-BASE_FEE * route.amount_out // route.amount_in)
    (bought,) = search(view, sell("USDC", "SOL", 100, SwapMode.EXACT_OUT))
    route = the_route(bought)
    assert bought.net_amount_in == route.amount_in + -(-BASE_FEE * route.amount_in // route.amount_out)


def test_lamports_count_at_the_price_of_sol_on_the_way() -> None:
    view = market(pool("JUP", "SOL", 100_000), pool("SOL", "USDC", 100_000))
    (found,) = search(view, sell("JUP", "USDC", 100), hubs=(SOL.mint,))
    route = the_route(found)
    sold = route.legs[1]
    assert found.net_amount_out == route.amount_out - -(-BASE_FEE * sold.amount_out // sold.amount_in)


def test_lamports_count_at_the_best_sol_pool_where_the_route_trades_none() -> None:
    cheap, dear = pool("SOL", "USDC", 100_000, fee_bps=1), pool("SOL", "USDC", 100, fee_bps=100, number=1)
    found = search(market(pool("JUP", "USDC", 100_000), dear, cheap), sell("JUP", "USDC", 100))
    assert the_route(*found).amount_out - found[0].net_amount_out == 749  # 0.000005 SOL at 150 USDC, less 1 bp


def test_lamports_count_nothing_where_sol_has_no_price() -> None:
    (found,) = search(market(pool("JUP", "USDC", 100_000)), sell("JUP", "USDC", 100))
    assert found.net_amount_out == the_route(found).amount_out


def test_rent_is_counted_for_the_tokens_that_stay_and_never_for_sol() -> None:
    rents = {SOL.mint: 1, USDC.mint: 2_000_000, JUP.mint: 7}
    costs = Costs(compute_unit_price_micro_lamports=0, rent_lamports=rents)
    view = market(pool("JUP", "SOL", 100_000), pool("SOL", "USDC", 100_000))
    (over_sol,) = search(view, sell("JUP", "USDC", 100), costs=costs, hubs=(SOL.mint,))
    assert the_route(over_sol).rent_lamports == 2_000_000
    over_usdc = search(
        market(pool("SOL", "USDC", 100_000), pool("USDC", "JUP", 100_000)),
        sell("SOL", "JUP", 100),
        costs=costs,
        hubs=(USDC.mint,),
    )
    assert the_route(*over_usdc).rent_lamports == 2_000_007


def test_a_fee_above_the_output_leaves_nothing_but_still_ranks() -> None:
    cheap, dear = pool("SOL", "USDC", 100_000, fee_bps=5), pool("SOL", "USDC", 100_000, fee_bps=100, number=1)
    swap = replace(sell("USDC", "SOL", 1), amount=500)
    found = search(market(dear, cheap), swap)
    assert [one.net_amount_out for one in found] == [0, 0]
    assert the_route(*found).legs[0].pool == cheap.address


def test_equal_routes_go_to_the_lower_address() -> None:
    pools = sorted(
        (pool("SOL", "USDC", 100_000, number=number) for number in range(3)), key=lambda one: bytes(one.address)
    )
    found = search(
        market(*reversed(pools)), sell("SOL", "USDC", 1), costs=Costs(compute_unit_price_micro_lamports=10**9)
    )
    alone = [one.pool for one in found if one.pool]
    assert alone == [one.address for one in pools]


def test_price_impact_composes_over_hops_and_rounds_up() -> None:
    ways = market(pool("JUP", "SOL", 10_000), pool("SOL", "USDC", 10_000))
    (found,) = search(ways, sell("JUP", "USDC", 500), hubs=(SOL.mint,))
    first, second = (leg.price_impact_bps for leg in the_route(found).legs)
    assert min(first, second) > 400
    kept = (10_000 - first) * (10_000 - second)
    assert the_route(found).price_impact_bps == 10_000 - kept // 10_000
