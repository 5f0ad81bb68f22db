"""What holds for every search, in markets of all venues."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, permutations, product

from hypothesis import given, settings
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from order_engine.domain.amounts import BPS
from order_engine.domain.errors import QuoteRefused
from order_engine.domain.market import MarketView, pair_of
from order_engine.domain.pool import ExactOutRequest, Pool, SwapRequest
from order_engine.domain.route import Candidate, Guards, Route, SwapMode, SwapTerms
from order_engine.domain.routing import Costs, find_candidates
from order_engine.domain.tokens import WRAPPED_SOL
from tests.unit.domain.pool_sets import FIVE_TOKENS, SLOT, seeded_market, worth
from tests.unit.domain.routing_checks import check_route, chosen_of

TOKENS = {token.mint: token for token in FIVE_TOKENS[:4]}
SEEDS = st.integers(1, 4)
COSTS = Costs(compute_unit_price_micro_lamports=10_000)
BASE_FEE = Costs(compute_unit_price_micro_lamports=0)  # 5,000 lamports, whatever the route
DOLLARS = st.builds(lambda digit, zeros: digit * 10**zeros, st.integers(1, 9), st.integers(0, 6))


@st.composite
def swaps(draw: st.DrawFn, *, judged: Pubkey | None = None) -> SwapTerms:
    """`judged` is the token that the outcome is counted in."""
    mode = draw(st.sampled_from(SwapMode))
    exact_in = mode is SwapMode.EXACT_IN
    counted = judged or draw(st.sampled_from(list(TOKENS)))
    given_token = draw(st.sampled_from([mint for mint in TOKENS if mint != counted]))
    return SwapTerms(
        token_in=given_token if exact_in else counted,
        token_out=counted if exact_in else given_token,
        swap_mode=mode,
        amount=max(1, worth(TOKENS[given_token], draw(DOLLARS)) // 100),
        slippage_bps=draw(st.sampled_from([0, 1, 50, 299])),
    )


def fits_three_legs(route: Route) -> str:
    return "" if len(route.legs) <= 3 else "TRANSACTION_TOO_LARGE: more than three swaps"


def market(seed: int) -> MarketView:
    return seeded_market(tuple(TOKENS.values()), 3, seed)


def search(view: MarketView, swap: SwapTerms, costs: Costs = COSTS) -> tuple[Candidate, ...]:
    return find_candidates(view, swap, costs, tuple(TOKENS), 3, fits_three_legs)


@settings(max_examples=80, deadline=None)
@given(SEEDS, swaps())
def test_every_route_conserves_amounts_and_its_bounds_sum_exactly(seed: int, swap: SwapTerms) -> None:
    candidates = search(market(seed), swap)
    assert any(one.route for one in candidates)
    for one in candidates:
        if one.route:
            check_route(one.route, swap)


@settings(max_examples=40, deadline=None)
@given(SEEDS, swaps(), st.randoms(use_true_random=False))
def test_the_order_of_the_pools_changes_nothing(seed: int, swap: SwapTerms, chance: object) -> None:
    view = market(seed)
    pools = list(view.pools)
    chance.shuffle(pools)  # type: ignore[attr-defined]
    assert search(replace(view, pools=pools), swap) == search(view, swap)


@settings(max_examples=60, deadline=None)
@given(SEEDS, swaps(judged=WRAPPED_SOL))
def test_no_route_of_one_pool_per_hop_leaves_more(seed: int, swap: SwapTerms) -> None:
    """Judged in SOL, where the fee is the same for all: no rounding is in the way."""
    chosen = chosen_of(search(market(seed), swap, BASE_FEE))
    tried = list(single_routes(market(seed), swap))
    assert (chosen is None) == (not tried)
    if chosen and swap.swap_mode is SwapMode.EXACT_IN:
        assert chosen.amount_out >= max(tried)
    elif chosen:
        assert chosen.amount_in <= min(tried)


@settings(max_examples=60, deadline=None)
@given(SEEDS, swaps(judged=WRAPPED_SOL), st.integers(1, 20_000))
def test_more_in_never_pays_less(seed: int, swap: SwapTerms, more_bps: int) -> None:
    """Net of fees, but for the basis point that a split may miss and a unit of rounding per leg and hop.

    For EXACT_OUT, more out never costs less.
    """
    view = market(seed)
    more = replace(swap, amount=swap.amount + max(1, swap.amount * more_bps // BPS))
    less_route, more_route = chosen_of(search(view, swap, BASE_FEE)), chosen_of(search(view, more, BASE_FEE))
    if less_route and more_route:
        less, gained = (
            (less_route.amount_out, more_route.amount_out)
            if swap.swap_mode is SwapMode.EXACT_IN
            else (less_route.amount_in, more_route.amount_in)
        )
        assert gained >= less - less // BPS - 10


@settings(max_examples=60, deadline=None)
@given(
    SEEDS,
    swaps(),
    st.sampled_from([None, 0, 5, 30, 200]),
    st.sampled_from([None, 4_999, 7_000, 8_000]),
    st.sampled_from([None, 0, 3, 10]),
)
def test_the_chosen_route_keeps_every_guard(
    seed: int, swap: SwapTerms, impact: int | None, fee: int | None, age: int | None
) -> None:
    guards = Guards(max_price_impact_bps=impact, max_total_fee_lamports=fee, max_quote_age_slots=age)
    later = replace(market(seed), slot=SLOT + 3)
    candidates = search(later, replace(swap, guards=guards))
    route = chosen_of(candidates)
    for one in [one.route for one in candidates if one.route and not one.reject_reason]:
        assert impact is None or one.price_impact_bps <= impact
        assert fee is None or one.network_fee_lamports + one.rent_lamports <= fee
        assert age is None or one.quote_age_slots <= age
    if age == 0 or fee == 4_999:
        assert route is None


def single_routes(view: MarketView, swap: SwapTerms) -> Iterator[int]:
    """Yield what every chain of one pool per hop pays, or costs."""
    asked: dict[tuple[Pubkey, Pubkey, int], int | None] = {}
    between = [mint for mint in TOKENS if mint not in (swap.token_in, swap.token_out)]
    for hops in range(3):
        for way in permutations(between, hops):
            pairs = list(pairwise((swap.token_in, *way, swap.token_out)))
            of_pairs = [[pool for pool in view.pools if pair_of(pool) == frozenset(pair)] for pair in pairs]
            for pools in product(*of_pairs):
                end = followed(pools, pairs, swap, asked)
                if end is not None:
                    yield end


def followed(
    pools: Sequence[Pool],
    pairs: Sequence[tuple[Pubkey, Pubkey]],
    swap: SwapTerms,
    asked: dict[tuple[Pubkey, Pubkey, int], int | None],
) -> int | None:
    forward = swap.swap_mode is SwapMode.EXACT_IN
    part, amount = swap.slippage_bps // len(pools), swap.amount
    steps = list(zip(pools, pairs, strict=True))
    for number, (pool, pair) in enumerate(steps if forward else reversed(steps)):
        if number:
            amount = amount * (BPS - part) // BPS if forward else -(-amount * (BPS + part) // BPS)
        key = (pool.address, pair[0], amount)
        if key not in asked:
            asked[key] = quoted(pool, pair, amount, forward=forward)
        moved = asked[key]
        if moved is None:
            return None
        amount = moved
    return amount


def quoted(pool: Pool, pair: tuple[Pubkey, Pubkey], amount: int, *, forward: bool) -> int | None:
    token_in, token_out = pair
    try:
        if forward:
            return pool.quote(SwapRequest(token_in=token_in, token_out=token_out, amount_in=amount)).amount_out
        wanted = ExactOutRequest(token_in=token_in, token_out=token_out, amount_out=amount)
        return pool.quote_exact_out(wanted).amount_in
    except QuoteRefused:
        return None
