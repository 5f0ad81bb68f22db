"""What a Raydium CLMM swap leaves behind: pool, tick arrays, bitmaps and price observations.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src, commit 03b44b7: instructions/swap.rs,
states/{pool,tick_array,oracle}.rs.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.papernet.programs import PANIC, RuntimeProgramError
from order_engine.papernet.programs.raydium_clmm_accounts import Ahead, Loaded, LoadedArray, check_observation_size
from order_engine.papernet.programs.raydium_clmm_rewards import Reward, decode_rewards, encode_rewards, updated
from order_engine.venues.raydium_clmm import layout
from order_engine.venues.raydium_clmm.refusals import MathOverflow
from order_engine.venues.raydium_clmm.tick_arrays import (
    TICK_SIZE,
    TICKS_OFFSET,
    TICKS_PER_ARRAY,
    array_number,
    bit_position,
    flipped,
)
from order_engine.venues.raydium_clmm.ticks import U128_MAX
from order_engine.venues.raydium_clmm.walk import Arrival, Walk

_COUNT, _ARRAY_EPOCH = TICKS_OFFSET + TICKS_PER_ARRAY * TICK_SIZE, 10_125
_OUTSIDE, _ORDERS = 36, 116  # in a tick
_OUTSIDE_FIELDS: Final = struct.Struct("<16s16s16s16s16s")  # fees of tokens 0 and 1, three rewards
_ORDER_FIELDS: Final = struct.Struct("<QQQ16s")
_EXTENSION_ROWS, _ROW_SIZE = 40, 64

_OBSERVATIONS: Final = 100
_INTERVAL_SECONDS: Final = 15
_INITIALIZED, _INDEX, _FIRST_OBSERVATION = 8, 17, 51
_OBSERVATION: Final = struct.Struct("<Iq")  # u32 time, cumulative tick
_OBSERVATION_SIZE: Final = 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    unix_timestamp: int
    epoch: int


def accounts_after(
    pool: Pubkey, loaded: Loaded, ahead: Ahead, walk: Walk, moment: Moment
) -> Iterator[tuple[Pubkey, bytes]]:
    """Yield the new data of every account that the swap changes, the observations aside.

    Raises:
        MathOverflow: a fee counter exceeds u64.
    """
    rewards = [
        updated(one, loaded.pool.liquidity, moment.unix_timestamp) for one in decode_rewards(loaded.pool.rewards)
    ]
    emptied: list[int] = []
    for one in ahead.arrays:
        arrivals = [arrival for arrival in walk.arrivals or () if _is_in(arrival, one, loaded.pool.tick_spacing)]
        if arrivals:
            changed = _array_after(one, arrivals, _growths(loaded, walk), rewards, loaded.pool.tick_spacing, moment)
            if one.data[_COUNT] and not changed[_COUNT]:
                emptied.append(array_number(one.array.start, loaded.pool.tick_spacing))
            yield one.address, changed
    bitmap, extension = _without(loaded.pool.bitmap, ahead.extension, emptied)
    if extension is not None and extension != ahead.extension:
        yield extension
    yield pool, _pool_after(loaded, walk, encode_rewards(rewards), bitmap, moment)


def observed(data: bytes, unix_timestamp: int, tick: int) -> bytes:
    """Return the observations after a swap that left `tick`. A young one is not followed by the next.

    Raises:
        RuntimeProgramError: the program panics, as the account is cut off or its latest observation beyond the last.
    """
    check_observation_size(data)
    changed = bytearray(data)
    (index,) = struct.unpack_from("<H", data, _INDEX)
    if index >= _OBSERVATIONS:
        raise RuntimeProgramError(PANIC, f"observation {index} of {_OBSERVATIONS}")
    now = unix_timestamp % 2**32
    if not data[_INITIALIZED]:
        changed[_INITIALIZED] = 1
        _OBSERVATION.pack_into(changed, _FIRST_OBSERVATION + index * _OBSERVATION_SIZE, now, 0)
        return bytes(changed)
    at, cumulative = _OBSERVATION.unpack_from(data, _FIRST_OBSERVATION + index * _OBSERVATION_SIZE)
    elapsed = max(0, now - at)
    if elapsed < _INTERVAL_SECONDS:
        return data
    index = (index + 1) % _OBSERVATIONS
    cumulative = (cumulative + tick * elapsed + 2**63) % 2**64 - 2**63
    _OBSERVATION.pack_into(changed, _FIRST_OBSERVATION + index * _OBSERVATION_SIZE, now, cumulative)
    struct.pack_into("<H", changed, _INDEX, index)
    return bytes(changed)


def _fee_side(loaded: Loaded, walk: Walk) -> int:
    return loaded.side_in if walk.terms.way.fee_on_input else 1 - loaded.side_in


def _growths(loaded: Loaded, walk: Walk) -> Mapping[int, int]:
    """Return the fee growth of the token that pays no fees in this swap, by its side."""
    other = 1 - _fee_side(loaded, walk)
    return {other: loaded.pool.fee_growth_x64[other]}


def _is_in(arrival: Arrival, one: LoadedArray, tick_spacing: int) -> bool:
    return 0 <= arrival.tick.tick_index - one.array.start < TICKS_PER_ARRAY * tick_spacing


def _array_after(
    one: LoadedArray,
    arrivals: Sequence[Arrival],
    still: Mapping[int, int],
    rewards: Sequence[Reward],
    tick_spacing: int,
    moment: Moment,
) -> bytes:
    changed = bytearray(one.data)
    for arrival in arrivals:
        tick = arrival.tick
        at = TICKS_OFFSET + (tick.tick_index - one.array.start) // tick_spacing * TICK_SIZE
        ratio = tick.unfilled_ratio_x64.to_bytes(16, "little")
        orders = (tick.order_phase, tick.orders_amount, tick.part_filled_amount, ratio)
        _ORDER_FIELDS.pack_into(changed, at + _ORDERS, *orders)
        if arrival.crossed_at_growth is not None:
            growths = [still.get(side, arrival.crossed_at_growth) for side in (0, 1)]
            _cross(changed, at + _OUTSIDE, growths, rewards)
        if not tick.resting and not tick.liquidity_gross:
            changed[_COUNT] -= 1
    struct.pack_into("<Q", changed, _ARRAY_EPOCH, moment.epoch)
    return bytes(changed)


def _cross(changed: bytearray, at: int, fee_growths: Sequence[int], rewards: Sequence[Reward]) -> None:
    """Turn what grew below the tick into what grew above it."""
    outside = [int.from_bytes(value, "little") for value in _OUTSIDE_FIELDS.unpack_from(changed, at)]
    grown: list[int | None] = [*fee_growths, *(one.growth_x64 if one.is_initialized else None for one in rewards)]
    crossed = (old if total is None else (total - old) & U128_MAX for total, old in zip(grown, outside, strict=True))
    _OUTSIDE_FIELDS.pack_into(changed, at, *(value.to_bytes(16, "little") for value in crossed))


def _without(
    bitmap: bytes, extension: tuple[Pubkey, bytes] | None, emptied: Sequence[int]
) -> tuple[bytes, tuple[Pubkey, bytes] | None]:
    """Take arrays that hold no initialized tick any more out of the bitmaps."""
    for number in emptied:
        row, bit = bit_position(number)
        if row is None:
            bitmap = flipped(bitmap, 0, bit)
        elif extension is not None:
            extension = extension[0], flipped(extension[1], _EXTENSION_ROWS + row * _ROW_SIZE, bit)
    return bitmap, extension


def _pool_after(loaded: Loaded, walk: Walk, rewards: bytes, bitmap: bytes, moment: Moment) -> bytes:
    pool, side = loaded.pool, _fee_side(loaded, walk)
    dynamic_fee = walk.terms.dynamic_fee
    after = replace(
        pool,
        liquidity=walk.liquidity,
        sqrt_price_x64=walk.price,
        tick_current=walk.tick,
        fee_growth_x64=_with(pool.fee_growth_x64, side, walk.fee_growth if walk.lp_fee else pool.fee_growth_x64[side]),
        protocol_fees=_raised(pool.protocol_fees, side, walk.protocol_fee),
        fund_fees=_raised(pool.fund_fees, side, walk.fund_fee),
        rewards=rewards,
        bitmap=bitmap,
        recent_epoch=moment.epoch,
        dynamic_fee=replace(dynamic_fee, accumulator=walk.accumulator) if dynamic_fee else None,
    )
    return layout.patch_pool(loaded.pool_data, after)


def _raised(counters: tuple[int, int], side: int, fee: int) -> tuple[int, int]:
    if counters[side] + fee > U64_MAX:
        raise MathOverflow("a fee counter exceeds u64")
    return _with(counters, side, counters[side] + fee)


def _with(pair: tuple[int, int], side: int, value: int) -> tuple[int, int]:
    return (value, pair[1]) if side == 0 else (pair[0], value)
