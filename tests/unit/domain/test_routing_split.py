"""A division over several pools is as good as one found by trying all of a fine grid."""

from collections.abc import Iterator, Sequence
from itertools import combinations, combinations_with_replacement, pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from order_engine.domain.route import SwapMode
from order_engine.domain.routing.chain import worth_of
from order_engine.domain.routing.pool_side import PoolSide
from order_engine.domain.routing.split import MAX_POOLS_PER_HOP, Division, divisions, polished, spread
from order_engine.domain.tokens import TOKENS_BY_SYMBOL
from tests.unit.domain.pool_sets import VENUE_NAMES, Terms, pool_of, worth

SOL, USDC = TOKENS_BY_SYMBOL["SOL"], TOKENS_BY_SYMBOL["USDC"]
GRID = {2: 400, 3: 60, 4: 24}  # parts of the amount, by how many pools share it
PARTS_OF_A_BP = 10_000


# Of all that the pools hold: from dust to more than they can trade.
MILLIONTHS = (0, 1, 100, 10_000, 50_000, 100_000, 200_000, 400_000, 700_000, 950_000, 2_000_000)
Shared = tuple[list[PoolSide], int]


@st.composite
def pool_sets(draw: st.DrawFn, least: int = 2, most: int = 4, share: int = MILLIONTHS[-1]) -> Shared:
    """Pools of any venues of one pair, deep and shallow, cheap and dear, up to 2 % apart, and an amount for them."""
    mode = draw(st.sampled_from(SwapMode))
    token_in, token_out = draw(st.permutations([SOL, USDC]))
    millionths = st.sampled_from([one for one in MILLIONTHS if one <= share])
    sides, held_usd = [], 0
    for number in range(draw(st.integers(least, most))):
        tokens = draw(st.sampled_from([(SOL, USDC), (USDC, SOL)]))
        usd = draw(st.sampled_from([100, 3_000, 30_000, 2_000_000]))
        skew = draw(st.sampled_from([9_800, 9_990, 10_000, 10_200]))
        terms = Terms(
            venue=draw(st.sampled_from(VENUE_NAMES)),
            tokens=tokens,
            reserves=(worth(tokens[0], usd), worth(tokens[1], usd) * skew // 10_000),
            fee_bps=draw(st.sampled_from([1, 25, 100])),
            number=number,
        )
        held_usd += usd
        sides.append(PoolSide(pool_of(terms), token_in.mint, token_out.mint, mode))
    given_token = token_in if mode is SwapMode.EXACT_IN else token_out
    return sides, max(1, worth(given_token, held_usd) * draw(millionths) // 10**6)


def fine_grid(sides: Sequence[PoolSide], amount: int) -> Iterator[int]:
    parts = GRID[len(sides)]
    points = [amount * at // parts for at in range(parts + 1)]
    for cuts in combinations_with_replacement(points, len(sides) - 1):
        values = [side.value(to - start) for side, (start, to) in zip(sides, pairwise((0, *cuts, amount)), strict=True)]
        quoted = [value for value in values if value is not None]
        if len(quoted) == len(values):
            yield sum(quoted)


def best_of(sides: Sequence[PoolSide], amount: int, found: Sequence[Division]) -> int | None:
    alone = [value for side in sides if (value := side.value(amount)) is not None]
    return max([*alone, *map(worth_of, found)], default=None)


@settings(max_examples=80, deadline=None)
@given(pool_sets())
def test_no_division_on_a_fine_grid_is_a_basis_point_better(shared: Shared) -> None:
    """Besides the basis point, each pool may round one base unit away."""
    sides, amount = shared
    on_grid = max(fine_grid(sides, amount), default=None)
    assume(on_grid is not None)
    found = best_of(sides, amount, divisions(sides, amount))
    assert on_grid is not None
    assert found is not None
    assert found >= on_grid - abs(on_grid) // PARTS_OF_A_BP - len(sides)


@settings(max_examples=40, deadline=None)
@given(pool_sets(5, 7, 100_000))
def test_the_pools_left_out_are_those_that_add_the_least(shared: Shared) -> None:
    """Within a few basis points, for swaps up to a tenth of what all the pools hold."""
    sides, amount = shared
    for division in divisions(sides, amount):
        others = [divisions(some, amount) for some in combinations(sides, len(division))]
        best = max(worth_of(other[0]) for other in others if other and len(other[0]) == len(division))
        assert worth_of(division) >= best - abs(best) * 5 // PARTS_OF_A_BP - len(division)


@settings(max_examples=60, deadline=None)
@given(pool_sets(2, 7))
def test_parts_sum_to_the_amount_and_every_pool_has_one(shared: Shared) -> None:
    sides, amount = shared
    sizes = []
    for division in divisions(sides, amount):
        assert sum(part for _, part in division) == amount
        assert all(part > 0 and side.value(part) is not None for side, part in division)
        assert len({side.pool.address for side, _ in division}) == len(division)
        sizes.append(len(division))
    assert sizes == sorted(set(sizes), reverse=True)
    assert all(2 <= size <= MAX_POOLS_PER_HOP for size in sizes)


def side(venue: str, usd: int, *, fee_bps: int = 25, number: int = 0, mode: SwapMode = SwapMode.EXACT_IN) -> PoolSide:
    reserves = (worth(SOL, usd), worth(USDC, usd))
    terms = Terms(venue=venue, tokens=(SOL, USDC), reserves=reserves, fee_bps=fee_bps, number=number)
    return PoolSide(pool_of(terms), SOL.mint, USDC.mint, mode)


@pytest.mark.parametrize("mode", SwapMode)
def test_equal_pools_share_equally(mode: SwapMode) -> None:
    sides = [side("raydium_cpmm", 100_000, number=number, mode=mode) for number in range(4)]
    (four, *_) = divisions(sides, amount := worth(SOL if mode is SwapMode.EXACT_IN else USDC, 10_000))
    assert [part for _, part in four] == pytest.approx([amount // 4] * 4, rel=0.002)


def test_what_no_pool_takes_alone_is_shared() -> None:
    sides = [side("meteora_dlmm", 1_000, number=number) for number in range(3)]
    amount = worth(SOL, 2_500)
    assert all(one.value(amount) is None for one in sides)
    assert [len(one) for one in divisions(sides, amount)] == [3]


def test_what_all_pools_together_do_not_take_is_not_divided() -> None:
    sides = [side("meteora_dlmm", 1_000, number=number) for number in range(3)]
    assert divisions(sides, worth(SOL, 5_000)) == ()


def test_dust_is_not_divided() -> None:
    assert divisions([side("raydium_cpmm", 1_000, number=number) for number in range(3)], 1) == ()


def test_a_division_is_polished_for_a_little_more() -> None:
    sides = [side("raydium_cpmm", 100_000), side("meteora_damm_v2", 30_000)]
    amount = worth(SOL, 10_000)
    more = amount * 102 // 100
    (fresh,), (old,) = divisions(sides, more), divisions(sides, amount)
    again = polished(old, more)
    assert sum(part for _, part in again) == more
    assert worth_of(again) >= worth_of(fresh) * (1 - 1e-7)


@given(st.integers(0, 2**64), st.lists(st.integers(1, 2**64), min_size=1, max_size=6))
def test_spread_parts_sum_exactly_and_are_in_proportion(total: int, weights: list[int]) -> None:
    parts = spread(total, weights)
    assert sum(parts) == total
    assert all(part > 0 for part in parts) or total < len(parts)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * weight / sum(weights)) <= len(parts) + total / 2**50
        if total >= len(parts) and total <= sum(weights):
            assert part <= weight
        if total >= sum(weights):
            assert part >= weight


def crowd(pools: int) -> list[PoolSide]:
    """Pools of which each holds a little more than the one before it."""
    usdc = worth(USDC, 30_000)
    terms = [
        Terms(
            venue="raydium_cpmm",
            tokens=(SOL, USDC),
            reserves=(worth(SOL, 30_000 + 300 * number), usdc),
            fee_bps=25,
            number=number,
        )
        for number in range(pools)
    ]
    return [PoolSide(pool_of(one), SOL.mint, USDC.mint, SwapMode.EXACT_IN) for one in terms]


def test_dividing_over_many_pools_asks_each_a_few_times_and_not_for_every_other_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = 0
    value = PoolSide.value

    def counted(side: PoolSide, amount: int) -> int | None:
        nonlocal asked
        asked += 1
        return value(side, amount)

    monkeypatch.setattr(PoolSide, "value", counted)
    found = divisions(crowd(80), worth(SOL, 2_000_000))
    assert len(found[0]) == MAX_POOLS_PER_HOP
    assert asked < 80 * 80
