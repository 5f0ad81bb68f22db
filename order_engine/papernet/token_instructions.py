"""The transfers that swaps are made of."""

import struct
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.tokens import TOKEN_PROGRAM

TRANSFER: Final = struct.Struct("<BQ")  # TRANSFER_TAG, amount
TRANSFER_TAG: Final = 3
TRANSFER_CHECKED: Final = struct.Struct("<BQB")  # TRANSFER_CHECKED_TAG, amount, decimals
TRANSFER_CHECKED_TAG: Final = 12
_FEE: Final = struct.Struct("<Q")
_TRANSFER_CHECKED_WITH_FEE: Final = b"\x1a\x01"


def transfer_checked(
    *,
    token_program: Pubkey,
    source: Pubkey,
    mint: Pubkey,
    destination: Pubkey,
    owner: Pubkey,
    amount: int,
    decimals: int,
) -> Instruction:
    accounts = [
        AccountMeta(source, is_signer=False, is_writable=True),
        AccountMeta(mint, is_signer=False, is_writable=False),
        AccountMeta(destination, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=True, is_writable=False),
    ]
    return Instruction(token_program, TRANSFER_CHECKED.pack(TRANSFER_CHECKED_TAG, amount, decimals), accounts)


def transfer(source: Pubkey, destination: Pubkey, owner: Pubkey, amount: int) -> Instruction:
    """Return the transfer of programs that know only the first token program: it names no mint."""
    accounts = [
        AccountMeta(source, is_signer=False, is_writable=True),
        AccountMeta(destination, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=True, is_writable=False),
    ]
    return Instruction(TOKEN_PROGRAM, TRANSFER.pack(TRANSFER_TAG, amount), accounts)


def transfer_checked_with_fee(plain: Instruction, *, fee: int) -> Instruction:
    """Return a `transfer_checked` of Token-2022 that also says what fee it expects."""
    data = _TRANSFER_CHECKED_WITH_FEE + bytes(plain.data)[1:] + _FEE.pack(fee)
    return Instruction(plain.program_id, data, plain.accounts)
