"""Raydium CLMM swaps without the program's bytecode: its account checks, its order of errors, its after-state.

Source: raydium-io/raydium-clmm (Apache-2.0), programs/amm/src/instructions/{swap_v2,swap}.rs, commit 03b44b7, with the
error codes of the program as deployed in August 2025.
"""

from collections import deque
from collections.abc import Sequence
from typing import ClassVar, Final

from solders.clock import Clock
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.tokens import Mint
from order_engine.papernet.programs import PANIC, ProgramError, ReadAccount, RuntimeProgramError, SwapEffects, anchor
from order_engine.papernet.programs.raydium_clmm_accounts import (
    Ahead,
    Loaded,
    SwapAccounts,
    check_observation,
    check_vaults,
    load,
    load_ahead,
)
from order_engine.papernet.programs.raydium_clmm_state import Moment, accounts_after, observed
from order_engine.papernet.token_instructions import transfer_checked
from order_engine.venues.raydium_clmm import layout, swap
from order_engine.venues.raydium_clmm.instructions import SWAP_V2, SwapArguments, decode_arguments
from order_engine.venues.raydium_clmm.refusals import (
    TOO_LITTLE_OUTPUT_RECEIVED,
    TOO_MUCH_INPUT_PAID,
    AccountOfAnotherPool,
    FirstTickArrayInvalid,
    ProgramRefusal,
    TickArrayMissing,
)
from order_engine.venues.raydium_clmm.tick_arrays import TickArray, decode_bitmap, ticks_ahead
from order_engine.venues.raydium_clmm.walk import Walk, terms_of

_MOST_STEPS: Final = 1_000  # far beyond what 1.4 million compute units last for


class RaydiumClmm:
    """Carries out swap_v2."""

    PROGRAM_ID: ClassVar[Pubkey] = layout.PROGRAM_ID

    def execute(self, data: bytes, accounts: Sequence[AccountMeta], read: ReadAccount, clock: Clock) -> SwapEffects:
        arguments = _decode(data)
        named = SwapAccounts.of(accounts)
        loaded = load(named, read, clock.epoch)
        try:
            return _execute(arguments, named, loaded, accounts[len(SwapAccounts.__slots__) :], read, clock)
        except ProgramRefusal as refusal:
            if refusal.program_error is None:
                raise RuntimeProgramError(PANIC, refusal.message) from refusal
            raise ProgramError(refusal.program_error, refusal.message) from refusal


class _Passed:
    """The tick arrays that were passed, taken one after another as the swap asks for them."""

    def __init__(self, pool: Pubkey, ahead: Ahead) -> None:
        self._pool = pool
        self._left = deque(one.array for one in ahead.arrays)
        self._is_first = True

    def take(self, start: int) -> TickArray:
        array = self._next()
        while array.start != start and (self._left or not self._is_first):
            array = self._next()
        if array.pool != self._pool:
            raise AccountOfAnotherPool(f"tick array {array.start} is of another pool")
        if array.start != start:
            raise FirstTickArrayInvalid(f"tick array {start} comes first, not {array.start}")
        self._is_first = False
        return array

    def _next(self) -> TickArray:
        if not self._left:
            raise TickArrayMissing("not enough tick array accounts")
        return self._left.popleft()


def _decode(data: bytes) -> SwapArguments:
    if data[:8] != SWAP_V2:
        raise ProgramError(anchor.INSTRUCTION_FALLBACK_NOT_FOUND, "only swap_v2 is known here")
    arguments = decode_arguments(data)
    if arguments is None:
        raise ProgramError(anchor.INSTRUCTION_DID_NOT_DESERIALIZE, "instruction data cannot be read")
    return arguments


def _execute(
    arguments: SwapArguments,
    named: SwapAccounts,
    loaded: Loaded,
    others: Sequence[AccountMeta],
    read: ReadAccount,
    clock: Clock,
) -> SwapEffects:
    pool, exact_in = loaded.pool, arguments.is_base_input
    fee_in, fee_out = loaded.mint_in.transfer_fee, loaded.mint_out.transfer_fee
    given = swap.pool_amount(arguments.amount, fee_in if exact_in else fee_out, exact_in=exact_in)
    swap.check_open(pool, clock.unix_timestamp)
    check_vaults(named, loaded)
    ahead = load_ahead(named.pool.pubkey, pool, others, read)
    swap.check_swap(pool, given)
    walk = _walk(arguments, named, loaded, ahead, given, clock)
    amounts = swap.settle(walk, arguments.amount, given, fee_in, fee_out)
    if arguments.sqrt_price_limit_x64 == 0:
        swap.check_whole(walk)
    _check_threshold(arguments, amounts)
    moment = Moment(unix_timestamp=clock.unix_timestamp % 2**32, epoch=clock.epoch)
    changed = dict(accounts_after(named.pool.pubkey, loaded, ahead, walk, moment))
    if walk.tick != pool.tick_current:
        changed[named.observation.pubkey] = observed(loaded.observation_data, clock.unix_timestamp, pool.tick_current)
    return SwapEffects(transfers=_transfers(named, loaded, amounts), accounts=changed)


def _walk(
    arguments: SwapArguments, named: SwapAccounts, loaded: Loaded, ahead: Ahead, given: int, clock: Clock
) -> Walk:
    pool, upwards = loaded.pool, loaded.side_in == 1
    bitmap = decode_bitmap(pool, ahead.extension[1] if ahead.extension else None)
    path = ticks_ahead(bitmap, pool, _Passed(named.pool.pubkey, ahead).take, upwards=upwards)
    terms = terms_of(
        pool,
        loaded.config,
        path,
        clock.unix_timestamp,
        upwards=upwards,
        exact_in=arguments.is_base_input,
        limit=arguments.sqrt_price_limit_x64,
    )
    swap.check_limit(pool, terms.limit, upwards=upwards)
    check_observation(named, loaded)
    if not path.arrays:
        raise path.end
    walk = Walk(terms, pool, given)
    walk.arrivals = []
    walk.run(_MOST_STEPS)
    if not walk.is_over:
        raise RuntimeProgramError("ComputationalBudgetExceeded", f"more than {_MOST_STEPS} steps")
    return walk


def _check_threshold(arguments: SwapArguments, amounts: swap.SwapAmounts) -> None:
    if arguments.is_base_input and amounts.amount_out < arguments.threshold:
        raise ProgramError(TOO_LITTLE_OUTPUT_RECEIVED, "too little output received")
    if not arguments.is_base_input and amounts.amount_in > arguments.threshold:
        raise ProgramError(TOO_MUCH_INPUT_PAID, "too much input paid")


def _transfers(named: SwapAccounts, loaded: Loaded, amounts: swap.SwapAmounts) -> tuple[Instruction, ...]:
    paid = _transfer(loaded.mint_in, named.mint_in, named.user_in, named.vault_in, named.payer, amounts.amount_in)
    received = _transfer(
        loaded.mint_out, named.mint_out, named.vault_out, named.user_out, named.pool, amounts.pool_amount_out
    )
    return paid, received


def _transfer(
    mint: Mint, mint_meta: AccountMeta, source: AccountMeta, destination: AccountMeta, owner: AccountMeta, amount: int
) -> Instruction:
    return transfer_checked(
        token_program=mint.token_program,
        source=source.pubkey,
        mint=mint_meta.pubkey,
        destination=destination.pubkey,
        owner=owner.pubkey,
        amount=amount,
        decimals=mint.decimals,
    )
