"""The data and the account list of Meteora DLMM's swap instructions."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from solders.instruction import AccountMeta

from order_engine.papernet.programs import ProgramError, anchor
from order_engine.venues.meteora_dlmm.instructions import (
    ARGUMENTS,
    MEMO_PROGRAM,
    SLICE,
    SLICE_COUNT,
    SWAP,
    SWAP2,
    SWAP_EXACT_OUT2,
)

_MEMO_POSITION: Final = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    is_exact_out: bool
    amount: int
    threshold: int
    has_memo: bool
    hook_accounts: int


@dataclass(frozen=True, slots=True)
class SwapAccounts:
    """The instruction's accounts in their order."""

    pool: AccountMeta
    extension: AccountMeta  # the program itself: none
    reserve_x: AccountMeta
    reserve_y: AccountMeta
    user_in: AccountMeta
    user_out: AccountMeta
    mint_x: AccountMeta
    mint_y: AccountMeta
    oracle: AccountMeta
    host_fee: AccountMeta  # the program itself: none
    user: AccountMeta
    program_x: AccountMeta
    program_y: AccountMeta
    memo: AccountMeta
    event_authority: AccountMeta
    program: AccountMeta


def decode_arguments(data: bytes) -> Arguments:
    """Read the instruction's data.

    Raises:
        ProgramError: it is none of the swaps, or too short.
    """
    kind = data[:8]
    if kind not in (SWAP, SWAP2, SWAP_EXACT_OUT2):
        raise ProgramError(anchor.INSTRUCTION_FALLBACK_NOT_FOUND, f"unknown instruction {kind.hex()}")
    try:
        first, second = ARGUMENTS.unpack_from(data, 8)
        hook_accounts = 0 if kind == SWAP else _hook_accounts(data, 8 + ARGUMENTS.size)
    except struct.error as unreadable:
        raise ProgramError(
            anchor.INSTRUCTION_DID_NOT_DESERIALIZE, f"unreadable instruction: {unreadable}"
        ) from unreadable
    is_exact_out = kind == SWAP_EXACT_OUT2
    return Arguments(
        is_exact_out=is_exact_out,
        amount=second if is_exact_out else first,
        threshold=first if is_exact_out else second,
        has_memo=kind != SWAP,
        hook_accounts=hook_accounts,
    )


def _hook_accounts(data: bytes, at: int) -> int:
    (count,) = SLICE_COUNT.unpack_from(data, at)
    slices = (SLICE.unpack_from(data, at + SLICE_COUNT.size + SLICE.size * number) for number in range(count))
    return sum(length for _, length in slices)


def named_accounts(accounts: Sequence[AccountMeta], arguments: Arguments) -> tuple[SwapAccounts, Sequence[AccountMeta]]:
    """Return the accounts by name, and the remaining ones behind those of transfer hooks."""
    listed = list(accounts)
    if not arguments.has_memo:
        listed.insert(_MEMO_POSITION, AccountMeta(MEMO_PROGRAM, is_signer=False, is_writable=False))
    count = len(fields(SwapAccounts))
    if len(listed) < count + arguments.hook_accounts:
        raise ProgramError(anchor.ACCOUNT_NOT_ENOUGH_KEYS, f"{len(accounts)} accounts are too few")
    return SwapAccounts(*listed[:count]), listed[count + arguments.hook_accounts :]
