"""Meteora DLMM's swap, swap2 and swap_exact_out2, carried out without the program's bytecode."""

from collections.abc import Sequence
from typing import ClassVar, Final

from solders.clock import Clock
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.domain.tokens import TOKEN_PROGRAM, TOKEN_PROGRAMS
from order_engine.papernet.programs import ProgramError, ReadAccount, SwapEffects, anchor
from order_engine.papernet.programs.anchor import TokenSide, require
from order_engine.papernet.programs.meteora_dlmm_instruction import (
    Arguments,
    SwapAccounts,
    decode_arguments,
    named_accounts,
)
from order_engine.papernet.programs.meteora_dlmm_state import filled_arrays, observed
from order_engine.venues.meteora_dlmm.arrays import (
    ARRAY_DISCRIMINATOR,
    EXTENSION_DISCRIMINATOR,
    BinArray,
    Extension,
    decode_array,
    decode_extension,
)
from order_engine.venues.meteora_dlmm.bins import Path
from order_engine.venues.meteora_dlmm.instructions import MEMO_PROGRAM
from order_engine.venues.meteora_dlmm.layout import (
    EVENT_AUTHORITY,
    ORACLE_DISCRIMINATOR,
    PAIR_DISCRIMINATOR,
    PROGRAM_ID,
    PairState,
    array_address,
    decode_pair,
    patch_pair,
)
from order_engine.venues.meteora_dlmm.refusals import ProgramRefusal
from order_engine.venues.meteora_dlmm.swap import (
    ChainTime,
    SwapOutcome,
    exact_in,
    exact_out,
    require_open,
    state_after,
)
from order_engine.venues.meteora_dlmm.walk import Walk

# The program's own codes.
_INVALID_INPUT: Final = 6002
_INVALID_TOKEN_MINT: Final = 6010


class MeteoraDlmm:
    PROGRAM_ID: ClassVar[Pubkey] = PROGRAM_ID

    def execute(self, data: bytes, accounts: Sequence[AccountMeta], read: ReadAccount, clock: Clock) -> SwapEffects:
        arguments = decode_arguments(data)
        named, others = named_accounts(accounts, arguments)
        pool = _owned(named.pool.pubkey, PAIR_DISCRIMINATOR, read)
        state = _decode(named.pool.pubkey, pool)
        _check_pool(named, state)
        _check_others(named, read)
        oracle = _owned(named.oracle.pubkey, ORACLE_DISCRIMINATOR, read)
        side_x, side_y = _sides(named, arguments, read, clock.epoch)
        x_to_y = _is_x_to_y(named, read)
        side_in, side_out = (side_x, side_y) if x_to_y else (side_y, side_x)
        arrays = _arrays(named, others, read)
        extension = _extension(named, read)
        path = Path.at(clock.unix_timestamp, state, extension, arrays, x_to_y=x_to_y)
        walk = Walk(path, has_extension=extension is not None)
        outcome = _swap(state, walk, arguments, side_in, side_out, clock)
        filled = filled_arrays(arrays.values(), walk.fills(outcome.trade), x_to_y=x_to_y)
        return SwapEffects(
            transfers=_transfers(named, side_in, side_out, outcome),
            accounts={
                named.pool.pubkey: _pool_after(pool.data, state, walk, outcome, clock, x_to_y=x_to_y),
                named.oracle.pubkey: observed(oracle.data, state.active_id, clock.unix_timestamp),
                **{array_address(named.pool.pubkey, index): changed for index, changed in filled.items()},
            },
        )


def _owned(address: Pubkey, discriminator: bytes, read: ReadAccount) -> Account:
    account = anchor.existing(address, read)
    require(account.owner == PROGRAM_ID, anchor.ACCOUNT_OWNED_BY_WRONG_PROGRAM, f"the owner of {address}")
    has_kind = len(account.data) >= len(discriminator)
    require(has_kind, anchor.ACCOUNT_DISCRIMINATOR_NOT_FOUND, f"the data of {address}")
    require(account.data[:8] == discriminator, anchor.ACCOUNT_DISCRIMINATOR_MISMATCH, f"the kind of {address}")
    return account


def _decode(address: Pubkey, pool: Account) -> PairState:
    with anchor.unreadable_as(anchor.ACCOUNT_DID_NOT_DESERIALIZE):
        return decode_pair(address, pool)


def _check_pool(named: SwapAccounts, state: PairState) -> None:
    expected = (state.reserve_x, state.reserve_y, state.mint_x, state.mint_y, state.oracle)
    given = (named.reserve_x, named.reserve_y, named.mint_x, named.mint_y, named.oracle)
    anchor.require_has_one(expected, given)
    changing = (named.pool, named.reserve_x, named.reserve_y, named.user_in, named.user_out, named.oracle)
    anchor.require_writable(changing)
    require(named.host_fee.pubkey == PROGRAM_ID, _INVALID_INPUT, "no host fee, which is not carried out here")


