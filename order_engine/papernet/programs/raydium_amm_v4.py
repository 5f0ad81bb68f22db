"""Raydium AMM v4 swaps without the program's bytecode: its account checks, its order of errors, its after-state.

Source: raydium-io/raydium-amm (Apache-2.0), commit 27f461d, program/src: processor.rs (process_swap_base_in, _out and
their _v2), instruction.rs, error.rs, state.rs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar, Final

from solders.clock import Clock
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account
from order_engine.domain.tokens import TOKEN_PROGRAM, token_amount
from order_engine.papernet.programs import PANIC, ProgramError, ReadAccount, RuntimeProgramError, SwapEffects
from order_engine.papernet.token_instructions import transfer
from order_engine.venues.raydium_amm_v4 import layout
from order_engine.venues.raydium_amm_v4.instructions import (
    ACCOUNTS_V2,
    ACCOUNTS_WITH_TARGET_ORDERS,
    ACCOUNTS_WITHOUT_TARGET_ORDERS,
    ARGUMENTS,
    SWAP_BASE_IN,
    SWAP_BASE_IN_V2,
    SWAP_BASE_OUT,
    SWAP_BASE_OUT_V2,
)
from order_engine.venues.raydium_amm_v4.math import (
    EXCEEDED_SLIPPAGE,
    INSUFFICIENT_FUNDS,
    INVALID_INPUT,
    ProgramRefuses,
    SwapAmounts,
    check_paid,
    market,
    swap_exact_in,
    swap_exact_out,
)

INVALID_PROGRAM_ADDRESS, EXPECTED_ACCOUNT, INVALID_COIN_VAULT, INVALID_PC_VAULT = 1, 3, 4, 5
INVALID_SIGN_ACCOUNT, INVALID_STATUS, WRONG_ACCOUNTS_NUMBER, INVALID_AMM_ACCOUNT_OWNER = 21, 22, 24, 27
INVALID_SPL_TOKEN_PROGRAM, INVALID_USER_TOKEN, NOT_ALLOWED = 38, 42, 59
ERROR_CODES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "InvalidStatus": INVALID_STATUS,
        "InvalidInput": INVALID_INPUT,
        "ExceededSlippage": EXCEEDED_SLIPPAGE,
        "InsufficientFunds": INSUFFICIENT_FUNDS,
        "InvalidUserToken": INVALID_USER_TOKEN,
    }
)
_TOKEN_ACCOUNT_SIZE, _TOKEN_ACCOUNT_STATE, _LAST_TOKEN_STATE = 165, 108, 2
_TOKEN_MINT: Final = slice(0, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arguments:
    is_exact_in: bool
    is_v2: bool
    amount: int  # in or out, whichever is exact
    threshold: int  # min_amount_out or max_amount_in


@dataclass(frozen=True, slots=True)
class _SwapAccounts:
    """The accounts that the program looks at, in their order; those of the order book are gone."""

    token_program: AccountMeta
    pool: AccountMeta
    authority: AccountMeta
    coin_vault: AccountMeta
    pc_vault: AccountMeta
    user_in: AccountMeta
    user_out: AccountMeta
    owner: AccountMeta


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    mint: Pubkey
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    pool_data: bytes
    pool: layout.PoolState
    vaults: tuple[_Token, _Token]
    user_in: _Token
    user_out: _Token


class RaydiumAmmV4:
    """Carries out swap_base_in, swap_base_out and their v2 forms."""

    PROGRAM_ID: ClassVar[Pubkey] = layout.PROGRAM_ID

    def execute(self, data: bytes, accounts: Sequence[AccountMeta], read: ReadAccount, clock: Clock) -> SwapEffects:
        arguments = _decode(data)
        named = _named(accounts, arguments)
        pool_account = _pool_account(named.pool, read)
        pool = _pool_state(named.pool.pubkey, pool_account)
        _check_accounts(named, pool)
        loaded = _load(named, pool_account.data, pool, read)
        opened = _opened(pool, clock)
        side_in, amounts = _swap(loaded, arguments)
        _check_privileges(named)
        after = layout.patch_pool(loaded.pool_data, replace(opened, recent_epoch=clock.epoch))
        return SwapEffects(
            transfers=_transfers(named, side_in, amounts), accounts=_changed(named.pool, loaded.pool_data, after)
        )


def _decode(data: bytes) -> _Arguments:
    if len(data) < ARGUMENTS.size:
        raise RuntimeProgramError("InvalidInstructionData", "instruction data is too short")
    tag, first, second = ARGUMENTS.unpack_from(data)
    if tag not in (SWAP_BASE_IN, SWAP_BASE_OUT, SWAP_BASE_IN_V2, SWAP_BASE_OUT_V2):
        raise RuntimeProgramError("InvalidInstructionData", "only swaps are known here")
    is_exact_in = tag in (SWAP_BASE_IN, SWAP_BASE_IN_V2)
    amount, threshold = (first, second) if is_exact_in else (second, first)
    is_v2 = tag in (SWAP_BASE_IN_V2, SWAP_BASE_OUT_V2)
    return _Arguments(is_exact_in=is_exact_in, is_v2=is_v2, amount=amount, threshold=threshold)


def _named(accounts: Sequence[AccountMeta], arguments: _Arguments) -> _SwapAccounts:
    count = len(accounts)
    if arguments.is_v2:
        if count < ACCOUNTS_V2:
            raise RuntimeProgramError("NotEnoughAccountKeys", "not enough account keys")
        return _SwapAccounts(*accounts[:ACCOUNTS_V2])
    if count not in (ACCOUNTS_WITHOUT_TARGET_ORDERS, ACCOUNTS_WITH_TARGET_ORDERS):
        raise ProgramError(WRONG_ACCOUNTS_NUMBER, f"{count} accounts are the wrong number")
    vaults_at = 4 if count == ACCOUNTS_WITHOUT_TARGET_ORDERS else 5
    return _SwapAccounts(*accounts[:3], *accounts[vaults_at : vaults_at + 2], *accounts[-3:])


def _pool_account(meta: AccountMeta, read: ReadAccount) -> Account:
    account = read(meta.pubkey)
    if account is None or account.owner != layout.PROGRAM_ID:
        raise ProgramError(INVALID_AMM_ACCOUNT_OWNER, f"account {meta.pubkey} is not the program's")
    if len(account.data) != layout.POOL_SIZE:
        raise ProgramError(EXPECTED_ACCOUNT, f"account {meta.pubkey} has {len(account.data)} bytes")
    return account


def _pool_state(address: Pubkey, account: Account) -> layout.PoolState:
    if int.from_bytes(account.data[:8], "little") == layout.UNINITIALIZED:
        raise ProgramError(INVALID_STATUS, f"pool {address} is not initialized")
    coin_mint, pc_mint = layout.COIN_MINT_OFFSET, layout.PC_MINT_OFFSET
    if account.data[coin_mint:pc_mint] == account.data[pc_mint : pc_mint + 32]:
        raise ProgramError(NOT_ALLOWED, f"pool {address} has the same mint on both sides")
    try:
        return layout.decode_pool(address, account)
    except PoolUnreadable as error:  # a status that the program does not know
        raise RuntimeProgramError(PANIC, error.message) from error


def _check_accounts(named: _SwapAccounts, pool: layout.PoolState) -> None:
    """Compare the accounts with the pool, in the order in which the program looks."""
    users = {named.user_in.pubkey, named.user_out.pubkey}
    for holds, code, what in (
        (named.owner.is_signer, INVALID_SIGN_ACCOUNT, "the owner did not sign"),
        (named.token_program.pubkey == TOKEN_PROGRAM, INVALID_SPL_TOKEN_PROGRAM, "not the token program"),
        (named.authority.pubkey == _authority(pool), INVALID_PROGRAM_ADDRESS, "not the authority"),
        (named.coin_vault.pubkey == pool.vaults[0], INVALID_COIN_VAULT, "not the coin vault"),
        (named.pc_vault.pubkey == pool.vaults[1], INVALID_PC_VAULT, "not the pc vault"),
        (users.isdisjoint(pool.vaults), INVALID_USER_TOKEN, "a vault is no account of the trader"),
    ):
        if not holds:
            raise ProgramError(code, what)


def _authority(pool: layout.PoolState) -> Pubkey | None:
    try:
        return layout.authority_address(pool.nonce)
    except PoolUnreadable:
        return None


def _load(named: _SwapAccounts, pool_data: bytes, pool: layout.PoolState, read: ReadAccount) -> _Loaded:
    coin_vault, pc_vault, user_in, user_out = (
        _token_account(meta, read) for meta in (named.coin_vault, named.pc_vault, named.user_in, named.user_out)
    )
    return _Loaded(pool_data=pool_data, pool=pool, vaults=(coin_vault, pc_vault), user_in=user_in, user_out=user_out)


def _token_account(meta: AccountMeta, read: ReadAccount) -> _Token:
    account = read(meta.pubkey)
    if account is None or account.owner != TOKEN_PROGRAM:
        raise ProgramError(INVALID_SPL_TOKEN_PROGRAM, f"account {meta.pubkey} is not the token program's")
    data = account.data
    if len(data) != _TOKEN_ACCOUNT_SIZE or not 0 < data[_TOKEN_ACCOUNT_STATE] <= _LAST_TOKEN_STATE:
        raise ProgramError(EXPECTED_ACCOUNT, f"account {meta.pubkey} is no initialized token account")
    return _Token(mint=Pubkey(data[_TOKEN_MINT]), amount=token_amount(meta.pubkey, account))


def _opened(pool: layout.PoolState, clock: Clock) -> layout.PoolState:
    """Return the pool as a swap leaves its status: the first one after the open time ends the waiting."""
    if pool.status not in layout.TRADING:
        raise ProgramError(INVALID_STATUS, f"a pool of status {pool.status} does not trade")
    if pool.status != layout.WAITING_TRADE:
        return pool
    if clock.unix_timestamp < pool.open_time:
        raise ProgramError(INVALID_STATUS, f"the pool opens at {pool.open_time}")
    return replace(pool, status=layout.SWAP_ONLY)


def _swap(loaded: _Loaded, arguments: _Arguments) -> tuple[int, SwapAmounts]:
    """Return the side sold (0 coin, 1 pc) and what moves."""
    try:
        terms = market(loaded.pool, _amounts(loaded), 0)  # looks at both reserves before it knows the side
        side_in = _side_in(loaded)
        if side_in == 1:
            terms = market(loaded.pool, _amounts(loaded), 1)
        if arguments.is_exact_in:
            _check_balance(loaded, arguments.amount)
            amounts = swap_exact_in(terms, arguments.amount)
            is_within = amounts.amount_out >= arguments.threshold
        else:
            amounts = swap_exact_out(terms, arguments.amount)
            _check_balance(loaded, amounts.amount_in)
            is_within = amounts.amount_in <= arguments.threshold
        if not is_within:
            raise ProgramError(EXCEEDED_SLIPPAGE, "exceeds desired slippage limit")
        check_paid(terms, amounts)
    except ProgramRefuses as refusal:
        if refusal.program_error is None:
            raise RuntimeProgramError(PANIC, refusal.message) from refusal
        raise ProgramError(refusal.program_error, refusal.message) from refusal
    return side_in, amounts


def _amounts(loaded: _Loaded) -> tuple[int, int]:
    coin, pc = loaded.vaults
    return coin.amount, pc.amount


def _side_in(loaded: _Loaded) -> int:
    coin, pc = (vault.mint for vault in loaded.vaults)
    match (loaded.user_in.mint, loaded.user_out.mint):
        case sold if sold == (coin, pc):
            return 0
        case sold if sold == (pc, coin):
            return 1
    raise ProgramError(INVALID_USER_TOKEN, "the trader's accounts hold other tokens than the pool")


def _check_balance(loaded: _Loaded, amount_in: int) -> None:
    if loaded.user_in.amount < amount_in:
        raise ProgramError(INSUFFICIENT_FUNDS, f"the trader holds less than {amount_in}")


def _check_privileges(named: _SwapAccounts) -> None:
    """The token program is asked to change these accounts; a read-only one cannot be handed over as writable."""
    for meta in (named.coin_vault, named.pc_vault, named.user_in, named.user_out):
        if not meta.is_writable:
            raise RuntimeProgramError("PrivilegeEscalation", f"account {meta.pubkey} is not writable")


def _changed(meta: AccountMeta, before: bytes, after: bytes) -> Mapping[Pubkey, bytes]:
    if before == after:
        return {}
    if not meta.is_writable:
        raise RuntimeProgramError("ReadonlyDataModified", f"account {meta.pubkey} is not writable")
    return {meta.pubkey: after}


def _transfers(named: _SwapAccounts, side_in: int, amounts: SwapAmounts) -> tuple[Instruction, Instruction]:
    vaults = named.coin_vault.pubkey, named.pc_vault.pubkey
    paid = transfer(named.user_in.pubkey, vaults[side_in], named.owner.pubkey, amounts.amount_in)
    received = transfer(vaults[1 - side_in], named.user_out.pubkey, named.authority.pubkey, amounts.amount_out)
    return paid, received
