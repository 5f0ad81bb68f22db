"""The seeded market: the better venue changes, the same way for the same seed, and no token is made or lost."""

from collections import Counter
from pathlib import Path

from solders.keypair import Keypair

from order_engine.domain.pool import SwapRequest
from order_engine.domain.tokens import TOKENS_BY_SYMBOL, WRAPPED_SOL
from order_engine.venues.meteora_damm_v2.pool import MeteoraDammV2Pool
from order_engine.venues.raydium_amm_v4.pool import RaydiumAmmV4Pool
from order_engine.venues.raydium_clmm.pool import RaydiumClmmPool
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool
from tests.papernet.client import PaperRpc
from tests.papernet.conftest import serving

USDC = TOKENS_BY_SYMBOL["USDC"].mint
VENUES = (RaydiumCpmmPool, MeteoraDammV2Pool, RaydiumAmmV4Pool, RaydiumClmmPool)
MOVING = {"market_volatility_bps": 20, "market_step_slots": 5}


async def _quotes(paper: PaperRpc, steps: int) -> list[tuple[int, ...]]:
    request = SwapRequest(token_in=WRAPPED_SOL, token_out=USDC, amount_in=10**9)
    path = []
    for _ in range(steps):
        await paper.advance(10)
        pools = [await paper.pool(venue, WRAPPED_SOL, USDC) for venue in VENUES]
        path.append(tuple(pool.quote(request).amount_out for pool in pools))
    return path


async def test_prices_move_and_the_better_venue_changes(tmp_path: Path, wallet: Keypair) -> None:
    async with serving(tmp_path, wallet, **MOVING) as paper:
        path = await _quotes(paper, 20)
    for prices in zip(*path, strict=True):
        assert len(set(prices)) > len(path) // 2  # a pool near its price is left alone
    best = Counter(max(VENUES, key=dict(zip(VENUES, quotes, strict=True)).__getitem__) for quotes in path)
    assert len(best) >= 2
    assert max(best.values()) <= 17
    assert all(140_000_000 < amount < 160_000_000 for quotes in path for amount in quotes)


async def test_pools_come_close_enough_for_a_split_and_no_way_round_pays(tmp_path: Path, wallet: Keypair) -> None:
    usdt = TOKENS_BY_SYMBOL["USDT"].mint
    async with serving(tmp_path, wallet, **MOVING) as paper:
        gaps, gains = [], []
        for quotes in await _quotes(paper, 40):
            best, second = sorted(quotes)[-1:-3:-1]
            gaps.append((best - second) * 10_000 / best)
            amount = 10**9
            for sold, bought in ((WRAPPED_SOL, usdt), (usdt, USDC), (USDC, WRAPPED_SOL)):
                pool = await paper.pool(RaydiumCpmmPool, sold, bought)
                amount = pool.quote(SwapRequest(token_in=sold, token_out=bought, amount_in=amount)).amount_out
            gains.append(amount - 10**9)
    assert sum(gap < 1 for gap in gaps) >= 3
    assert max(gains) < 0


async def test_the_market_follows_its_seed(tmp_path: Path, wallet: Keypair) -> None:
    paths = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        async with serving(tmp_path / name, wallet, seed=seed, **MOVING) as paper:
            paths.append(await _quotes(paper, 3))
    assert paths[0] == paths[1] != paths[2]


async def test_a_still_market_does_not_move(paper: PaperRpc) -> None:
    first, *others = await _quotes(paper, 3)
    assert others == [first, first]
