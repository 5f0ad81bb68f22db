"""Tick arrays, the bitmaps that say which of them are initialized, and the ticks a swap meets.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src, commit 03b44b7: states/tick_array.rs,
states/tickarray_bitmap_extension.rs, libraries/tick_array_bit_map.rs, states/pool.rs.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.venues.raydium_clmm.layout import PoolState, check_account
from order_engine.venues.raydium_clmm.refusals import (
    BitmapExtensionMissing,
    LiquidityInsufficient,
    NoLiquidityThatWay,
    ProgramRefusal,
    TickArrayEmpty,
)

TICKS_PER_ARRAY: Final = 60
TICK_SIZE: Final = 168
TICK_ARRAY_SIZE, BITMAP_EXTENSION_SIZE = 10_240, 1_832
TICK_ARRAY_DISCRIMINATOR: Final = bytes.fromhex("c09b55cd31f9812a")
BITMAP_EXTENSION_DISCRIMINATOR: Final = bytes.fromhex("3c9624db61808b99")
NEEDS_NO_EXTENSION: Final = 15  # from this tick spacing on the pool's own bitmap reaches every tick

TICKS_OFFSET: Final = 44  # 0 discriminator, 8 pool, 40 start tick
_START: Final = struct.Struct("<8s32si")
# 0 tick; 4 net, 20 gross liquidity; 36 fee growth and 68 reward growth outside; 116 order phase, 124 orders,
# 132 partly filled orders, 140 ratio unfilled; 156 unused
_TICK: Final = struct.Struct("<iQqQQ80xQQQQQ12x")
_ROWS, _ROW_SIZE, _POSITIVE = 14, 64, 40
_ROW_BITS: Final = 8 * _ROW_SIZE
_LOWEST: Final = -(_ROWS + 1) * _ROW_BITS  # the array number of bit 0, all three bitmaps in one
_POOL_ARRAYS: Final = range(-_ROW_BITS, _ROW_BITS)  # the arrays in the pool's own bitmap


class Tick(NamedTuple):
    """An initialized tick. `unfilled_ratio_x64` is of the orders partly filled (Q64)."""

    tick_index: int
    liquidity_net: int
    liquidity_gross: int
    order_phase: int = 0
    orders_amount: int = 0
    part_filled_amount: int = 0
    unfilled_ratio_x64: int = 0

    @property
    def resting(self) -> int:
        """Return what its limit orders still sell."""
        return self.orders_amount + self.part_filled_amount


@dataclass(frozen=True, slots=True, kw_only=True)
class TickArray:
    pool: Pubkey
    start: int
    ticks: tuple[Tick, ...]  # the initialized ones, upwards


@dataclass(frozen=True, slots=True)
class ArrayBitmap:
    """Which tick arrays of a pool are initialized. An array's number is its first tick over the ticks it spans."""

    bits: int  # bit 0 is the lowest array an extension can hold
    reaches_every_array: bool  # false where an extension is needed and absent

    def has(self, number: int) -> bool:
        return bool(self.bits >> (number - _LOWEST) & 1)

    def next_array(self, number: int, *, upwards: bool) -> int | None:
        """Return the nearest initialized array beyond this one, None where there is none.

        Raises:
            BitmapExtensionMissing: only the extension knows.
        """
        at = number - _LOWEST
        if upwards:
            above = self.bits >> (at + 1)
            found = at + (above & -above).bit_length() if above else None
        else:
            below = self.bits & ((1 << max(0, at)) - 1)
            found = below.bit_length() - 1 if below else None
        if found is not None:
            return found + _LOWEST
        if not self.reaches_every_array:
            raise BitmapExtensionMissing("the pool's tick arrays go on in its bitmap extension")
        return None


@dataclass(frozen=True, slots=True)
class TickPath:
    """The initialized ticks ahead of a swap, nearest first, and why there are no more."""

    ticks: Sequence[Tick]
    end: ProgramRefusal
    arrays: Sequence[int]  # the first ticks of the arrays they are in

    def tick(self, position: int) -> Tick:
        """Return a tick by its place in the path.

        Raises:
            ProgramRefusal: the path ends before it.
        """
        if position < len(self.ticks):
            return self.ticks[position]
        raise self.end.with_traceback(None)


def decode_tick_array(address: Pubkey, account: Account, tick_spacing: int) -> TickArray:
    """Read a tick array.

    Raises:
        PoolUnreadable: it is not one, or holds ticks of elsewhere or beyond u64.
    """
    check_account(address, account, TICK_ARRAY_DISCRIMINATOR, TICK_ARRAY_SIZE)
    _, pool, start = _START.unpack_from(account.data)
    body = memoryview(account.data)[TICKS_OFFSET : TICKS_OFFSET + TICKS_PER_ARRAY * TICK_SIZE]
    ticks = tuple(
        Tick(index, net_high << 64 | net, gross_high << 64 | gross, phase, orders, part, ratio_high << 64 | ratio)
        for index, net, net_high, gross, gross_high, phase, orders, part, ratio, ratio_high in _TICK.iter_unpack(body)
        if gross or gross_high or orders or part
    )
    span = TICKS_PER_ARRAY * tick_spacing
    if any(not 0 <= tick.tick_index - start < span or tick.resting > U64_MAX for tick in ticks):
        raise PoolUnreadable(f"tick array {address} from {start} on holds ticks it cannot")
    return TickArray(pool=Pubkey(pool), start=start, ticks=ticks)


