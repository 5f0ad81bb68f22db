"""Turn a route into the instructions of one atomic transaction.

SOL is wrapped and unwrapped inside it, so that the caller only ever sees native SOL.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from order_engine.domain.order import Order
from order_engine.domain.pool import Pool, Quote, Trader
from order_engine.domain.route import Route, RouteLeg, SwapMode
from order_engine.domain.routing.costs import MAX_COMPUTE_UNITS, compute_unit_limit
from order_engine.domain.token_accounts import close_account, create_token_account, sync_native
from order_engine.domain.tokens import (
    TOKEN_PROGRAM,
    WRAPPED_SOL,
    associated_token_address,
)
from order_engine.usecases.ports import TransactionPlan

MEMO_PROGRAM: Final = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")

_INSTRUCTIONS_BEFORE: Final = 3  # compute unit limit and price, memo
_WRAP_INSTRUCTIONS: Final = 3
_PLACEHOLDER_MEMO: Final = "00000000-0000-0000-0000-000000000000:20"
_PLACEHOLDER_WALLET: Final = Pubkey([1] * 32)
MAX_TRANSACTION_BYTES: Final = 1_232
_SIGNATURE_BYTES: Final = 1 + 64


def swap_plan(
    order: Order,
    route: Route,
    pools: Mapping[Pubkey, Pool],
    wallet: Pubkey,
    compute_unit_price_micro_lamports: int,
    lookup_tables: Sequence[AddressLookupTableAccount] = (),
) -> TransactionPlan:
    """Return the transaction of the order's current attempt. The memo ties what lands to its order."""
    memo = f"{order.order_id}:{order.attempt}"
    limit = _compute_unit_limit(route)
    instructions = _instructions(memo, route, pools, wallet, limit, compute_unit_price_micro_lamports)
    return TransactionPlan(
        payer=wallet, instructions=instructions, lookup_tables=lookup_tables, compute_unit_limit=limit
    )


def refusal(route: Route, pools: Mapping[Pubkey, Pool], lookup_tables: Sequence[AddressLookupTableAccount] = ()) -> str:
    """Return why the route cannot be one transaction, "" when it can. The same for every wallet and order."""
    instructions = _instructions(_PLACEHOLDER_MEMO, route, pools, _PLACEHOLDER_WALLET, MAX_COMPUTE_UNITS, 1)
    message = MessageV0.try_compile(_PLACEHOLDER_WALLET, instructions, list(lookup_tables), Hash.default())
    size = len(bytes(message)) + _SIGNATURE_BYTES
    if size > MAX_TRANSACTION_BYTES:
        return f"TRANSACTION_TOO_LARGE: {size} bytes, of {MAX_TRANSACTION_BYTES} that a transaction may have"
    units, beside = _swap_compute_units(route), compute_unit_limit(0, len(route.hops))
    if units + beside > MAX_COMPUTE_UNITS:
        return f"TRANSACTION_TOO_LARGE: it may burn {units + beside} compute units, of {MAX_COMPUTE_UNITS}"
    return ""


def leg_at(route: Route, instruction_index: int) -> RouteLeg | None:
    """Return the leg that an instruction of the route's transaction executes, None for the instructions around."""
    place = instruction_index - _INSTRUCTIONS_BEFORE - _wraps(route) * _WRAP_INSTRUCTIONS - len(_tokens_out(route))
    return route.legs[place] if 0 <= place < len(route.legs) else None


def _compute_unit_limit(route: Route) -> int:
    return compute_unit_limit(_swap_compute_units(route), len(route.hops))


def _instructions(
    memo: str,
    route: Route,
    pools: Mapping[Pubkey, Pool],
    wallet: Pubkey,
    limit: int,
    compute_unit_price_micro_lamports: int,
) -> list[Instruction]:
    programs = {
        mint: program
        for leg in route.legs
        for mint, program in zip(pools[leg.pool].mints, pools[leg.pool].token_programs, strict=True)
    }
    accounts = {mint: associated_token_address(wallet, mint, program) for mint, program in programs.items()}
    token_in = route.legs[0].token_in
    return [
        set_compute_unit_limit(limit),
        set_compute_unit_price(compute_unit_price_micro_lamports),
        Instruction(MEMO_PROGRAM, memo.encode(), []),
        *(_wrap(wallet, accounts[token_in], route.max_amount_in) if _wraps(route) else ()),
        *(create_token_account(wallet, wallet, accounts[mint], mint, programs[mint]) for mint in _tokens_out(route)),
        *(_swap(leg, route, pools[leg.pool], wallet, accounts) for leg in route.legs),
        *_unwrap(wallet, accounts),
    ]


def _swap_compute_units(route: Route) -> int:
    return sum(leg.compute_units for leg in route.legs)


def _wraps(route: Route) -> bool:
    return route.legs[0].token_in == WRAPPED_SOL


def _tokens_out(route: Route) -> tuple[Pubkey, ...]:
    """Every token that a leg pays, in order: those on the way and token_out."""
    return tuple(dict.fromkeys(leg.token_out for leg in route.legs))


def _swap(leg: RouteLeg, route: Route, pool: Pool, wallet: Pubkey, accounts: Mapping[Pubkey, Pubkey]) -> Instruction:
    trader = Trader(owner=wallet, token_account_in=accounts[leg.token_in], token_account_out=accounts[leg.token_out])
    quote = Quote(
        venue=leg.venue,
        pool=leg.pool,
        slot=route.slot,
        token_in=leg.token_in,
        token_out=leg.token_out,
        amount_in=leg.amount_in,
        amount_out=leg.amount_out,
        fee_amount=leg.fee_amount,
        fee_token=leg.fee_token,
        price_impact_bps=leg.price_impact_bps,
    )
    if route.swap_mode is SwapMode.EXACT_OUT:
        return pool.exact_out_instruction(quote, leg.max_amount_in, trader)
    return pool.swap_instruction(quote, leg.min_amount_out, trader)


def _unwrap(wallet: Pubkey, accounts: Mapping[Pubkey, Pubkey]) -> list[Instruction]:
    return [close_account(accounts[WRAPPED_SOL], wallet, wallet, TOKEN_PROGRAM)] if WRAPPED_SOL in accounts else []


def _wrap(wallet: Pubkey, account: Pubkey, lamports: int) -> list[Instruction]:
    return [
        create_token_account(wallet, wallet, account, WRAPPED_SOL, TOKEN_PROGRAM),
        transfer(TransferParams(from_pubkey=wallet, to_pubkey=account, lamports=lamports)),
        sync_native(account),
    ]
