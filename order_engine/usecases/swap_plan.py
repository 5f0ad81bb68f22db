"""Turn a route into the instructions of one atomic transaction.

SOL is wrapped and unwrapped inside it, so that the caller only ever sees native SOL.
"""

from typing import Final

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import TransferParams, transfer

from order_engine.domain.amounts import network_fee_lamports
from order_engine.domain.order import Order, Route
from order_engine.domain.pool import Pool, Quote, Trader
from order_engine.domain.tokens import (
    ASSOCIATED_TOKEN_PROGRAM,
    TOKEN_PROGRAM,
    WRAPPED_SOL,
    associated_token_address,
)
from order_engine.usecases.ports import TransactionPlan

MEMO_PROGRAM: Final = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
_CREATE_IDEMPOTENT, _SYNC_NATIVE, _CLOSE_ACCOUNT = b"\x01", b"\x11", b"\x09"

# Memo, two token accounts created, wrapping, closing: measured at up to 90,000 together, with room to spare.
_COMPUTE_UNITS_BESIDE_SWAPS: Final = 140_000
MAX_COMPUTE_UNITS: Final = 1_400_000  # of any transaction


def compute_unit_limit(swap_compute_units: int) -> int:
    """Return what a transaction may burn whose swaps burn this much."""
    return min(MAX_COMPUTE_UNITS, _COMPUTE_UNITS_BESIDE_SWAPS + swap_compute_units)


def network_fee(swap_compute_units: int, compute_unit_price_micro_lamports: int) -> int:
    """Return the lamports that such a transaction costs, landed or failed."""
    return network_fee_lamports(compute_unit_limit(swap_compute_units), compute_unit_price_micro_lamports)


def swap_plan(
    order: Order, route: Route, pool: Pool, wallet: Pubkey, compute_unit_price_micro_lamports: int
) -> TransactionPlan:
    """Return the transaction of the order's current attempt. The memo ties what lands to its order."""
    leg = route.legs[0]
    programs = dict(zip(pool.mints, pool.token_programs, strict=True))
    trader = Trader(
        owner=wallet,
        token_account_in=associated_token_address(wallet, leg.token_in, programs[leg.token_in]),
        token_account_out=associated_token_address(wallet, leg.token_out, programs[leg.token_out]),
    )
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
        price_impact_bps=route.price_impact_bps,
    )
    limit = compute_unit_limit(leg.compute_units or pool.COMPUTE_UNITS)
    instructions = [
        set_compute_unit_limit(limit),
        set_compute_unit_price(compute_unit_price_micro_lamports),
        Instruction(MEMO_PROGRAM, f"{order.order_id}:{order.attempt}".encode(), []),
        *_wrap(trader, leg.token_in, leg.amount_in),
        _create_token_account(wallet, trader.token_account_out, leg.token_out, programs[leg.token_out]),
        pool.swap_instruction(quote, route.min_amount_out, trader),
        *_unwrap(trader, leg.token_in, leg.token_out),
    ]
    return TransactionPlan(payer=wallet, instructions=instructions, compute_unit_limit=limit)


def _wrap(trader: Trader, token_in: Pubkey, amount_in: int) -> list[Instruction]:
    if token_in != WRAPPED_SOL:
        return []
    account = trader.token_account_in
    return [
        _create_token_account(trader.owner, account, WRAPPED_SOL, TOKEN_PROGRAM),
        transfer(TransferParams(from_pubkey=trader.owner, to_pubkey=account, lamports=amount_in)),
        Instruction(TOKEN_PROGRAM, _SYNC_NATIVE, [AccountMeta(account, is_signer=False, is_writable=True)]),
    ]


def _unwrap(trader: Trader, token_in: Pubkey, token_out: Pubkey) -> list[Instruction]:
    if WRAPPED_SOL not in (token_in, token_out):
        return []
    account = trader.token_account_in if token_in == WRAPPED_SOL else trader.token_account_out
    accounts = [
        AccountMeta(account, is_signer=False, is_writable=True),
        AccountMeta(trader.owner, is_signer=False, is_writable=True),
        AccountMeta(trader.owner, is_signer=True, is_writable=False),
    ]
    return [Instruction(TOKEN_PROGRAM, _CLOSE_ACCOUNT, accounts)]


def _create_token_account(owner: Pubkey, account: Pubkey, mint: Pubkey, token_program: Pubkey) -> Instruction:
    accounts = [
        AccountMeta(owner, is_signer=True, is_writable=True),
        AccountMeta(account, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=False, is_writable=False),
        AccountMeta(mint, is_signer=False, is_writable=False),
        AccountMeta(SYSTEM_PROGRAM, is_signer=False, is_writable=False),
        AccountMeta(token_program, is_signer=False, is_writable=False),
    ]
    return Instruction(ASSOCIATED_TOKEN_PROGRAM, _CREATE_IDEMPOTENT, accounts)
