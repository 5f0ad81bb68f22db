"""A new pool from the reserves it should hold: price, positions, and every account of the program it consists of."""

import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isqrt
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.amounts import mul_div_floor
from order_engine.venues.raydium_clmm import layout
from order_engine.venues.raydium_clmm.tick_arrays import (
    BITMAP_EXTENSION_DISCRIMINATOR,
    BITMAP_EXTENSION_SIZE,
    TICK_ARRAY_DISCRIMINATOR,
    TICK_ARRAY_SIZE,
    TICK_SIZE,
    TICKS_OFFSET,
    TICKS_PER_ARRAY,
    array_number,
    bit_position,
    flipped,
)
from order_engine.venues.raydium_clmm.ticks import MAX_TICK, MIN_TICK, Q64, sqrt_price_at_tick, tick_at_sqrt_price

OBSERVATION_DISCRIMINATOR: Final = bytes.fromhex("7aaec5358109a584")
OBSERVATION_SIZE: Final = 4_483

_Q128: Final = 2**128
_ARRAY_HEAD: Final = struct.Struct("<8s32si")
_COUNT_AT: Final = TICKS_OFFSET + TICKS_PER_ARRAY * TICK_SIZE
_OBSERVED_POOL_AT: Final = 19
_EXTENSION_POOL_AT, _EXTENSION_ROWS_AT, _ROW_SIZE = 8, 40, 64


@dataclass(frozen=True, slots=True)
class Position:
    """Liquidity between two ticks, the upper one excluded."""

    lower: int
    upper: int
    liquidity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshPool:
    """The accounts of a pool. `arrays` go by their first tick; `extension` is None where the pool's bitmap reaches."""

    state: layout.PoolState
    arrays: Mapping[int, bytes] = field(repr=False)
    extension: bytes | None = field(repr=False)


def sqrt_price_of(amount_0: int, amount_1: int) -> int:
    """Return the Q64 square root of amount_1 / amount_0, both in base units. Rounds down."""
    return isqrt(mul_div_floor(amount_1, _Q128, amount_0))


def around(
    reserves: tuple[int, int], sqrt_price_x64: int, tick_spacing: int, widths: Sequence[int]
) -> tuple[Position, ...]:
    """Return one position for each width, in ticks to either side of the price; they share the reserves evenly.

    Together they need at most the reserves.
    """
    centre = tick_at_sqrt_price(sqrt_price_x64)
    share_0, share_1 = (reserve // len(widths) for reserve in reserves)
    positions = []
    for width in widths:
        lower = max(MIN_TICK, centre - width) // tick_spacing * tick_spacing
        upper = -(-min(MAX_TICK, centre + width) // tick_spacing) * tick_spacing
        below, above = sqrt_price_at_tick(lower), sqrt_price_at_tick(upper)
        by_0 = mul_div_floor(share_0, sqrt_price_x64 * above, (above - sqrt_price_x64) * Q64)
        by_1 = mul_div_floor(share_1, Q64, sqrt_price_x64 - below)
        positions.append(Position(lower, upper, min(by_0, by_1)))
    return tuple(positions)


def fresh_pool(
    config: layout.AmmConfig,
    *,
    mints: tuple[Pubkey, Pubkey],
    decimals: tuple[int, int],
    sqrt_price_x64: int,
    positions: Iterable[Position],
) -> FreshPool:
    """Return an open pool with these positions, at the address that the program derives from config and mints.

    The vaults must hold what the positions need at the price; the pool itself is their authority.
    """
    config_address = layout.config_address(config.index)
    address, tick = layout.pool_address(config_address, *mints), tick_at_sqrt_price(sqrt_price_x64)
    net: Counter[int] = Counter()
    gross: Counter[int] = Counter()
    liquidity = 0
    for one in positions:
        net.update({one.lower: one.liquidity})
        net.subtract({one.upper: one.liquidity})
        gross.update({one.lower: one.liquidity, one.upper: one.liquidity})
        liquidity += one.liquidity if one.lower <= tick < one.upper else 0
    numbers = {array_number(index, config.tick_spacing) for index in gross}
    bitmap, extension = _bitmaps(address, numbers)
    state = layout.PoolState(
        config=config_address,
        owner=config.owner,
        mints=mints,
        vaults=(layout.vault_address(address, mints[0]), layout.vault_address(address, mints[1])),
        observation=layout.observation_address(address),
        decimals=decimals,
        tick_spacing=config.tick_spacing,
        liquidity=liquidity,
        sqrt_price_x64=sqrt_price_x64,
        tick_current=tick,
        bitmap=bitmap,
    )
    starts = (number * TICKS_PER_ARRAY * config.tick_spacing for number in numbers)
    arrays = {start: _array(address, start, config.tick_spacing, net, gross) for start in starts}
    return FreshPool(state=state, arrays=arrays, extension=extension)


def empty_observation(pool: Pubkey) -> bytes:
    """Return the data of new price observations: none made."""
    head = OBSERVATION_DISCRIMINATOR.ljust(_OBSERVED_POOL_AT, b"\0") + bytes(pool)
    return head.ljust(OBSERVATION_SIZE, b"\0")


def _array(pool: Pubkey, start: int, tick_spacing: int, net: Mapping[int, int], gross: Mapping[int, int]) -> bytes:
    data = bytearray(TICK_ARRAY_SIZE)
    _ARRAY_HEAD.pack_into(data, 0, TICK_ARRAY_DISCRIMINATOR, bytes(pool), start)
    for tick in gross:
        place, rest = divmod(tick - start, tick_spacing)
        if 0 <= place < TICKS_PER_ARRAY and rest == 0:
            at = TICKS_OFFSET + place * TICK_SIZE
            data[at : at + 4] = tick.to_bytes(4, "little", signed=True)
            data[at + 4 : at + 20] = net[tick].to_bytes(16, "little", signed=True)
            data[at + 20 : at + 36] = gross[tick].to_bytes(16, "little")
            data[_COUNT_AT] += 1
    return bytes(data)


def _bitmaps(pool: Pubkey, numbers: Iterable[int]) -> tuple[bytes, bytes | None]:
    """Return the pool's own bitmap, and the extension's data if an array needs it."""
    own, extension = bytes(layout.BITMAP_SIZE), None
    for number in numbers:
        row, bit = bit_position(number)
        if row is None:
            own = flipped(own, 0, bit)
        else:
            extension = flipped(extension or _empty_extension(pool), _EXTENSION_ROWS_AT + row * _ROW_SIZE, bit)
    return own, extension


def _empty_extension(pool: Pubkey) -> bytes:
    head = BITMAP_EXTENSION_DISCRIMINATOR.ljust(_EXTENSION_POOL_AT, b"\0") + bytes(pool)
    return head.ljust(BITMAP_EXTENSION_SIZE, b"\0")
