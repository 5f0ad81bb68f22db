"""The token instructions that swaps are made of, and those around them."""

import struct
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM

from order_engine.domain.tokens import ASSOCIATED_TOKEN_PROGRAM, TOKEN_PROGRAM

TRANSFER: Final = struct.Struct("<BQ")  # TRANSFER_TAG, amount
TRANSFER_TAG: Final = 3
TRANSFER_CHECKED: Final = struct.Struct("<BQB")  # TRANSFER_CHECKED_TAG, amount, decimals
TRANSFER_CHECKED_TAG: Final = 12
_FEE: Final = struct.Struct("<Q")
_TRANSFER_CHECKED_WITH_FEE: Final = b"\x1a\x01"
_CREATE_IDEMPOTENT, _SYNC_NATIVE, _CLOSE_ACCOUNT = b"\x01", b"\x11", b"\x09"


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


def create_token_account(
    payer: Pubkey, owner: Pubkey, account: Pubkey, mint: Pubkey, token_program: Pubkey
) -> Instruction:
    """Return the creation of an associated token account, which does nothing where there is one."""
    accounts = [
        AccountMeta(payer, is_signer=True, is_writable=True),
        AccountMeta(account, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=False, is_writable=False),
        AccountMeta(mint, is_signer=False, is_writable=False),
        AccountMeta(SYSTEM_PROGRAM, is_signer=False, is_writable=False),
        AccountMeta(token_program, is_signer=False, is_writable=False),
    ]
    return Instruction(ASSOCIATED_TOKEN_PROGRAM, _CREATE_IDEMPOTENT, accounts)


def sync_native(account: Pubkey) -> Instruction:
    """Return what makes the lamports sent to a wrapped SOL account count as tokens."""
    return Instruction(TOKEN_PROGRAM, _SYNC_NATIVE, [AccountMeta(account, is_signer=False, is_writable=True)])


def close_account(account: Pubkey, destination: Pubkey, owner: Pubkey, token_program: Pubkey) -> Instruction:
    """Return the closing of a token account; its lamports go to `destination`."""
    accounts = [
        AccountMeta(account, is_signer=False, is_writable=True),
        AccountMeta(destination, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=True, is_writable=False),
    ]
    return Instruction(token_program, _CLOSE_ACCOUNT, accounts)
