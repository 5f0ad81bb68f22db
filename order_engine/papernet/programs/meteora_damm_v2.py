"""Meteora DAMM v2's swap and swap2, carried out without the program's bytecode."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

from solders.clock import Clock
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account
from order_engine.papernet.programs import ProgramError, ReadAccount, SwapEffects, anchor
from order_engine.papernet.programs.anchor import TokenSide, require
from order_engine.venues.meteora_damm_v2.fee_state import RateLimiter
from order_engine.venues.meteora_damm_v2.fees import ChainTime
from order_engine.venues.meteora_damm_v2.instructions import (
    INSTRUCTIONS_SYSVAR,
    SWAP,
    SWAP2,
    SWAP2_ARGUMENTS,
    SWAP_ARGUMENTS,
)
from order_engine.venues.meteora_damm_v2.layout import (
    DISCRIMINATOR,
    EVENT_AUTHORITY,
    POOL_AUTHORITY,
    PROGRAM_ID,
    PoolState,
    decode_pool,
    patch_pool,
)
from order_engine.venues.meteora_damm_v2.refusals import ProgramRefusal
from order_engine.venues.meteora_damm_v2.swap import SwapMode, SwapOutcome, SwapTerms, swap


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arguments:
    mode: SwapMode
    amount: int
    threshold: int


@dataclass(frozen=True, slots=True)
class _Accounts:
    """The instruction's accounts in their order."""

    pool_authority: AccountMeta
    pool: AccountMeta
    user_in: AccountMeta
    user_out: AccountMeta
    vault_a: AccountMeta
    vault_b: AccountMeta
    mint_a: AccountMeta
    mint_b: AccountMeta
    payer: AccountMeta
    program_a: AccountMeta
    program_b: AccountMeta
    referral: AccountMeta  # the program itself: none
    event_authority: AccountMeta
    program: AccountMeta

    @property
    def has_referral(self) -> bool:
        return self.referral.pubkey != PROGRAM_ID


class MeteoraDammV2:
    PROGRAM_ID: ClassVar[Pubkey] = PROGRAM_ID

    def execute(self, data: bytes, accounts: Sequence[AccountMeta], read: ReadAccount, clock: Clock) -> SwapEffects:
        arguments = _arguments(data)
        named = _named(accounts)
        pool = _pool_account(named, read)
        state = _decode(named.pool.pubkey, pool)
        _check_pool(named, state)
        _check_others(named, read)
        _check_limiter(accounts, state)
        a_to_b = anchor.existing(named.user_in.pubkey, read).data[anchor.TOKEN_MINT] == bytes(state.mint_a)
        side_a = TokenSide.load(named.vault_a, named.mint_a, named.program_a, read, clock.epoch)
        side_b = TokenSide.load(named.vault_b, named.mint_b, named.program_b, read, clock.epoch)
        side_in, side_out = (side_a, side_b) if a_to_b else (side_b, side_a)
        terms = SwapTerms(
            a_to_b=a_to_b,
            time=ChainTime(slot=clock.slot, unix_timestamp=clock.unix_timestamp),
            transfer_fee_in=side_in.token.transfer_fee,
            transfer_fee_out=side_out.token.transfer_fee,
            has_referral=named.has_referral,
        )
        try:
            outcome = swap(state, terms, arguments.mode, arguments.amount, arguments.threshold)
        except ProgramRefusal as refusal:
            raise ProgramError(refusal.program_error, refusal.message) from refusal
        return SwapEffects(
            transfers=_transfers(named, side_in, side_out, outcome),
            accounts={named.pool.pubkey: patch_pool(pool.data, outcome.state)},
        )


