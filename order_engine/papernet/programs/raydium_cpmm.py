"""Raydium CPMM swaps without the program's bytecode: its account checks, its order of errors, its after-state.

Source: raydium-io/raydium-cp-swap (Apache-2.0), commit 609780f, programs/cp-swap/src: instructions/swap_base_input.rs,
instructions/swap_base_output.rs, states/pool.rs.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, TypeVar

from solders.clock import Clock
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.pool import Account
from order_engine.domain.tokens import TOKEN_PROGRAMS, Mint, decode_mint, token_amount
from order_engine.papernet.programs import PANIC, ProgramError, ReadAccount, RuntimeProgramError, SwapEffects, anchor
from order_engine.papernet.programs.raydium_cpmm_observation import observe
from order_engine.papernet.token_instructions import transfer_checked
from order_engine.venues.raydium_cpmm import layout
from order_engine.venues.raydium_cpmm.math import (
    REQUIRE_GT_VIOLATED,
    ProgramRefuses,
    SwapAmounts,
    market,
    swap_exact_in,
    swap_exact_out,
)
from order_engine.venues.raydium_cpmm.pool import SWAP_BASE_INPUT, SWAP_BASE_OUTPUT

NOT_APPROVED, EXCEEDED_SLIPPAGE, INVALID_VAULT = 6000, 6005, 6008
_TOKEN_ACCOUNT_STATE: Final = 108  # in a token account

Check = tuple[bool, int, str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _SwapAccounts:
    """The instruction's accounts, in their order."""

    payer: AccountMeta
    authority: AccountMeta
    config: AccountMeta
    pool: AccountMeta
    user_in: AccountMeta
    user_out: AccountMeta
    vault_in: AccountMeta
    vault_out: AccountMeta
    program_in: AccountMeta
    program_out: AccountMeta
    mint_in: AccountMeta
    mint_out: AccountMeta
    observation: AccountMeta


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """What the accounts hold, each of the kind that its place demands."""

    config: layout.AmmConfig
    pool_data: bytes
    pool: layout.PoolState
    vault_mints: tuple[Pubkey, Pubkey]  # of the vaults as passed: in, out
    vault_amounts: tuple[int, int]
    mint_in: Mint
    mint_out: Mint
    observation_data: bytes


class RaydiumCpmm:
    """Carries out swap_base_input and swap_base_output."""

    PROGRAM_ID: ClassVar[Pubkey] = layout.PROGRAM_ID

    def execute(self, data: bytes, accounts: Sequence[AccountMeta], read: ReadAccount, clock: Clock) -> SwapEffects:
        is_exact_in, first, second = _decode(data)
        if len(accounts) < len(_SwapAccounts.__slots__):
            raise ProgramError(anchor.ACCOUNT_NOT_ENOUGH_KEYS, "not enough account keys")
        named = _SwapAccounts(*accounts[: len(_SwapAccounts.__slots__)])
        loaded = _load(named, read, clock.epoch)
        _enforce(_constraints(named, loaded))
        amount = first if is_exact_in else second
        _check_approved(loaded, is_exact_in, amount, clock)
        side_in = _side_in(named, loaded.pool)
        amounts = _swap(loaded, side_in, is_exact_in, amount)
        if (amounts.amount_out < second) if is_exact_in else (amounts.amount_in > first):
            raise ProgramError(EXCEEDED_SLIPPAGE, "exceeds desired slippage limit")
        return SwapEffects(
            transfers=_transfers(named, loaded, amounts),
            accounts={
                named.pool.pubkey: _after(loaded, side_in, amounts, clock.epoch),
                named.observation.pubkey: _observed(loaded, side_in, clock.unix_timestamp),
            },
        )


def _decode(data: bytes) -> tuple[bool, int, int]:
    """Return whether the input is exact, and the two arguments as they stand."""
    if data[:8] not in (SWAP_BASE_INPUT, SWAP_BASE_OUTPUT):
        raise ProgramError(anchor.INSTRUCTION_FALLBACK_NOT_FOUND, "only swaps are known here")
    if len(data) < 24:
        raise ProgramError(anchor.INSTRUCTION_DID_NOT_DESERIALIZE, "instruction data is too short")
    first, second = struct.unpack_from("<QQ", data, 8)
    return data[:8] == SWAP_BASE_INPUT, first, second


