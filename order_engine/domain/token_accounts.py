"""Instructions that open and close token accounts around a swap, and wrap SOL."""

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM

from order_engine.domain.tokens import ASSOCIATED_TOKEN_PROGRAM, TOKEN_PROGRAM

_CREATE_IDEMPOTENT, _SYNC_NATIVE, _CLOSE_ACCOUNT = b"\x01", b"\x11", b"\x09"


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