def _arguments(data: bytes) -> _Arguments:
    try:
        if data[:8] == SWAP:
            amount, threshold = SWAP_ARGUMENTS.unpack_from(data, 8)
            return _Arguments(mode=SwapMode.EXACT_IN, amount=amount, threshold=threshold)
        if data[:8] == SWAP2:
            amount, threshold, mode = SWAP2_ARGUMENTS.unpack_from(data, 8)
            return _Arguments(mode=SwapMode(mode), amount=amount, threshold=threshold)
    except (struct.error, ValueError) as unreadable:
        raise ProgramError(
            anchor.INSTRUCTION_DID_NOT_DESERIALIZE, f"unreadable instruction: {unreadable}"
        ) from unreadable
    raise ProgramError(anchor.INSTRUCTION_FALLBACK_NOT_FOUND, f"unknown instruction {data[:8].hex()}")


def _named(accounts: Sequence[AccountMeta]) -> _Accounts:
    count = len(fields(_Accounts))
    if len(accounts) < count:
        raise ProgramError(anchor.ACCOUNT_NOT_ENOUGH_KEYS, f"{len(accounts)} accounts, {count} are needed")
    return _Accounts(*accounts[:count])


def _pool_account(named: _Accounts, read: ReadAccount) -> Account:
    require(named.pool_authority.pubkey == POOL_AUTHORITY, anchor.CONSTRAINT_SEEDS, "the pool authority")
    pool = anchor.existing(named.pool.pubkey, read)
    require(pool.owner == PROGRAM_ID, anchor.ACCOUNT_OWNED_BY_WRONG_PROGRAM, "the pool's owner")
    require(pool.data[:8] == DISCRIMINATOR, anchor.ACCOUNT_DISCRIMINATOR_MISMATCH, "the pool's kind")
    return pool


def _decode(address: Pubkey, pool: Account) -> PoolState:
    with anchor.unreadable_as(anchor.ACCOUNT_DID_NOT_DESERIALIZE):
        return decode_pool(address, pool)


def _check_pool(named: _Accounts, state: PoolState) -> None:
    expected = (state.vault_a, state.vault_b, state.mint_a, state.mint_b)
    given = (named.vault_a, named.vault_b, named.mint_a, named.mint_b)
    anchor.require_has_one(expected, given)
    anchor.require_writable((named.pool, named.user_in, named.user_out, named.vault_a, named.vault_b))


def _check_others(named: _Accounts, read: ReadAccount) -> None:
    token_accounts = [named.user_in, named.user_out, named.vault_a, named.vault_b]
    if named.has_referral:
        require(named.referral.is_writable, anchor.CONSTRAINT_MUT, "the referral account as writable")
        token_accounts.append(named.referral)
    for meta in token_accounts:
        anchor.token_account(meta.pubkey, read, unreadable=anchor.ACCOUNT_DID_NOT_DESERIALIZE)
    require(named.payer.is_signer, anchor.ACCOUNT_NOT_SIGNER, "the payer's signature")
    require(named.event_authority.pubkey == EVENT_AUTHORITY, anchor.CONSTRAINT_SEEDS, "the event authority")


def _check_limiter(accounts: Sequence[AccountMeta], state: PoolState) -> None:
    if isinstance(state.base_fee, RateLimiter):
        position = len(fields(_Accounts))
        require(len(accounts) > position, anchor.ACCOUNT_NOT_ENOUGH_KEYS, "the instructions sysvar")
        require(accounts[position].pubkey == INSTRUCTIONS_SYSVAR, anchor.CONSTRAINT_ADDRESS, "the instructions sysvar")


def _transfers(
    named: _Accounts, side_in: TokenSide, side_out: TokenSide, outcome: SwapOutcome
) -> tuple[Instruction, ...]:
    transfers = [side_in.transfer(named.user_in.pubkey, side_in.vault, named.payer.pubkey, outcome.amount_in)]
    if outcome.vault_out > 0:
        user_out = named.user_out.pubkey
        transfers.append(side_out.transfer(side_out.vault, user_out, POOL_AUTHORITY, outcome.vault_out))
    if outcome.fee.referral > 0:
        side = side_in if outcome.fee_on_input else side_out
        transfers.append(side.transfer(side.vault, named.referral.pubkey, POOL_AUTHORITY, outcome.fee.referral))
    return tuple(transfers)
