"""How long the search for a route takes: 60 pools of all venues over five tokens, up to three hops, with splits."""

import statistics
import time
from collections.abc import Iterator
from itertools import permutations
from typing import Final

from benchmarks.results import Figures
from order_engine.domain.market import MarketView
from order_engine.domain.route import Candidate, SwapMode, SwapTerms
from order_engine.domain.routing import MAX_HOPS, Costs, find_candidates
from tests.unit.domain.pool_sets import FIVE_TOKENS, sixty_pools, worth

USD: Final = (20, 2_000, 50_000)  # what is swapped, at the prices that the pools were made of
_COSTS: Final = Costs(compute_unit_price_micro_lamports=10_000)
_HUBS: Final = [token.mint for token in FIVE_TOKENS]
_SLIPPAGE_BPS: Final = 50


def routes(rounds: int) -> Figures:
    """Return milliseconds of processor time for one search, by mode: on pools just read, and on the same again."""
    figures: Figures = {"route_pools": float(len(sixty_pools().pools))}
    for mode in SwapMode:
        first = [_cpu_ms(sixty_pools(seed), swap)[0] for seed, swap in enumerate(_some_of(mode, rounds))]
        market = sixty_pools()
        again = [_again(market, swap) for swap in _swaps(mode)]
        found = [_cpu_ms(market, swap)[1] for swap in _swaps(mode)]
        legs = [len(candidate.route.legs) for candidates in found for candidate in candidates[:1] if candidate.route]
        figures |= {
            f"route_{mode}_first_ms": statistics.median(first),
            f"route_{mode}_again_ms": statistics.median(again),
            f"route_{mode}_again_most_ms": max(again),
            f"route_{mode}_legs_mean": statistics.mean(legs),
        }
    return figures


def describe_routes(figures: Figures) -> str:
    """Return the figures as a table."""
    lines = [f"{figures['route_pools']:.0f} pools, {MAX_HOPS} hops{'first':>20}{'again':>9}{'most':>9}{'legs':>7}"]
    for mode in SwapMode:
        times = (figures[f"route_{mode}_{name}_ms"] for name in ("first", "again", "again_most"))
        legs = figures[f"route_{mode}_legs_mean"]
        lines.append(
            f"{f'one search, {mode}':<26}" + "{:>7.1f} ms{:>6.1f} ms{:>6.1f} ms".format(*times) + f"{legs:>7.1f}"
        )
    return "\n".join(lines)


def _swaps(mode: SwapMode) -> Iterator[SwapTerms]:
    for token_in, token_out in permutations(FIVE_TOKENS, 2):
        for usd in USD:
            amount = worth(token_in if mode is SwapMode.EXACT_IN else token_out, usd)
            yield SwapTerms(
                token_in=token_in.mint,
                token_out=token_out.mint,
                swap_mode=mode,
                amount=amount,
                slippage_bps=_SLIPPAGE_BPS,
            )


def _some_of(mode: SwapMode, count: int) -> Iterator[SwapTerms]:
    swaps = list(_swaps(mode))
    yield from swaps[:: max(1, len(swaps) // count)]


def _again(market: MarketView, swap: SwapTerms) -> float:
    return min(_cpu_ms(market, swap)[0] for _ in range(3))


def _cpu_ms(market: MarketView, swap: SwapTerms) -> tuple[float, tuple[Candidate, ...]]:
    began = time.process_time()
    candidates = find_candidates(market, swap, _COSTS, _HUBS, MAX_HOPS, lambda _route: "")
    return (time.process_time() - began) * 1e3, candidates