def _load(named: _SwapAccounts, read: ReadAccount, epoch: int) -> _Loaded:
    """Read every account as its type, in the order of the list."""
    if not named.payer.is_signer:
        raise ProgramError(anchor.ACCOUNT_NOT_SIGNER, "the payer did not sign")
    config = _program_account(named.config, read, layout.CONFIG_DISCRIMINATOR, may_be_missing=False)
    pool = _program_account(named.pool, read, layout.POOL_DISCRIMINATOR, may_be_missing=True)
    for user in (named.user_in, named.user_out):
        _token_account(user, read)
    vault_in, vault_out = (_token_account(vault, read) for vault in (named.vault_in, named.vault_out))
    for program in (named.program_in, named.program_out):
        if program.pubkey not in TOKEN_PROGRAMS:
            raise ProgramError(anchor.INVALID_PROGRAM_ID, f"{program.pubkey} is not a token program")
    mint_in, mint_out = (_mint(mint, read, epoch) for mint in (named.mint_in, named.mint_out))
    observation = _program_account(named.observation, read, layout.OBSERVATION_DISCRIMINATOR, may_be_missing=True)
    with anchor.unreadable_as(PANIC):
        return _Loaded(
            config=layout.decode_config(named.config.pubkey, config),
            pool_data=pool.data,
            pool=layout.decode_pool(named.pool.pubkey, pool),
            vault_mints=(Pubkey(vault_in.data[anchor.TOKEN_MINT]), Pubkey(vault_out.data[anchor.TOKEN_MINT])),
            vault_amounts=(
                token_amount(named.vault_in.pubkey, vault_in),
                token_amount(named.vault_out.pubkey, vault_out),
            ),
            mint_in=mint_in,
            mint_out=mint_out,
            observation_data=observation.data,
        )


def _program_account(meta: AccountMeta, read: ReadAccount, discriminator: bytes, *, may_be_missing: bool) -> Account:
    """Return an account of the program. Zero-copy accounts have no error of their own for a missing one."""
    account = read(meta.pubkey)
    if account is None:
        code = anchor.ACCOUNT_OWNED_BY_WRONG_PROGRAM if may_be_missing else anchor.ACCOUNT_NOT_INITIALIZED
        raise ProgramError(code, f"account {meta.pubkey} does not exist")
    if account.owner != layout.PROGRAM_ID:
        raise ProgramError(anchor.ACCOUNT_OWNED_BY_WRONG_PROGRAM, f"account {meta.pubkey} is owned by {account.owner}")
    if len(account.data) < len(discriminator):
        raise ProgramError(anchor.ACCOUNT_DISCRIMINATOR_NOT_FOUND, f"account {meta.pubkey} is empty")
    if account.data[: len(discriminator)] != discriminator:
        raise ProgramError(anchor.ACCOUNT_DISCRIMINATOR_MISMATCH, f"account {meta.pubkey} is of another kind")
    return account


def _token_owned(meta: AccountMeta, read: ReadAccount) -> Account:
    account = anchor.existing(meta.pubkey, read)
    if account.owner not in TOKEN_PROGRAMS:
        raise ProgramError(anchor.ACCOUNT_OWNED_BY_WRONG_PROGRAM, f"account {meta.pubkey} is owned by {account.owner}")
    return account


def _token_account(meta: AccountMeta, read: ReadAccount) -> Account:
    account = _token_owned(meta, read)
    with anchor.unreadable_as(anchor.INVALID_ACCOUNT_DATA):
        token_amount(meta.pubkey, account)
    if account.data[_TOKEN_ACCOUNT_STATE] == 0:
        raise RuntimeProgramError("UninitializedAccount", f"account {meta.pubkey} is not initialized")
    return account


def _mint(meta: AccountMeta, read: ReadAccount, epoch: int) -> Mint:
    account = _token_owned(meta, read)
    with anchor.unreadable_as(anchor.INVALID_ACCOUNT_DATA):
        return decode_mint(meta.pubkey, account, epoch)


def _constraints(named: _SwapAccounts, loaded: _Loaded) -> Iterable[Check]:
    """Yield what must hold between the accounts, in the order in which the program looks."""
    pool = loaded.pool
    yield named.authority.pubkey == layout.AUTHORITY, anchor.CONSTRAINT_SEEDS, "authority"
    yield named.config.pubkey == pool.config, anchor.CONSTRAINT_ADDRESS, "amm_config"
    yield named.pool.is_writable, anchor.CONSTRAINT_MUT, "pool_state"
    yield named.user_in.is_writable, anchor.CONSTRAINT_MUT, "input_token_account"
    yield named.user_out.is_writable, anchor.CONSTRAINT_MUT, "output_token_account"
    for vault, name in ((named.vault_in, "input_vault"), (named.vault_out, "output_vault")):
        yield vault.is_writable, anchor.CONSTRAINT_MUT, name
        yield vault.pubkey in pool.vaults, anchor.CONSTRAINT_RAW, name
    yield named.mint_in.pubkey == loaded.vault_mints[0], anchor.CONSTRAINT_ADDRESS, "input_token_mint"
    yield named.mint_out.pubkey == loaded.vault_mints[1], anchor.CONSTRAINT_ADDRESS, "output_token_mint"
    yield named.observation.is_writable, anchor.CONSTRAINT_MUT, "observation_state"
    yield named.observation.pubkey == pool.observation, anchor.CONSTRAINT_ADDRESS, "observation_state"


