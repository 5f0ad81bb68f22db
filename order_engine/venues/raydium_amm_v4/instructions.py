"""Swap instructions of the Raydium AMM v4 program, in the three forms it accepts.

Source: raydium-io/raydium-amm (Apache-2.0), program/src/instruction.rs, commit 27f461d. Vaults always stand as (coin,
pc), whatever the direction: the mints of the trader's accounts say what is sold.

The program no longer reads the accounts of an order book, and never read them in pools of status 6 and 7. `swap` puts
the pool itself in their places: that adds no key to the transaction, and binaries from before the short instructions
(tags 16 and 17) understand it too. Only a pool of status 1 needs its order book in a binary that old: there the
simulation before signing fails, and nothing is sent.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Trader
from order_engine.domain.tokens import TOKEN_PROGRAM
from order_engine.venues.raydium_amm_v4.layout import PROGRAM_ID, PoolState, authority_address

SWAP_BASE_IN, SWAP_BASE_OUT = 9, 11  # amount_in, min_amount_out; max_amount_in, amount_out
SWAP_BASE_IN_V2, SWAP_BASE_OUT_V2 = 16, 17  # the same without an order book
ARGUMENTS: Final = struct.Struct("<BQQ")
ACCOUNTS_V2, ACCOUNTS_WITHOUT_TARGET_ORDERS, ACCOUNTS_WITH_TARGET_ORDERS = 8, 17, 18
_ORDER_BOOK_PLACES: Final = 8


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Accounts of the pool's market, as the market account names them."""

    bids: Pubkey
    asks: Pubkey
    event_queue: Pubkey
    coin_vault: Pubkey
    pc_vault: Pubkey
    vault_signer: Pubkey


def swap(pool: Pubkey, state: PoolState, trader: Trader, arguments: tuple[int, int, int]) -> Instruction:
    """Return a swap that names no order book. `arguments` are the tag and its two amounts."""
    placeholders = [_writable(pool)] * _ORDER_BOOK_PLACES
    head = [*_head(pool, state), _writable(pool)]
    return _instruction(arguments, [*head, *_vaults(state), *placeholders, *_trader(trader)])


def swap_with_order_book(
    pool: Pubkey, state: PoolState, trader: Trader, arguments: tuple[int, int, int], book: OrderBook
) -> Instruction:
    """Return the swap in its oldest and longest form."""
    head = [*_head(pool, state), _writable(state.open_orders), _writable(state.target_orders)]
    return _instruction(arguments, [*head, *_vaults(state), *_order_book(state, book), *_trader(trader)])


def swap_v2(pool: Pubkey, state: PoolState, trader: Trader, arguments: tuple[int, int, int]) -> Instruction:
    """Return the swap in its newest and shortest form."""
    return _instruction(arguments, [*_head(pool, state), *_vaults(state), *_trader(trader)])


def _instruction(arguments: tuple[int, int, int], accounts: list[AccountMeta]) -> Instruction:
    return Instruction(PROGRAM_ID, ARGUMENTS.pack(*arguments), accounts)


def _head(pool: Pubkey, state: PoolState) -> tuple[AccountMeta, ...]:
    return _readonly(TOKEN_PROGRAM), _writable(pool), _readonly(authority_address(state.nonce))


def _vaults(state: PoolState) -> Iterator[AccountMeta]:
    return map(_writable, state.vaults)


def _order_book(state: PoolState, book: OrderBook) -> Iterator[AccountMeta]:
    yield _readonly(state.market_program)
    yield _writable(state.market)
    yield from map(_writable, (book.bids, book.asks, book.event_queue, book.coin_vault, book.pc_vault))
    yield _readonly(book.vault_signer)


def _trader(trader: Trader) -> Iterator[AccountMeta]:
    yield _writable(trader.token_account_in)
    yield _writable(trader.token_account_out)
    yield AccountMeta(trader.owner, is_signer=True, is_writable=False)


def _readonly(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=False)


def _writable(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=True)
