"""Swaps in the form in which they were recorded, where the engine sends a shorter one or does not send them."""

from types import MappingProxyType
from typing import Final

from solders.instruction import Instruction

from order_engine.domain.pool import Pool, Trader
from order_engine.papernet.vector_file import Vector
from order_engine.venues.meteora_damm_v2 import instructions as meteora_damm_v2
from order_engine.venues.meteora_damm_v2.pool import MeteoraDammV2Pool
from order_engine.venues.meteora_damm_v2.swap import SwapMode
from order_engine.venues.raydium_amm_v4.instructions import (
    ACCOUNTS_V2,
    ACCOUNTS_WITH_TARGET_ORDERS,
    ACCOUNTS_WITHOUT_TARGET_ORDERS,
    SWAP_BASE_IN,
    SWAP_BASE_IN_V2,
    SWAP_BASE_OUT,
    SWAP_BASE_OUT_V2,
    OrderBook,
    swap,
    swap_v2,
    swap_with_order_book,
)
from order_engine.venues.raydium_amm_v4.pool import RaydiumAmmV4Pool

_TARGET_ORDERS_AT, _BIDS_AT, _TRADER_AT = 4, -9, -3

_DAMM_MODES: Final = MappingProxyType(
    {"exact_in": SwapMode.EXACT_IN, "partial_fill": SwapMode.PARTIAL_FILL, "exact_out": SwapMode.EXACT_OUT}
)


def meteora_damm_v2_form(pool: Pool, vector: Vector, trader: Trader) -> Instruction:
    """Return the swap, also one that may be filled in part."""
    if not isinstance(pool, MeteoraDammV2Pool):
        raise TypeError(f"{pool} is of another venue")
    return meteora_damm_v2.swap2(
        pool.address,
        pool.state,
        pool.token_programs,
        trader,
        mode=_DAMM_MODES[vector.kind],
        amount=vector.amount,
        threshold=vector.threshold,
    )


def raydium_amm_v4_form(pool: Pool, vector: Vector, trader: Trader) -> Instruction:
    """Return the swap with as many accounts as the record has.

    Only the six accounts that nothing but the market account names are taken from the record.
    """
    if not isinstance(pool, RaydiumAmmV4Pool):
        raise TypeError(f"{pool} is of another venue")
    recorded = vector.instruction.accounts
    arguments = _arguments(vector, is_v2=len(recorded) == ACCOUNTS_V2)
    if len(recorded) == ACCOUNTS_V2:
        return swap_v2(pool.address, pool.state, trader, arguments)
    if len(recorded) not in (ACCOUNTS_WITH_TARGET_ORDERS, ACCOUNTS_WITHOUT_TARGET_ORDERS):
        return swap(pool.address, pool.state, trader, arguments)
    book = OrderBook(*(meta.pubkey for meta in recorded[_BIDS_AT:_TRADER_AT]))
    built = swap_with_order_book(pool.address, pool.state, trader, arguments, book)
    if len(recorded) == ACCOUNTS_WITH_TARGET_ORDERS:
        return built
    accounts = [meta for place, meta in enumerate(built.accounts) if place != _TARGET_ORDERS_AT]
    return Instruction(built.program_id, bytes(built.data), accounts)


def _arguments(vector: Vector, *, is_v2: bool) -> tuple[int, int, int]:
    if vector.kind == "exact_out":
        return SWAP_BASE_OUT_V2 if is_v2 else SWAP_BASE_OUT, vector.threshold, vector.amount
    return SWAP_BASE_IN_V2 if is_v2 else SWAP_BASE_IN, vector.amount, vector.threshold