def _enforce(checks: Iterable[Check]) -> None:
    for holds, code, account in checks:
        if not holds:
            raise ProgramError(code, f"constraint violated by account {account}")


def _check_approved(loaded: _Loaded, is_exact_in: bool, amount: int, clock: Clock) -> None:
    """Look at the amount and the pool's status, in the order of each instruction."""
    if amount == 0 and not is_exact_in:
        raise ProgramError(REQUIRE_GT_VIOLATED, "no output is wanted")
    if loaded.pool.status & layout.SWAP_DISABLED or clock.unix_timestamp < loaded.pool.open_time:
        raise ProgramError(NOT_APPROVED, "not approved: the pool is paused or not open yet")
    if is_exact_in and amount == loaded.mint_in.transfer_fee.on(amount):
        raise ProgramError(REQUIRE_GT_VIOLATED, "nothing of the input reaches the pool")


def _side_in(named: _SwapAccounts, pool: layout.PoolState) -> int:
    vaults = (named.vault_in.pubkey, named.vault_out.pubkey)
    if vaults == pool.vaults:
        return 0
    if vaults == pool.vaults[::-1]:
        return 1
    raise ProgramError(INVALID_VAULT, "invalid vault")


def _swap(loaded: _Loaded, side_in: int, is_exact_in: bool, amount: int) -> SwapAmounts:
    vault_amounts = _by_token(loaded.vault_amounts, side_in)
    fee_0, fee_1 = _by_token((loaded.mint_in.transfer_fee, loaded.mint_out.transfer_fee), side_in)
    try:
        terms = market(loaded.pool, loaded.config, vault_amounts, (fee_0, fee_1), side_in)
        return swap_exact_in(terms, amount) if is_exact_in else swap_exact_out(terms, amount)
    except ProgramRefuses as refusal:
        if refusal.program_error is None:
            raise RuntimeProgramError(PANIC, refusal.message) from refusal
        raise ProgramError(refusal.program_error, refusal.message) from refusal


def _by_token(in_out: tuple[T, T], side_in: int) -> tuple[T, T]:
    return in_out if side_in == 0 else (in_out[1], in_out[0])


def _after(loaded: _Loaded, side_in: int, amounts: SwapAmounts, epoch: int) -> bytes:
    """Return the pool with its counters raised: protocol and fund earn the input token, the creator either."""
    pool, side_out = loaded.pool, 1 - side_in
    creator_side = side_in if pool.is_creator_fee_on_input(side_in) else side_out
    state = replace(
        pool,
        protocol_fees=_raised(pool.protocol_fees, side_in, amounts.protocol_fee),
        fund_fees=_raised(pool.fund_fees, side_in, amounts.fund_fee),
        creator_fees=_raised(pool.creator_fees, creator_side, amounts.creator_fee),
        recent_epoch=epoch,
    )
    return layout.patch_pool(loaded.pool_data, state)


def _raised(counters: tuple[int, int], side: int, fee: int) -> tuple[int, int]:
    if counters[side] + fee > U64_MAX:
        raise RuntimeProgramError(PANIC, "a fee counter exceeds u64")
    token_0, token_1 = counters
    return (token_0 + fee, token_1) if side == 0 else (token_0, token_1 + fee)


def _observed(loaded: _Loaded, side_in: int, unix_timestamp: int) -> bytes:
    """Record the prices from before the swap."""
    vaults = _by_token(loaded.vault_amounts, side_in)
    reserves = (vaults[0] - loaded.pool.owed(0), vaults[1] - loaded.pool.owed(1))
    return observe(loaded.observation_data, unix_timestamp, reserves)


def _transfers(named: _SwapAccounts, loaded: _Loaded, amounts: SwapAmounts) -> tuple[Instruction, ...]:
    paid = transfer_checked(
        token_program=named.program_in.pubkey,
        source=named.user_in.pubkey,
        mint=named.mint_in.pubkey,
        destination=named.vault_in.pubkey,
        owner=named.payer.pubkey,
        amount=amounts.amount_in,
        decimals=loaded.mint_in.decimals,
    )
    received = transfer_checked(
        token_program=named.program_out.pubkey,
        source=named.vault_out.pubkey,
        mint=named.mint_out.pubkey,
        destination=named.user_out.pubkey,
        owner=layout.AUTHORITY,
        amount=amounts.pool_amount_out,
        decimals=loaded.mint_out.decimals,
    )
    return paid, received
