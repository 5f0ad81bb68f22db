"""The program's swap instructions as bytes and account lists."""

import struct
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Trader
from order_engine.venues.meteora_damm_v2.fee_state import RateLimiter
from order_engine.venues.meteora_damm_v2.layout import EVENT_AUTHORITY, POOL_AUTHORITY, PROGRAM_ID, PoolState
from order_engine.venues.meteora_damm_v2.swap import SwapMode

SWAP2: Final = bytes.fromhex("414b3f4ceb5b5b88")
SWAP: Final = bytes.fromhex("f8c69e91e17587c8")
SWAP2_ARGUMENTS: Final = struct.Struct("<QQB")  # EXACT_OUT: amount_out, max_amount_in; else amount_in, min_amount_out
SWAP_ARGUMENTS: Final = struct.Struct("<QQ")  # amount_in, min_amount_out
INSTRUCTIONS_SYSVAR: Final = Pubkey.from_string("Sysvar1nstructions1111111111111111111111111")


def swap2(
    pool: Pubkey,
    state: PoolState,
    token_programs: tuple[Pubkey, Pubkey],
    trader: Trader,
    *,
    mode: SwapMode,
    amount: int,
    threshold: int,
) -> Instruction:
    """Return a swap2 instruction without referral.

    The direction follows from the trader's token accounts. A threshold of 0 lets the program pay nothing.
    """
    data = SWAP2 + SWAP2_ARGUMENTS.pack(amount, threshold, mode)
    return Instruction(PROGRAM_ID, data, _accounts(pool, state, token_programs, trader))


def _accounts(
    pool: Pubkey, state: PoolState, token_programs: tuple[Pubkey, Pubkey], trader: Trader
) -> list[AccountMeta]:
    accounts = [
        _readonly(POOL_AUTHORITY),
        _writable(pool),
        _writable(trader.token_account_in),
        _writable(trader.token_account_out),
        _writable(state.vault_a),
        _writable(state.vault_b),
        _readonly(state.mint_a),
        _readonly(state.mint_b),
        AccountMeta(trader.owner, is_signer=True, is_writable=False),
        _readonly(token_programs[0]),
        _readonly(token_programs[1]),
        _readonly(PROGRAM_ID),  # no referral
        _readonly(EVENT_AUTHORITY),
        _readonly(PROGRAM_ID),
    ]
    if isinstance(state.base_fee, RateLimiter):
        accounts.append(_readonly(INSTRUCTIONS_SYSVAR))  # the program looks for a second swap beside this one
    return accounts


def _readonly(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=False)


def _writable(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=True)
