"""A new pool from the reserves it should hold: price, bins, and every account of the program it consists of."""

import struct
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.amounts import mul_div_floor
from order_engine.venues.meteora_dlmm.arrays import BIN, OWN_ARRAYS, Extension, array_index_of, bin_offset, empty_array
from order_engine.venues.meteora_dlmm.layout import ORACLE_DISCRIMINATOR, PairState, oracle_address, reserve_address
from order_engine.venues.meteora_dlmm.math import Q64, Q64_BITS, U128_MAX, price_of
from order_engine.venues.meteora_dlmm.refusals import MathOverflow

ORACLE_SAMPLES: Final = 100

_HIGHEST_ID: Final = (1 << 19) - 1
_ORACLE_HEAD: Final = struct.Struct("<8s 3Q")
_ORACLE_SAMPLE_SIZE: Final = 32
_WORD: Final = Q64 - 1
_SUPPLY_AT: Final = 32  # in a bin


@dataclass(frozen=True, slots=True, kw_only=True)
class BinContent:
    """What one bin holds. Limit orders sell X or Y, never both."""

    x: int = 0
    y: int = 0
    opened: int = 0
    processed: int = 0
    orders_sell_x: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshPool:
    """The accounts of a pool. `extension` is None where its own bitmap reaches."""

    state: PairState
    arrays: Mapping[int, bytes] = field(repr=False)
    extension: Extension | None


def bin_id_of(amount_x: int, amount_y: int, bin_step: int) -> int:
    """Return the highest bin whose price is at most amount_y / amount_x, both in base units."""
    ratio = mul_div_floor(amount_y, Q64, amount_x)
    ids = range(-_HIGHEST_ID, _HIGHEST_ID + 1)
    return ids[bisect_left(ids, 1, key=lambda bin_id: int(_is_above(bin_id, bin_step, ratio))) - 1]


def _is_above(bin_id: int, bin_step: int, ratio: int) -> bool:
    try:
        return price_of(bin_id, bin_step) > ratio
    except MathOverflow:
        return bin_id > 0


def spread(reserves: tuple[int, int], active_id: int, bins_per_side: int) -> dict[int, BinContent]:
    """Spread both reserves evenly: X over the active bin and those above, Y over the active bin and those below.

    The rest of the division stays in the active bin.
    """
    (each_x, more_x), (each_y, more_y) = (divmod(reserve, bins_per_side) for reserve in reserves)
    above = {active_id + step: BinContent(x=each_x) for step in range(1, bins_per_side)}
    below = {active_id - step: BinContent(y=each_y) for step in range(1, bins_per_side)}
    return {**above, **below, active_id: BinContent(x=each_x + more_x, y=each_y + more_y)}


def fresh_pool(
    address: Pubkey,
    *,
    mints: tuple[Pubkey, Pubkey],
    bins: Mapping[int, BinContent],
    active_id: int,
    bin_step: int,
    base_factor: int,
    variable_fee_control: int = 0,
    protocol_share: int = 500,
    token_flags: tuple[int, int] = (0, 0),
) -> FreshPool:
    """Return an open pool with these bins, and vaults and oracle at the addresses the program derives.

    The vaults must hold at least what the bins hold together; the pool itself is their authority.
    """
    flagged = {array_index_of(bin_id) for bin_id in bins}
    state = PairState(
        base_factor=base_factor,
        filter_period=30,
        decay_period=600,
        reduction_factor=5_000,
        variable_fee_control=variable_fee_control,
        max_volatility_accumulator=350_000,
        protocol_share=protocol_share,
        active_id=active_id,
        index_reference=active_id,
        bin_step=bin_step,
        bin_step_seed=bin_step,
        mint_x=mints[0],
        mint_y=mints[1],
        reserve_x=reserve_address(address, mints[0]),
        reserve_y=reserve_address(address, mints[1]),
        oracle=oracle_address(address),
        bitmap=sum(1 << (index + OWN_ARRAYS) for index in flagged if -OWN_ARRAYS <= index < OWN_ARRAYS),
        token_flags=token_flags,
    )
    arrays = {index: _array(address, index, bins, bin_step) for index in flagged}
    return FreshPool(state=state, arrays=arrays, extension=_extension(flagged))


def empty_oracle() -> bytes:
    """Return the data of a new oracle: room for samples, none taken."""
    head = _ORACLE_HEAD.pack(ORACLE_DISCRIMINATOR, 0, 0, ORACLE_SAMPLES)
    return head + bytes(ORACLE_SAMPLES * _ORACLE_SAMPLE_SIZE)


def _array(pair: Pubkey, index: int, bins: Mapping[int, BinContent], bin_step: int) -> bytes:
    data = bytearray(empty_array(pair, index))
    for bin_id, content in bins.items():
        if array_index_of(bin_id) == index:
            at, price = bin_offset(bin_id), price_of(bin_id, bin_step)
            words = (price & _WORD, price >> Q64_BITS)
            orders = (content.opened, 0, content.processed, 0, int(content.orders_sell_x))
            supply = content.x * price + (content.y << Q64_BITS)
            BIN.pack_into(data, at, content.x, content.y, *words, *orders)
            data[at + _SUPPLY_AT : at + _SUPPLY_AT + 16] = min(supply, U128_MAX).to_bytes(16, "little")
    return bytes(data)


def _extension(flagged: set[int]) -> Extension | None:
    positive = sum(1 << (index - OWN_ARRAYS) for index in flagged if index >= OWN_ARRAYS)
    negative = sum(1 << (-index - 1 - OWN_ARRAYS) for index in flagged if index < -OWN_ARRAYS)
    return Extension(positive, negative) if positive or negative else None
