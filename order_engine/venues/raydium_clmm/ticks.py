"""Ticks and square-root prices (Q64): 1.0001 to the power of half the tick, to the bit as the program computes it.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src/libraries/tick_math.rs, commit 03b44b7.
"""

from functools import lru_cache
from math import log
from typing import Final

from order_engine.venues.raydium_clmm.refusals import PriceOutOfRange, TickOutOfRange

MIN_TICK: Final = -443_636
MAX_TICK: Final = 443_636
MIN_SQRT_PRICE_X64: Final = 4_295_048_016
MAX_SQRT_PRICE_X64: Final = 79_226_673_521_066_979_257_578_248_091  # no pool ever reaches it
Q64: Final = 2**64
U128_MAX: Final = 2**128 - 1

# 2^64 / 1.0001^(2^(i - 1)), as the program rounds them
_FACTORS: Final = (
    0xFFFCB933BD6FB800,
    0xFFF97272373D4000,
    0xFFF2E50F5F657000,
    0xFFE5CACA7E10F000,
    0xFFCB9843D60F7000,
    0xFF973B41FA98E800,
    0xFF2EA16466C9B000,
    0xFE5DEE046A9A3800,
    0xFCBE86C7900BB000,
    0xF987A7253AC65800,
    0xF3392B0822BB6000,
    0xE7159475A2CAF000,
    0xD097F3BDFD2F2000,
    0xA9F746462D9F8000,
    0x70D869A156F31C00,
    0x31BE135F97ED3200,
    0x09AA508B5B85A500,
    0x005D6AF8DEDC582C,
    0x00002216E584F5FA,
)
_LOG_OF_A_TICK: Final = log(1.0001) / 2
_LOG_OF_ONE: Final = log(Q64)


@lru_cache(maxsize=2**16)
def sqrt_price_at_tick(tick: int) -> int:
    """Return the Q64 square root of the price at a tick.

    Raises:
        TickOutOfRange: the program knows no price there.
    """
    if not MIN_TICK <= tick <= MAX_TICK:
        raise TickOutOfRange(f"tick {tick} is out of range")
    ratio, rest = Q64, abs(tick)
    for factor in _FACTORS:
        if rest & 1:
            ratio = ratio * factor >> 64
        rest >>= 1
    return U128_MAX // ratio if tick > 0 else ratio


def tick_at_sqrt_price(sqrt_price_x64: int) -> int:
    """Return the greatest tick whose price is not above this one.

    Raises:
        PriceOutOfRange: no tick's price is.
    """
    if not MIN_SQRT_PRICE_X64 <= sqrt_price_x64 < MAX_SQRT_PRICE_X64:
        raise PriceOutOfRange(f"square-root price {sqrt_price_x64} is out of range")
    # A logarithm only says where to look; the integers decide.
    guess = int((log(sqrt_price_x64) - _LOG_OF_ONE) / _LOG_OF_A_TICK)
    tick = max(MIN_TICK, min(MAX_TICK - 1, guess))
    while sqrt_price_at_tick(tick) > sqrt_price_x64:
        tick -= 1
    while sqrt_price_at_tick(tick + 1) <= sqrt_price_x64:
        tick += 1
    return tick
