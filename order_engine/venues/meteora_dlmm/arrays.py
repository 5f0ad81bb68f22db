"""Bin arrays, and the bitmaps that say which of them hold anything."""

import struct
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.venues.meteora_dlmm.layout import check_kind

ARRAY_DISCRIMINATOR: Final = bytes.fromhex("5c8e5cdc059446b5")
EXTENSION_DISCRIMINATOR: Final = bytes.fromhex("506f7c7137ed1205")
ARRAY_SIZE, EXTENSION_SIZE = 10136, 1576
BINS_PER_ARRAY: Final = 70
OWN_ARRAYS: Final = 512  # the pool's own bitmap covers as many on either side of bin 0

_ARRAY_HEAD: Final = struct.Struct("<8s q B 7x 32s")  # 0 discriminator, 8 index, 16 version, 24 pair; 56 bins
# 0 x, 8 y, 16 price (low word, high word), 32 supply and what providers earned, 112 open order,
# 120 total processing, 128 processed remaining, 136 age, 140 ask side
BIN: Final = struct.Struct("<2Q 2Q 80x 3Q I B 3x")
OPEN_ORDER_AT, PROCESSED_REMAINING_AT = 112, 128  # in a bin
_EXTENSION_PAIR: Final = slice(8, 40)
_POSITIVE_BITS: Final = slice(40, 808)
_NEGATIVE_BITS: Final = slice(808, 1576)


@dataclass(frozen=True, slots=True)
class BinArray:
    """70 bins, each read when a swap comes to it."""

    index: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Extension:
    """The flags of the arrays beyond the pool's own bitmap. Bit 0 is array 512, and array -513."""

    positive: int
    negative: int


NO_EXTENSION: Final = Extension(0, 0)


@dataclass(frozen=True, slots=True)
class Bitmap:
    """Which arrays hold anything: `own` is the pool's, bit 0 for array -512."""

    own: int
    extension: Extension

    def at_or_above(self, index: int) -> int | None:
        """Return the nearest flagged array that is not below `index`."""
        if index < -OWN_ARRAYS:
            near = self.extension.negative & ((1 << (-index - OWN_ARRAYS)) - 1)
            if near:
                return -near.bit_length() - OWN_ARRAYS
            index = -OWN_ARRAYS
        if index < OWN_ARRAYS:
            if rest := self.own >> (index + OWN_ARRAYS):
                return index + _lowest_bit(rest)
            index = OWN_ARRAYS
        if rest := self.extension.positive >> (index - OWN_ARRAYS):
            return index + _lowest_bit(rest)
        return None

    def at_or_below(self, index: int) -> int | None:
        """Return the nearest flagged array that is not above `index`."""
        if index >= OWN_ARRAYS:
            near = self.extension.positive & ((1 << (index - OWN_ARRAYS + 1)) - 1)
            if near:
                return near.bit_length() - 1 + OWN_ARRAYS
            index = OWN_ARRAYS - 1
        if index >= -OWN_ARRAYS:
            near = self.own & ((1 << (index + OWN_ARRAYS + 1)) - 1)
            if near:
                return near.bit_length() - 1 - OWN_ARRAYS
            index = -OWN_ARRAYS - 1
        if rest := self.extension.negative >> (-index - 1 - OWN_ARRAYS):
            return index - _lowest_bit(rest)
        return None

    def next(self, index: int, *, down: bool) -> int | None:
        """Return `index` if it is flagged, else the nearest flagged array in walking direction."""
        return self.at_or_below(index) if down else self.at_or_above(index)

    def walk(self, index: int, count: int, *, down: bool) -> list[int]:
        """Return the first `count` flagged arrays in walking direction, `index` included if it is flagged."""
        found: list[int] = []
        flagged = self.next(index, down=down)
        while flagged is not None and len(found) < count:
            found.append(flagged)
            flagged = self.next(flagged - 1 if down else flagged + 1, down=down)
        return found


def _lowest_bit(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def array_index_of(bin_id: int) -> int:
    return bin_id // BINS_PER_ARRAY


def bin_offset(bin_id: int) -> int:
    """Return where the bin lies in the data of its array."""
    return _ARRAY_HEAD.size + BIN.size * (bin_id % BINS_PER_ARRAY)


def decode_array(address: Pubkey, account: Account, pair: Pubkey) -> BinArray:
    """Read the head of a bin array.

    Raises:
        PoolUnreadable: it is not a bin array of this pool.
    """
    check_kind(address, account, ARRAY_DISCRIMINATOR, ARRAY_SIZE)
    _, index, _, owner = _ARRAY_HEAD.unpack_from(account.data)
    if owner != bytes(pair):
        raise PoolUnreadable(f"bin array {address} is not of pool {pair}")
    return BinArray(index, account.data)


def empty_array(pair: Pubkey, index: int) -> bytes:
    """Return the data of a new bin array without any liquidity."""
    return _ARRAY_HEAD.pack(ARRAY_DISCRIMINATOR, index, 2, bytes(pair)).ljust(ARRAY_SIZE, b"\0")


def decode_extension(address: Pubkey, account: Account, pair: Pubkey) -> Extension:
    """Read a bitmap extension.

    Raises:
        PoolUnreadable: it is not the extension of this pool.
    """
    check_kind(address, account, EXTENSION_DISCRIMINATOR, EXTENSION_SIZE)
    if account.data[_EXTENSION_PAIR] != bytes(pair):
        raise PoolUnreadable(f"bitmap extension {address} is not of pool {pair}")
    positive, negative = account.data[_POSITIVE_BITS], account.data[_NEGATIVE_BITS]
    return Extension(int.from_bytes(positive, "little"), int.from_bytes(negative, "little"))


def encode_extension(pair: Pubkey, extension: Extension) -> bytes:
    flags = (bits.to_bytes(768, "little") for bits in (extension.positive, extension.negative))
    return b"".join((EXTENSION_DISCRIMINATOR, bytes(pair), *flags))