def decode_bitmap(state: PoolState, extension: bytes | None) -> ArrayBitmap:
    """Join the pool's own bitmap and the extension's data: one bit for each array, upwards."""
    if extension is None or state.tick_spacing >= NEEDS_NO_EXTENSION:
        bits = int.from_bytes(state.bitmap, "little") << (_POOL_ARRAYS.start - _LOWEST)
        return ArrayBitmap(bits, state.tick_spacing >= NEEDS_NO_EXTENSION)
    rows = [extension[at : at + _ROW_SIZE] for at in range(_POSITIVE, BITMAP_EXTENSION_SIZE, _ROW_SIZE)]
    joined = b"".join((*reversed(rows[_ROWS:]), state.bitmap, *rows[:_ROWS]))
    return ArrayBitmap(int.from_bytes(joined, "little"), True)


def check_extension(address: Pubkey, account: Account, pool: Pubkey) -> bytes:
    """Return the data of a bitmap extension.

    Raises:
        PoolUnreadable: it is not one of this pool.
    """
    check_account(address, account, BITMAP_EXTENSION_DISCRIMINATOR, BITMAP_EXTENSION_SIZE)
    if account.data[8:_POSITIVE] != bytes(pool):
        raise PoolUnreadable(f"bitmap extension {address} is of another pool than {pool}")
    return account.data


def bit_position(number: int) -> tuple[int | None, int]:
    """Return where the bit of an array is: its row in the extension, None for the pool's bitmap, and its place.

    Rows count as they lie in the account: those of positive arrays, then those of negative ones.
    """
    if number in _POOL_ARRAYS:
        return None, number - _POOL_ARRAYS.start
    row = number // _ROW_BITS
    return (row - 1 if number > 0 else _ROWS - 2 - row), number % _ROW_BITS


def flipped(data: bytes, offset: int, bit: int) -> bytes:
    """Return `data` with one bit turned, counted from a byte on."""
    changed = bytearray(data)
    changed[offset + bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def array_number(tick: int, tick_spacing: int) -> int:
    """Return the number of the array that holds a tick. Rounds down."""
    return tick // (TICKS_PER_ARRAY * tick_spacing)


def arrays_ahead(bitmap: ArrayBitmap, tick: int, tick_spacing: int, *, upwards: bool) -> Iterator[int]:
    """Yield the first tick of every initialized array that a swap from `tick` meets, nearest first.

    Raises:
        NoLiquidityThatWay: there is none at all.
        BitmapExtensionMissing: only the extension knows.
    """
    number: int | None = array_number(tick, tick_spacing)
    if number not in _POOL_ARRAYS and not bitmap.reaches_every_array:
        raise BitmapExtensionMissing("the pool's tick lies beyond its own bitmap")
    if number is not None and not bitmap.has(number):
        number = bitmap.next_array(number, upwards=upwards)
        if number is None:
            raise NoLiquidityThatWay("no tick array is initialized in this direction")
    while number is not None:
        yield number * TICKS_PER_ARRAY * tick_spacing
        number = bitmap.next_array(number, upwards=upwards)


def nearest_arrays(bitmap: ArrayBitmap, state: PoolState, each_way: int) -> list[int]:
    """Return the first ticks of the initialized arrays that a swap in either direction meets first, as far as known."""
    found: set[int] = set()
    for upwards in (False, True):
        ahead = arrays_ahead(bitmap, state.tick_current, state.tick_spacing, upwards=upwards)
        with suppress(ProgramRefusal):
            found.update(start for start, _ in zip(ahead, range(each_way), strict=False))
    return sorted(found)


def ticks_ahead(bitmap: ArrayBitmap, state: PoolState, take: Callable[[int], TickArray], *, upwards: bool) -> TickPath:
    """Return the initialized ticks that a swap meets, nearest first, as far as there are arrays.

    `take` gets an array by its first tick, and raises ProgramRefusal where it cannot.
    """
    ticks: list[Tick] = []
    arrays: list[int] = []
    end: ProgramRefusal = LiquidityInsufficient("the pool's liquidity ends before the amount does")
    current = array_number(state.tick_current, state.tick_spacing) * TICKS_PER_ARRAY * state.tick_spacing
    try:
        for start in arrays_ahead(bitmap, state.tick_current, state.tick_spacing, upwards=upwards):
            found = _in_direction(take(start), state.tick_current, upwards=upwards)
            if not found and start != current:
                raise TickArrayEmpty(f"tick array {start} is empty")
            arrays.append(start)
            ticks += found
    except ProgramRefusal as refusal:
        end = refusal
    return TickPath(ticks, end, arrays)


def _in_direction(array: TickArray, tick: int, *, upwards: bool) -> list[Tick]:
    if upwards:
        return [one for one in array.ticks if one.tick_index > tick]
    return [one for one in reversed(array.ticks) if one.tick_index <= tick]
