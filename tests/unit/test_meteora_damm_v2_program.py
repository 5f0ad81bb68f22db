"""The emulated DAMM v2 program: its account checks, its arguments, and the effects it asks for."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from solders.clock import Clock
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account, Trader
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from order_engine.papernet.programs import ProgramError, SwapEffects
from order_engine.papernet.programs.meteora_damm_v2 import MeteoraDammV2
from order_engine.venues.meteora_damm_v2.instructions import INSTRUCTIONS_SYSVAR, SWAP, swap2
from order_engine.venues.meteora_damm_v2.layout import POOL_AUTHORITY, PROGRAM_ID, PoolState, decode_pool
from order_engine.venues.meteora_damm_v2.swap import SwapMode, swap
from tests.unit.meteora_damm_v2_samples import (
    LIMITER,
    MINT_A,
    MINT_B,
    NOW,
    POOL,
    a_pool,
    snapshot_of,
    terms,
    token_account,
)

CLOCK = Clock(NOW.slot, 0, 800, 800, NOW.unix_timestamp)
TRADER = Trader(owner=Pubkey.new_unique(), token_account_in=Pubkey.new_unique(), token_account_out=Pubkey.new_unique())
REFERRER = Pubkey.new_unique()
AMOUNT = 10**9
Metas = list[AccountMeta]


def instruction(state: PoolState, mode: SwapMode = SwapMode.EXACT_IN, threshold: int = 0) -> Instruction:
    return swap2(POOL, state, (TOKEN_PROGRAM, TOKEN_PROGRAM), TRADER, mode=mode, amount=AMOUNT, threshold=threshold)


def execute(
    state: PoolState, data: bytes, accounts: Sequence[AccountMeta], missing: Pubkey = POOL_AUTHORITY
) -> SwapEffects:
    held: dict[Pubkey, Account] = {
        **snapshot_of(state).accounts,
        TRADER.token_account_in: token_account(MINT_A, AMOUNT),
        TRADER.token_account_out: token_account(MINT_B, 0),
        REFERRER: token_account(MINT_B, 0),
    }
    held.pop(missing, None)
    return MeteoraDammV2().execute(data, accounts, held.get, CLOCK)


def moves(effects: SwapEffects) -> list[tuple[Pubkey, Pubkey, Pubkey, int]]:
    """Return source, destination, signer and amount of each transfer."""
    found = []
    for transfer in effects.transfers:
        source, _, destination, signer = transfer.accounts
        assert signer.is_signer
        found.append((source.pubkey, destination.pubkey, signer.pubkey, struct.unpack("<BQB", transfer.data)[1]))
    return found


@pytest.mark.parametrize("mode", list(SwapMode))
def test_a_swap_moves_the_tokens_and_stores_the_new_state(mode: SwapMode) -> None:
    state = a_pool()
    threshold = 10**15 if mode is SwapMode.EXACT_OUT else 0
    outcome = swap(state, terms(), mode, AMOUNT, threshold)
    made = instruction(state, mode, threshold)
    effects = execute(state, bytes(made.data), made.accounts)
    assert moves(effects) == [
        (TRADER.token_account_in, state.vault_a, TRADER.owner, outcome.amount_in),
        (state.vault_b, TRADER.token_account_out, POOL_AUTHORITY, outcome.vault_out),
    ]
    account = replace(snapshot_of(state).accounts[POOL], data=effects.accounts[POOL])
    assert decode_pool(POOL, account) == outcome.state
    assert outcome.state != state


def test_the_older_instruction_does_the_same_as_exact_in() -> None:
    state = a_pool()
    made = instruction(state)
    older = execute(state, SWAP + struct.pack("<QQ", AMOUNT, 0), made.accounts)
    assert older == execute(state, bytes(made.data), made.accounts)


def test_a_referral_account_is_paid_from_the_vault_of_the_fee() -> None:
    state = a_pool()
    accounts = [*instruction(state).accounts]
    accounts[11] = AccountMeta(REFERRER, is_signer=False, is_writable=True)
    effects = execute(state, bytes(instruction(state).data), accounts)
    fee = swap(state, terms(has_referral=True), SwapMode.EXACT_IN, AMOUNT, 0).fee
    assert moves(effects)[2] == (state.vault_b, REFERRER, POOL_AUTHORITY, fee.referral)


def test_paying_less_than_asked_is_refused_with_the_slippage_code() -> None:
    state = a_pool()
    out = swap(state, terms(), SwapMode.EXACT_IN, AMOUNT, 0).amount_out
    enough, too_much = (instruction(state, threshold=threshold) for threshold in (out, out + 1))
    assert execute(state, bytes(enough.data), enough.accounts).transfers
    with pytest.raises(ProgramError) as refusal:
        execute(state, bytes(too_much.data), too_much.accounts)
    assert refusal.value.code == 6002


def at(index: int, **changes: object) -> Callable[[Metas], Metas]:
    def change(metas: Metas) -> Metas:
        old = metas[index]
        values = {"pubkey": old.pubkey, "is_signer": old.is_signer, "is_writable": old.is_writable, **changes}
        return [*metas[:index], AccountMeta(**values), *metas[index + 1 :]]  # type: ignore[arg-type]

    return change


def swapped(first: int, second: int) -> Callable[[Metas], Metas]:
    def change(metas: Metas) -> Metas:
        metas[first], metas[second] = metas[second], metas[first]
        return metas

    return change


@pytest.mark.parametrize(
    ("code", "change"),
    [
        (3005, lambda metas: metas[:13]),
        (2006, at(0, pubkey=Pubkey.new_unique())),
        (3012, at(1, pubkey=Pubkey.new_unique())),
        (3007, at(1, pubkey=MINT_A)),
        (2000, at(1, is_writable=False)),
        (3012, at(2, pubkey=Pubkey.new_unique())),
        (3012, at(3, pubkey=Pubkey.new_unique())),
        (3007, at(3, pubkey=POOL)),
        (3003, at(3, pubkey=MINT_B)),
        (2000, at(3, is_writable=False)),
        (2001, swapped(4, 5)),
        (2001, at(4, pubkey=REFERRER)),
        (2001, swapped(6, 7)),
        (3010, at(8, is_signer=False)),
        (3008, at(9, pubkey=PROGRAM_ID)),
        (2021, at(10, pubkey=TOKEN_2022_PROGRAM)),
        (2000, at(11, pubkey=REFERRER)),
        (3012, at(11, pubkey=Pubkey.new_unique(), is_writable=True)),
        (2006, at(12, pubkey=Pubkey.new_unique())),
    ],
)
def test_wrong_accounts_fail_with_the_frameworks_code(code: int, change: Callable[[Metas], Metas]) -> None:
    state = a_pool()
    made = instruction(state)
    with pytest.raises(ProgramError) as refusal:
        execute(state, bytes(made.data), change([*made.accounts]))
    assert refusal.value.code == code


def test_a_missing_mint_is_named_and_not_a_crash() -> None:
    made = instruction(a_pool())
    with pytest.raises(ProgramError) as refusal:
        execute(a_pool(), bytes(made.data), made.accounts, missing=MINT_B)
    assert refusal.value.code == 3012


@pytest.mark.parametrize(
    ("code", "change"),
    [(None, lambda metas: metas), (3005, lambda metas: metas[:14]), (2012, at(14, pubkey=POOL))],
)
def test_a_rate_limited_pool_insists_on_the_instructions_sysvar(
    code: int | None, change: Callable[[Metas], Metas]
) -> None:
    state = a_pool(base_fee=LIMITER)
    made = instruction(state)
    assert made.accounts[14].pubkey == INSTRUCTIONS_SYSVAR
    try:
        got = None if execute(state, bytes(made.data), change([*made.accounts])).transfers else 0
    except ProgramError as refusal:
        got = refusal.code
    assert got == code


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (101, b""),
        (101, bytes(25)),
        (102, SWAP),
        (102, SWAP + bytes(15)),
        (102, bytes(instruction(a_pool()).data[:-1])),
        (102, bytes(instruction(a_pool()).data[:-1]) + b"\x03"),
        (6006, SWAP + bytes(16)),
    ],
)
def test_unreadable_arguments_are_refused(code: int, data: bytes) -> None:
    with pytest.raises(ProgramError) as refusal:
        execute(a_pool(), data, instruction(a_pool()).accounts)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("code", "changes"), [(6003, {"status": 1}), (6003, {"activation_point": 2**40}), (6000, {"liquidity": 0})]
)
def test_refusals_of_the_pool_carry_the_programs_code(code: int, changes: dict[str, int]) -> None:
    state = a_pool(**changes)
    made = instruction(state)
    with pytest.raises(ProgramError) as refusal:
        execute(state, bytes(made.data), made.accounts)
    assert refusal.value.code == code
