"""A venue's maths alone, where its SDK offers the same: amounts and every share of the fee, but no whole quote."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from order_engine.domain.pool import SwapRequest
from order_engine.venues.meteora_damm_v2.pool import MeteoraDammV2Pool
from order_engine.venues.meteora_damm_v2.swap import Market, SwapTerms
from order_engine.venues.raydium_cpmm.math import market, swap_exact_in
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool

# Takes the pool and what is swapped; gives a call that returns the amount out.
Prepare = Callable[[object, SwapRequest], Callable[[], int]]


def _cpmm(pool: object, swap: SwapRequest) -> Callable[[], int]:
    """Beside CurveCalculator.swapBaseInput."""
    if not isinstance(pool, RaydiumCpmmPool):
        raise TypeError(f"not a CPMM pool: {pool}")
    side_in = pool.mints.index(swap.token_in)
    terms = market(pool.state, pool.config, pool.vault_amounts, pool.transfer_fees, side_in)

    def amounts() -> int:
        swapped = swap_exact_in(terms, swap.amount_in)
        _ = swapped.protocol_fee, swapped.fund_fee
        return swapped.amount_out

    return amounts


def _damm_v2(pool: object, swap: SwapRequest) -> Callable[[], int]:
    """Beside getSwapResultFromExactInput."""
    if not isinstance(pool, MeteoraDammV2Pool):
        raise TypeError(f"not a DAMM v2 pool: {pool}")
    a_to_b = swap.token_in == pool.mints[0]
    way = Market(pool.state, SwapTerms(a_to_b=a_to_b, time=pool.time))

    def amounts() -> int:
        exchange = way.from_input(swap.amount_in)
        way.split(exchange.fee)
        return exchange.amount_out

    return amounts


AMOUNTS: Final[Mapping[str, Prepare]] = MappingProxyType({"raydium_cpmm": _cpmm, "meteora_damm_v2": _damm_v2})
