"""Meteora DAMM v2's swap and swap2, carried out without the program's bytecode."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Final

from solders.clock import Clock
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.domain.tokens import TOKEN_PROGRAMS, Mint, decode_mint, token_amount
from order_engine.papernet.programs import ProgramError, ReadAccount, SwapEffects
from order_engine.papernet.token_instructions import transfer_checked
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

_TOKEN_MINT: Final = slice(0, 32)  # of a token account

# Anchor's own codes.
_UNKNOWN_INSTRUCTION: Final = 101
_INSTRUCTION_UNREADABLE: Final = 102
_NOT_WRITABLE: Final = 2000
_HAS_ONE_VIOLATED: Final = 2001
_SEEDS_VIOLATED: Final = 2006
_WRONG_ADDRESS: Final = 2012
_WRONG_TOKEN_PROGRAM: Final = 2021
_DISCRIMINATOR_MISMATCH: Final = 3002
_ACCOUNT_UNREADABLE: Final = 3003
_TOO_FEW_ACCOUNTS: Final = 3005
_WRONG_OWNER: Final = 3007
_NOT_A_PROGRAM: Final = 3008
_NOT_SIGNED: Final = 3010
_NOT_INITIALIZED: Final = 3012


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One of the pool's tokens."""

    vault: Pubkey
    mint: Pubkey
    token: Mint

    def transfer(self, source: Pubkey, destination: Pubkey, owner: Pubkey, amount: int) -> Instruction:
        return transfer_checked(
            token_program=self.token.token_program,
            source=source,
            mint=self.mint,
            destination=destination,
            owner=owner,
            amount=amount,
            decimals=self.token.decimals,
        )


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
        a_to_b = _existing(named.user_in.pubkey, read).data[_TOKEN_MINT] == bytes(state.mint_a)
        side_a = _side(named.vault_a, named.mint_a, named.program_a, read, clock)
        side_b = _side(named.vault_b, named.mint_b, named.program_b, read, clock)
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
        raise ProgramError(_INSTRUCTION_UNREADABLE, f"unreadable instruction: {unreadable}") from unreadable
    raise ProgramError(_UNKNOWN_INSTRUCTION, f"unknown instruction {data[:8].hex()}")


def _named(accounts: Sequence[AccountMeta]) -> _Accounts:
    count = len(fields(_Accounts))
    if len(accounts) < count:
        raise ProgramError(_TOO_FEW_ACCOUNTS, f"{len(accounts)} accounts, {count} are needed")
    return _Accounts(*accounts[:count])


def _pool_account(named: _Accounts, read: ReadAccount) -> Account:
    _require(named.pool_authority.pubkey == POOL_AUTHORITY, _SEEDS_VIOLATED, "the pool authority")
    pool = _existing(named.pool.pubkey, read)
    _require(pool.owner == PROGRAM_ID, _WRONG_OWNER, "the pool's owner")
    _require(pool.data[:8] == DISCRIMINATOR, _DISCRIMINATOR_MISMATCH, "the pool's kind")
    return pool


def _decode(address: Pubkey, pool: Account) -> PoolState:
    try:
        return decode_pool(address, pool)
    except PoolUnreadable as unreadable:
        raise ProgramError(_ACCOUNT_UNREADABLE, unreadable.message) from unreadable


def _check_pool(named: _Accounts, state: PoolState) -> None:
    expected = (state.vault_a, state.vault_b, state.mint_a, state.mint_b)
    given = (named.vault_a, named.vault_b, named.mint_a, named.mint_b)
    for address, meta in zip(expected, given, strict=True):
        _require(meta.pubkey == address, _HAS_ONE_VIOLATED, f"{meta.pubkey} of the pool, which has {address}:")
    for meta in (named.pool, named.user_in, named.user_out, named.vault_a, named.vault_b):
        _require(meta.is_writable, _NOT_WRITABLE, f"{meta.pubkey} as writable")


def _check_others(named: _Accounts, read: ReadAccount) -> None:
    token_accounts = [named.user_in, named.user_out, named.vault_a, named.vault_b]
    if named.has_referral:
        _require(named.referral.is_writable, _NOT_WRITABLE, "the referral account as writable")
        token_accounts.append(named.referral)
    for meta in token_accounts:
        _check_token_account(meta.pubkey, read)
    _require(named.payer.is_signer, _NOT_SIGNED, "the payer's signature")
    _require(named.event_authority.pubkey == EVENT_AUTHORITY, _SEEDS_VIOLATED, "the event authority")


def _check_limiter(accounts: Sequence[AccountMeta], state: PoolState) -> None:
    if isinstance(state.base_fee, RateLimiter):
        position = len(fields(_Accounts))
        _require(len(accounts) > position, _TOO_FEW_ACCOUNTS, "the instructions sysvar")
        _require(accounts[position].pubkey == INSTRUCTIONS_SYSVAR, _WRONG_ADDRESS, "the instructions sysvar")


def _check_token_account(address: Pubkey, read: ReadAccount) -> None:
    account = _existing(address, read)
    _require(account.owner in TOKEN_PROGRAMS, _WRONG_OWNER, f"the owner of {address}")
    try:
        token_amount(address, account)
    except PoolUnreadable as unreadable:
        raise ProgramError(_ACCOUNT_UNREADABLE, unreadable.message) from unreadable


def _side(vault: AccountMeta, mint: AccountMeta, program: AccountMeta, read: ReadAccount, clock: Clock) -> _Side:
    _require(program.pubkey in TOKEN_PROGRAMS, _NOT_A_PROGRAM, f"{program.pubkey} as token program")
    account = _existing(mint.pubkey, read)
    _require(account.owner == program.pubkey, _WRONG_TOKEN_PROGRAM, f"the token program of {mint.pubkey}")
    try:
        token = decode_mint(mint.pubkey, account, clock.epoch)
    except PoolUnreadable as unreadable:
        raise ProgramError(_ACCOUNT_UNREADABLE, unreadable.message) from unreadable
    return _Side(vault=vault.pubkey, mint=mint.pubkey, token=token)


def _transfers(named: _Accounts, side_in: _Side, side_out: _Side, outcome: SwapOutcome) -> tuple[Instruction, ...]:
    transfers = [side_in.transfer(named.user_in.pubkey, side_in.vault, named.payer.pubkey, outcome.amount_in)]
    if outcome.vault_out > 0:
        user_out = named.user_out.pubkey
        transfers.append(side_out.transfer(side_out.vault, user_out, POOL_AUTHORITY, outcome.vault_out))
    if outcome.fee.referral > 0:
        side = side_in if outcome.fee_on_input else side_out
        transfers.append(side.transfer(side.vault, named.referral.pubkey, POOL_AUTHORITY, outcome.fee.referral))
    return tuple(transfers)


def _existing(address: Pubkey, read: ReadAccount) -> Account:
    account = read(address)
    if account is None:
        raise ProgramError(_NOT_INITIALIZED, f"account {address} does not exist")
    return account


def _require(holds: bool, code: int, what: str) -> None:
    if not holds:
        raise ProgramError(code, f"constraint violated: {what}")