def _check_others(named: SwapAccounts, read: ReadAccount) -> None:
    for meta in (named.reserve_x, named.reserve_y, named.user_in, named.user_out):
        anchor.token_account(meta.pubkey, read, unreadable=anchor.ACCOUNT_DID_NOT_DESERIALIZE)
    require(named.user.is_signer, anchor.ACCOUNT_NOT_SIGNER, "the user's signature")
    require(named.memo.pubkey == MEMO_PROGRAM, anchor.INVALID_PROGRAM_ID, "the memo program")
    require(named.event_authority.pubkey == EVENT_AUTHORITY, anchor.CONSTRAINT_SEEDS, "the event authority")


def _sides(named: SwapAccounts, arguments: Arguments, read: ReadAccount, epoch: int) -> tuple[TokenSide, TokenSide]:
    programs = TOKEN_PROGRAMS if arguments.has_memo else {TOKEN_PROGRAM}
    return (
        TokenSide.load(named.reserve_x, named.mint_x, named.program_x, read, epoch, programs=programs),
        TokenSide.load(named.reserve_y, named.mint_y, named.program_y, read, epoch, programs=programs),
    )


def _is_x_to_y(named: SwapAccounts, read: ReadAccount) -> bool:
    mints = [anchor.existing(meta.pubkey, read).data[anchor.TOKEN_MINT] for meta in (named.user_in, named.user_out)]
    pool_mints = [bytes(meta.pubkey) for meta in (named.mint_x, named.mint_y)]
    require(sorted(mints) == sorted(pool_mints), _INVALID_TOKEN_MINT, "the mints of the user's accounts")
    return mints == pool_mints


def _extension(named: SwapAccounts, read: ReadAccount) -> Extension | None:
    address = named.extension.pubkey
    if address == PROGRAM_ID:
        return None
    account = _owned(address, EXTENSION_DISCRIMINATOR, read)
    require(named.extension.is_writable, anchor.CONSTRAINT_MUT, "the bitmap extension as writable")
    with anchor.unreadable_as(anchor.CONSTRAINT_HAS_ONE):
        return decode_extension(address, account, named.pool.pubkey)


def _arrays(named: SwapAccounts, others: Sequence[AccountMeta], read: ReadAccount) -> dict[int, BinArray]:
    """Return the bin arrays among the remaining accounts, wherever they stand. What is not one of them is passed by."""
    arrays: dict[int, BinArray] = {}
    for meta in others:
        account = read(meta.pubkey)
        if account is None or account.owner != PROGRAM_ID or account.data[:8] != ARRAY_DISCRIMINATOR:
            continue
        try:
            array = decode_array(meta.pubkey, account, named.pool.pubkey)
        except PoolUnreadable:
            continue
        if meta.is_writable and meta.pubkey == array_address(named.pool.pubkey, array.index):
            arrays[array.index] = array
    return arrays


def _swap(
    state: PairState, walk: Walk, arguments: Arguments, side_in: TokenSide, side_out: TokenSide, clock: Clock
) -> SwapOutcome:
    swap = exact_out if arguments.is_exact_out else exact_in
    fees = side_in.token.transfer_fee, side_out.token.transfer_fee
    try:
        require_open(state, ChainTime(slot=clock.slot, unix_timestamp=clock.unix_timestamp))
        return swap(walk, *fees, arguments.amount, arguments.threshold)
    except ProgramRefusal as refusal:
        raise ProgramError(refusal.program_error, refusal.message) from refusal


def _pool_after(
    data: bytes, state: PairState, walk: Walk, outcome: SwapOutcome, clock: Clock, *, x_to_y: bool
) -> bytes:
    fee_in_x = x_to_y and walk.is_fee_on_input
    try:
        after = state_after(state, outcome.trade, clock.unix_timestamp, fee_in_x=fee_in_x)
    except ProgramRefusal as refusal:
        raise ProgramError(refusal.program_error, refusal.message) from refusal
    return patch_pair(data, after)


def _transfers(
    named: SwapAccounts, side_in: TokenSide, side_out: TokenSide, outcome: SwapOutcome
) -> tuple[Instruction, ...]:
    paid = side_in.transfer(named.user_in.pubkey, side_in.vault, named.user.pubkey, outcome.amount_in)
    received = side_out.transfer(side_out.vault, named.user_out.pubkey, named.pool.pubkey, outcome.trade.amount_out)
    return paid, received
