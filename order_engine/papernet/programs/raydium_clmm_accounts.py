"""The accounts of Raydium CLMM's swap_v2: read, of the kind that their place demands, and fitting each other.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src, commit 03b44b7: instructions/swap_v2.rs,
util/account_load.rs. Codes from 2000 on are Anchor's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.domain.tokens import (
    TOKEN_2022_PROGRAM,
    TOKEN_PROGRAM,
    TOKEN_PROGRAMS,
    Mint,
    decode_mint,
    token_amount,
)
from order_engine.papernet.programs import ProgramError, ReadAccount, RuntimeProgramError
from order_engine.venues.raydium_clmm import layout, tick_arrays
from order_engine.venues.raydium_clmm.instructions import MEMO_PROGRAM
from order_engine.venues.raydium_clmm.tick_arrays import TickArray, decode_tick_array

NOT_WRITABLE, WRONG_ADDRESS = 2000, 2012
DISCRIMINATOR_MISSING, DISCRIMINATOR_MISMATCH, TOO_FEW_ACCOUNTS, NOT_MUTABLE = 3001, 3002, 3005, 3006
WRONG_OWNER, WRONG_PROGRAM, NOT_SIGNER, NOT_INITIALIZED = 3007, 3008, 3010, 3012
KEYS_DIFFER, INVALID_VAULT = 2502, 6025
PANIC: Final = "ProgramFailedToComplete"
OBSERVATION_DISCRIMINATOR: Final = bytes.fromhex("7aaec5358109a584")
OBSERVATION_SIZE: Final = 4_483
_TOKEN_MINT: Final = slice(0, 32)  # of a token account
_OBSERVED_POOL: Final = slice(19, 51)

Check = tuple[bool, int, str]


@dataclass(frozen=True, slots=True)
class SwapAccounts:
    """The instruction's accounts, in their order, without those that depend on the price."""

    payer: AccountMeta
    config: AccountMeta
    pool: AccountMeta
    user_in: AccountMeta
    user_out: AccountMeta
    vault_in: AccountMeta
    vault_out: AccountMeta
    observation: AccountMeta
    token_program: AccountMeta
    token_2022_program: AccountMeta
    memo_program: AccountMeta
    mint_in: AccountMeta
    mint_out: AccountMeta

    @classmethod
    def of(cls, metas: Sequence[AccountMeta]) -> Self:
        if len(metas) < len(cls.__slots__):
            raise ProgramError(TOO_FEW_ACCOUNTS, "not enough account keys")
        return cls(*metas[: len(cls.__slots__)])


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedArray:
    address: Pubkey
    data: bytes
    array: TickArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What the accounts hold. The swap sells token 0 or 1 (`side_in`)."""

    config: layout.AmmConfig
    pool_data: bytes
    pool: layout.PoolState
    mint_in: Mint
    mint_out: Mint
    observation_data: bytes
    side_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """The accounts behind the fixed ones: tick arrays as they were passed, and the bitmap extension."""

    arrays: tuple[LoadedArray, ...]
    extension: tuple[Pubkey, bytes] | None


def load(named: SwapAccounts, read: ReadAccount, epoch: int) -> Loaded:
    """Read the fixed accounts in the order of the list, then check what must hold between them.

    Raises:
        ProgramError: one is not what its place demands.
    """
    _require(named.payer.is_signer, NOT_SIGNER, "the payer's signature")
    config = _program_account(named.config, read, layout.CONFIG_DISCRIMINATOR)
    pool = _program_account(named.pool, read, layout.POOL_DISCRIMINATOR)
    for user in (named.user_in, named.user_out):
        _token_account(user, read)
    vault_in, vault_out = (_token_account(vault, read) for vault in (named.vault_in, named.vault_out))
    observation = _program_account(named.observation, read, OBSERVATION_DISCRIMINATOR)
    _require(named.token_program.pubkey == TOKEN_PROGRAM, WRONG_PROGRAM, "token_program")
    _require(named.token_2022_program.pubkey == TOKEN_2022_PROGRAM, WRONG_PROGRAM, "token_program_2022")
    _require(named.memo_program.pubkey == MEMO_PROGRAM, WRONG_PROGRAM, "memo_program")
    mint_in, mint_out = (_mint(mint, read, epoch) for mint in (named.mint_in, named.mint_out))
    try:
        state = layout.decode_pool(named.pool.pubkey, pool)
        terms = layout.decode_config(named.config.pubkey, config)
    except PoolUnreadable as error:
        raise RuntimeProgramError(PANIC, error.message) from error
    _enforce(_constraints(named, state, vault_in, vault_out))
    return Loaded(
        config=terms,
        pool_data=pool.data,
        pool=state,
        mint_in=mint_in,
        mint_out=mint_out,
        observation_data=observation.data,
        side_in=0 if vault_in.data[_TOKEN_MINT] == bytes(state.mints[0]) else 1,
    )


def check_vaults(named: SwapAccounts, loaded: Loaded) -> None:
    """Check that the vaults are the pool's, in the order of the swap's direction."""
    vaults = (named.vault_in.pubkey, named.vault_out.pubkey)
    expected = loaded.pool.vaults if loaded.side_in == 0 else loaded.pool.vaults[::-1]
    _require(vaults == expected, INVALID_VAULT, "the vaults")


def check_observation(named: SwapAccounts, loaded: Loaded) -> None:
    observed = loaded.observation_data[_OBSERVED_POOL]
    _require(observed == bytes(named.pool.pubkey), KEYS_DIFFER, "the pool of observation_state")


def load_ahead(pool: Pubkey, state: layout.PoolState, metas: Iterable[AccountMeta], read: ReadAccount) -> Ahead:
    """Read tick arrays and extension, known by their sizes; what follows an account of another size is not looked at.

    Raises:
        ProgramError: an account of their size is not one of them, or not writable.
    """
    arrays: list[LoadedArray] = []
    extension = None
    for meta in metas:
        account = read(meta.pubkey)
        size = 0 if account is None else len(account.data)
        if account is not None and size == tick_arrays.TICK_ARRAY_SIZE:
            arrays.append(_tick_array(meta, account, state.tick_spacing))
        elif account is not None and size == tick_arrays.BITMAP_EXTENSION_SIZE:
            extension = meta.pubkey, _extension(meta, account, pool)
        else:
            break
    return Ahead(arrays=tuple(arrays), extension=extension)


def _tick_array(meta: AccountMeta, account: Account, tick_spacing: int) -> LoadedArray:
    _require(account.owner == layout.PROGRAM_ID, WRONG_OWNER, f"the owner of {meta.pubkey}")
    _require(meta.is_writable, NOT_MUTABLE, f"{meta.pubkey} as writable")
    is_array = account.data[:8] == tick_arrays.TICK_ARRAY_DISCRIMINATOR
    _require(is_array, DISCRIMINATOR_MISMATCH, f"the kind of {meta.pubkey}")
    try:
        array = decode_tick_array(meta.pubkey, account, tick_spacing)
    except PoolUnreadable as error:
        raise RuntimeProgramError(PANIC, error.message) from error
    return LoadedArray(address=meta.pubkey, data=account.data, array=array)


def _extension(meta: AccountMeta, account: Account, pool: Pubkey) -> bytes:
    _require(account.owner == layout.PROGRAM_ID, WRONG_OWNER, f"the owner of {meta.pubkey}")
    is_extension = account.data[:8] == tick_arrays.BITMAP_EXTENSION_DISCRIMINATOR
    _require(is_extension, DISCRIMINATOR_MISMATCH, f"the kind of {meta.pubkey}")
    try:
        return tick_arrays.check_extension(meta.pubkey, account, pool)
    except PoolUnreadable as error:
        raise ProgramError(KEYS_DIFFER, error.message) from error


def _constraints(
    named: SwapAccounts, state: layout.PoolState, vault_in: Account, vault_out: Account
) -> Iterable[Check]:
    """Yield what must hold between the accounts, in the order in which the program looks."""
    yield named.config.pubkey == state.config, WRONG_ADDRESS, "amm_config"
    yield named.pool.is_writable, NOT_WRITABLE, "pool_state"
    yield named.user_in.is_writable, NOT_WRITABLE, "input_token_account"
    yield named.user_out.is_writable, NOT_WRITABLE, "output_token_account"
    yield named.vault_in.is_writable, NOT_WRITABLE, "input_vault"
    yield named.vault_out.is_writable, NOT_WRITABLE, "output_vault"
    yield named.observation.is_writable, NOT_WRITABLE, "observation_state"
    yield named.observation.pubkey == state.observation, WRONG_ADDRESS, "observation_state"
    yield bytes(named.mint_in.pubkey) == vault_in.data[_TOKEN_MINT], WRONG_ADDRESS, "input_vault_mint"
    yield bytes(named.mint_out.pubkey) == vault_out.data[_TOKEN_MINT], WRONG_ADDRESS, "output_vault_mint"


def _enforce(checks: Iterable[Check]) -> None:
    for holds, code, account in checks:
        _require(holds, code, account)


def _require(holds: bool, code: int, what: str) -> None:
    if not holds:
        raise ProgramError(code, f"constraint violated: {what}")


def _program_account(meta: AccountMeta, read: ReadAccount, discriminator: bytes) -> Account:
    """Return an account of the program. Only the config has an error of its own for a missing one."""
    account = read(meta.pubkey)
    if account is None:
        code = NOT_INITIALIZED if discriminator == layout.CONFIG_DISCRIMINATOR else WRONG_OWNER
        raise ProgramError(code, f"account {meta.pubkey} does not exist")
    _require(account.owner == layout.PROGRAM_ID, WRONG_OWNER, f"the owner of {meta.pubkey}")
    _require(len(account.data) >= len(discriminator), DISCRIMINATOR_MISSING, f"the data of {meta.pubkey}")
    _require(account.data[: len(discriminator)] == discriminator, DISCRIMINATOR_MISMATCH, f"the kind of {meta.pubkey}")
    return account


def _token_account(meta: AccountMeta, read: ReadAccount) -> Account:
    account = _token_owned(meta, read)
    try:
        token_amount(meta.pubkey, account)
    except PoolUnreadable as error:
        raise RuntimeProgramError("InvalidAccountData", error.message) from error
    return account


def _mint(meta: AccountMeta, read: ReadAccount, epoch: int) -> Mint:
    account = _token_owned(meta, read)
    try:
        return decode_mint(meta.pubkey, account, epoch)
    except PoolUnreadable as error:
        raise RuntimeProgramError("InvalidAccountData", error.message) from error


def _token_owned(meta: AccountMeta, read: ReadAccount) -> Account:
    account = read(meta.pubkey)
    if account is None:
        raise ProgramError(NOT_INITIALIZED, f"account {meta.pubkey} does not exist")
    _require(account.owner in TOKEN_PROGRAMS, WRONG_OWNER, f"the owner of {meta.pubkey}")
    return account
