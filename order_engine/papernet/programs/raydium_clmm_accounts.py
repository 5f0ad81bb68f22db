"""The accounts of Raydium CLMM's swap_v2: read, of the kind that their place demands, and fitting each other.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src, commit 03b44b7: instructions/swap_v2.rs,
util/account_load.rs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, Mint, decode_mint
from order_engine.papernet.programs import PANIC, ProgramError, ReadAccount, RuntimeProgramError, anchor
from order_engine.papernet.programs.anchor import require
from order_engine.venues.raydium_clmm import layout, tick_arrays
from order_engine.venues.raydium_clmm.fresh_pool import OBSERVATION_DISCRIMINATOR, OBSERVATION_SIZE
from order_engine.venues.raydium_clmm.instructions import MEMO_PROGRAM
from order_engine.venues.raydium_clmm.tick_arrays import TickArray, decode_tick_array

INVALID_VAULT: Final = 6025
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
            raise ProgramError(anchor.ACCOUNT_NOT_ENOUGH_KEYS, "not enough account keys")
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
    require(named.payer.is_signer, anchor.ACCOUNT_NOT_SIGNER, "the payer's signature")
    config = _program_account(named.config, read, layout.CONFIG_DISCRIMINATOR)
    pool = _program_account(named.pool, read, layout.POOL_DISCRIMINATOR)
    for user in (named.user_in, named.user_out):
        _token_account(user, read)
    vault_in, vault_out = (_token_account(vault, read) for vault in (named.vault_in, named.vault_out))
    observation = _program_account(named.observation, read, OBSERVATION_DISCRIMINATOR)
    require(named.token_program.pubkey == TOKEN_PROGRAM, anchor.INVALID_PROGRAM_ID, "token_program")
    require(named.token_2022_program.pubkey == TOKEN_2022_PROGRAM, anchor.INVALID_PROGRAM_ID, "token_program_2022")
    require(named.memo_program.pubkey == MEMO_PROGRAM, anchor.INVALID_PROGRAM_ID, "memo_program")
    mint_in, mint_out = (_mint(mint, read, epoch) for mint in (named.mint_in, named.mint_out))
    with anchor.unreadable_as(PANIC):
        state = layout.decode_pool(named.pool.pubkey, pool)
        terms = layout.decode_config(named.config.pubkey, config)
    _enforce(_constraints(named, state, vault_in, vault_out))
    return Loaded(
        config=terms,
        pool_data=pool.data,
        pool=state,
        mint_in=mint_in,
        mint_out=mint_out,
        observation_data=observation.data,
        side_in=0 if vault_in.data[anchor.TOKEN_MINT] == bytes(state.mints[0]) else 1,
    )


def check_vaults(named: SwapAccounts, loaded: Loaded) -> None:
    """Check that the vaults are the pool's, in the order of the swap's direction."""
    vaults = (named.vault_in.pubkey, named.vault_out.pubkey)
    expected = loaded.pool.vaults if loaded.side_in == 0 else loaded.pool.vaults[::-1]
    require(vaults == expected, INVALID_VAULT, "the vaults")


def check_observation(named: SwapAccounts, loaded: Loaded) -> None:
    check_observation_size(loaded.observation_data)
    observed = loaded.observation_data[_OBSERVED_POOL]
    require(observed == bytes(named.pool.pubkey), anchor.REQUIRE_KEYS_EQ_VIOLATED, "the pool of observation_state")


def check_observation_size(data: bytes) -> None:
    """Panic where the account is cut off: the program maps its bytes without asking."""
    if len(data) < OBSERVATION_SIZE:
        raise RuntimeProgramError(PANIC, f"an observation account of {len(data)} bytes")


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
    require(account.owner == layout.PROGRAM_ID, anchor.ACCOUNT_OWNED_BY_WRONG_PROGRAM, f"the owner of {meta.pubkey}")
    require(meta.is_writable, anchor.ACCOUNT_NOT_MUTABLE, f"{meta.pubkey} as writable")
    is_array = account.data[:8] == tick_arrays.TICK_ARRAY_DISCRIMINATOR
    require(is_array, anchor.ACCOUNT_DISCRIMINATOR_MISMATCH, f"the kind of {meta.pubkey}")
    with anchor.unreadable_as(PANIC):
        array = decode_tick_array(meta.pubkey, account, tick_spacing)
    return LoadedArray(address=meta.pubkey, data=account.data, array=array)


def _extension(meta: AccountMeta, account: Account, pool: Pubkey) -> bytes:
    require(account.owner == layout.PROGRAM_ID, anchor.ACCOUNT_OWNED_BY_WRONG_PROGRAM, f"the owner of {meta.pubkey}")
    is_extension = account.data[:8] == tick_arrays.BITMAP_EXTENSION_DISCRIMINATOR
    require(is_extension, anchor.ACCOUNT_DISCRIMINATOR_MISMATCH, f"the kind of {meta.pubkey}")
    with anchor.unreadable_as(anchor.REQUIRE_KEYS_EQ_VIOLATED):
        return tick_arrays.check_extension(meta.pubkey, account, pool)


def _constraints(
    named: SwapAccounts, state: layout.PoolState, vault_in: Account, vault_out: Account
) -> Iterable[Check]:
    """Yield what must hold between the accounts, in the order in which the program looks."""
    is_mint_in = bytes(named.mint_in.pubkey) == vault_in.data[anchor.TOKEN_MINT]
    is_mint_out = bytes(named.mint_out.pubkey) == vault_out.data[anchor.TOKEN_MINT]
    yield named.config.pubkey == state.config, anchor.CONSTRAINT_ADDRESS, "amm_config"
    yield named.pool.is_writable, anchor.CONSTRAINT_MUT, "pool_state"
    yield named.user_in.is_writable, anchor.CONSTRAINT_MUT, "input_token_account"
    yield named.user_out.is_writable, anchor.CONSTRAINT_MUT, "output_token_account"
    yield named.vault_in.is_writable, anchor.CONSTRAINT_MUT, "input_vault"
    yield named.vault_out.is_writable, anchor.CONSTRAINT_MUT, "output_vault"
    yield named.observation.is_writable, anchor.CONSTRAINT_MUT, "observation_state"
    yield named.observation.pubkey == state.observation, anchor.CONSTRAINT_ADDRESS, "observation_state"
    yield is_mint_in, anchor.CONSTRAINT_ADDRESS, "input_vault_mint"
    yield is_mint_out, anchor.CONSTRAINT_ADDRESS, "output_vault_mint"


def _enforce(checks: Iterable[Check]) -> None:
    for holds, code, account in checks:
        require(holds, code, account)


def _program_account(meta: AccountMeta, read: ReadAccount, discriminator: bytes) -> Account:
    """Return an account of the program. Only the config has an error of its own for a missing one."""
    account = read(meta.pubkey)
    if account is None:
        is_config = discriminator == layout.CONFIG_DISCRIMINATOR
        code = anchor.ACCOUNT_NOT_INITIALIZED if is_config else anchor.ACCOUNT_OWNED_BY_WRONG_PROGRAM
        raise ProgramError(code, f"account {meta.pubkey} does not exist")
    require(account.owner == layout.PROGRAM_ID, anchor.ACCOUNT_OWNED_BY_WRONG_PROGRAM, f"the owner of {meta.pubkey}")
    has_kind = len(account.data) >= len(discriminator)
    require(has_kind, anchor.ACCOUNT_DISCRIMINATOR_NOT_FOUND, f"the data of {meta.pubkey}")
    is_of_kind = account.data[: len(discriminator)] == discriminator
    require(is_of_kind, anchor.ACCOUNT_DISCRIMINATOR_MISMATCH, f"the kind of {meta.pubkey}")
    return account


def _token_account(meta: AccountMeta, read: ReadAccount) -> Account:
    return anchor.token_account(meta.pubkey, read, unreadable=anchor.INVALID_ACCOUNT_DATA)


def _mint(meta: AccountMeta, read: ReadAccount, epoch: int) -> Mint:
    account = anchor.token_owned(meta.pubkey, read)
    with anchor.unreadable_as(anchor.INVALID_ACCOUNT_DATA):
        return decode_mint(meta.pubkey, account, epoch)
