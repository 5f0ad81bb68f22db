"""Recorded swap instructions, built again by the venues.

A builder takes its addresses from a pool, so each record becomes a pool that has them and nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.pool import Quote, Trader
from order_engine.domain.tokens import NO_TRANSFER_FEE
from order_engine.papernet.replay_check import Arguments
from order_engine.venues.meteora_damm_v2 import fresh_pool as fresh_damm
from order_engine.venues.meteora_damm_v2 import instructions as damm
from order_engine.venues.meteora_damm_v2 import layout as damm_layout
from order_engine.venues.meteora_damm_v2.swap import SwapMode
from order_engine.venues.meteora_dlmm import instructions as dlmm
from order_engine.venues.meteora_dlmm import layout as dlmm_layout
from order_engine.venues.raydium_amm_v4 import instructions as amm_v4
from order_engine.venues.raydium_amm_v4 import layout as amm_v4_layout
from order_engine.venues.raydium_clmm import instructions as clmm
from order_engine.venues.raydium_clmm import layout as clmm_layout
from order_engine.venues.raydium_cpmm import layout as cpmm_layout
from order_engine.venues.raydium_cpmm.pool import RaydiumCpmmPool

_NOBODY: Final = Pubkey.default()
_DAMM_REFERRAL_AT: Final = 11


def _amm_v4_parts(args: Arguments, tag: int) -> tuple[Pubkey, amm_v4_layout.PoolState, Trader, tuple[int, int, int]]:
    pool, vaults = args.inside("pool"), args.inside("pool").inside("vault")
    pool.require("programId", amm_v4_layout.PROGRAM_ID)
    pool.require("authority", amm_v4_layout.AUTHORITY)
    state = amm_v4_layout.PoolState(
        decimals=(0, 0),
        vaults=(vaults.key("A"), vaults.key("B")),
        mints=(pool.inside("mintA").key("address"), pool.inside("mintB").key("address")),
        lp_mint=pool.inside("mintLp").key("address"),
        open_orders=pool.key("openOrders"),
        market=pool.key("marketId"),
        market_program=pool.key("marketProgramId"),
        target_orders=pool.key("targetOrders"),
        owner=_NOBODY,
        lp_amount=0,
    )
    trader = Trader(
        owner=args.key("owner"),
        token_account_in=args.key("user_token_in"),
        token_account_out=args.key("user_token_out"),
    )
    return pool.key("id"), state, trader, (tag, args.integer("amount_in"), args.integer("amount_out"))


def _amm_v4(tag: int) -> Callable[[Arguments], Instruction]:
    names = ("Bids", "Asks", "EventQueue", "BaseVault", "QuoteVault", "Authority")

    def build(args: Arguments) -> Instruction:
        book = amm_v4.OrderBook(*(args.inside("pool").key(f"market{name}") for name in names))
        return amm_v4.swap_with_order_book(*_amm_v4_parts(args, tag), book)

    return build


def _amm_v4_v2(tag: int) -> Callable[[Arguments], Instruction]:
    return lambda args: amm_v4.swap_v2(*_amm_v4_parts(args, tag))


def _cpmm_pool(args: Arguments) -> RaydiumCpmmPool:
    """Return a pool whose token 0 is the input."""
    args.require("authority", cpmm_layout.AUTHORITY)
    state = cpmm_layout.PoolState(
        config=args.key("amm_config"),
        creator=_NOBODY,
        vaults=(args.key("vault_in"), args.key("vault_out")),
        lp_mint=_NOBODY,
        mints=(args.key("mint_in"), args.key("mint_out")),
        token_programs=(args.key("program_in"), args.key("program_out")),
        observation=args.key("observation"),
        decimals=(0, 0),
        lp_supply=0,
    )
    config = cpmm_layout.AmmConfig(
        index=0, trade_fee_rate=0, protocol_fee_rate=0, fund_fee_rate=0, protocol_owner=_NOBODY, fund_owner=_NOBODY
    )
    return RaydiumCpmmPool(
        address=args.key("pool"),
        slot=0,
        unix_timestamp=0,
        state=state,
        config=config,
        vault_amounts=(1, 1),
        transfer_fees=(NO_TRANSFER_FEE, NO_TRANSFER_FEE),
    )


def _cpmm_quote(pool: RaydiumCpmmPool, amount_in: int, amount_out: int) -> Quote:
    return Quote(
        venue=pool.VENUE,
        pool=pool.address,
        slot=0,
        token_in=pool.state.mints[0],
        token_out=pool.state.mints[1],
        amount_in=amount_in,
        amount_out=amount_out,
        fee_amount=0,
        fee_token=pool.state.mints[0],
        price_impact_bps=0,
    )


def _raydium_trader(args: Arguments) -> Trader:
    return Trader(owner=args.key("payer"), token_account_in=args.key("user_in"), token_account_out=args.key("user_out"))


def _cpmm_in(args: Arguments) -> Instruction:
    pool = _cpmm_pool(args)
    quote = _cpmm_quote(pool, amount_in=args.integer("arg0"), amount_out=0)
    return pool.swap_instruction(quote, args.integer("arg1"), _raydium_trader(args))


def _cpmm_out(args: Arguments) -> Instruction:
    pool = _cpmm_pool(args)
    quote = _cpmm_quote(pool, amount_in=0, amount_out=args.integer("arg1"))
    return pool.exact_out_instruction(quote, args.integer("arg0"), _raydium_trader(args))


def _clmm(args: Arguments) -> Instruction:
    state = clmm_layout.PoolState(
        config=args.key("amm_config"),
        owner=_NOBODY,
        mints=(args.key("mint_in"), args.key("mint_out")),
        vaults=(args.key("vault_in"), args.key("vault_out")),
        observation=args.key("observation"),
        decimals=(0, 0),
        tick_spacing=1,
        liquidity=0,
        sqrt_price_x64=0,
        tick_current=0,
    )
    arguments = clmm.SwapArguments(
        amount=args.integer("amount"),
        threshold=args.integer("other_amount_threshold"),
        sqrt_price_limit_x64=args.integer("sqrt_price_limit_x64"),
        is_base_input=args.flag("is_base_input"),
    )
    extension = args.optional_key("bitmap_extension")
    ahead = [*([] if extension is None else [extension]), *args.keys("tick_arrays")]
    return clmm.swap_v2(args.key("pool"), state, _raydium_trader(args), 0, arguments, ahead)


def _dlmm_accounts(args: Arguments) -> dlmm.SwapAccounts:
    args.require("program", dlmm_layout.PROGRAM_ID)
    args.require("eventAuthority", dlmm_layout.EVENT_AUTHORITY)
    state = dlmm_layout.PairState(
        base_factor=0,
        filter_period=0,
        decay_period=0,
        reduction_factor=0,
        variable_fee_control=0,
        max_volatility_accumulator=0,
        protocol_share=0,
        active_id=0,
        bin_step=1,
        mint_x=args.key("tokenXMint"),
        mint_y=args.key("tokenYMint"),
        reserve_x=args.key("reserveX"),
        reserve_y=args.key("reserveY"),
        oracle=args.key("oracle"),
        bitmap=0,
    )
    return dlmm.SwapAccounts(
        pool=args.key("lbPair"),
        state=state,
        token_programs=(args.key("tokenXProgram"), args.key("tokenYProgram")),
        trader=Trader(
            owner=args.key("user"),
            token_account_in=args.key("userTokenIn"),
            token_account_out=args.key("userTokenOut"),
        ),
        extension=_unless_program(args, "binArrayBitmapExtension"),
        host_fee=_unless_program(args, "hostFeeIn"),
        bin_arrays=args.keys("bin_arrays"),
    )


def _unless_program(args: Arguments, name: str) -> Pubkey | None:
    """Return an optional account: the program itself stands for none."""
    address = args.key(name)
    return None if address == args.key("program") else address


def _dlmm_swap(args: Arguments) -> Instruction:
    amounts = {"amount_in": args.integer("amount_in"), "min_amount_out": args.integer("min_amount_out")}
    return dlmm.swap(_dlmm_accounts(args), **amounts)


def _dlmm_swap2(args: Arguments) -> Instruction:
    amounts = {"amount_in": args.integer("amount_in"), "min_amount_out": args.integer("min_amount_out")}
    return dlmm.swap2(_dlmm_accounts(args), **amounts)


def _dlmm_exact_out2(args: Arguments) -> Instruction:
    amounts = {"max_amount_in": args.integer("max_in_amount"), "amount_out": args.integer("out_amount")}
    return dlmm.swap_exact_out2(_dlmm_accounts(args), **amounts)


def _damm(args: Arguments, mode: SwapMode, amount: int, threshold: int) -> Instruction:
    state = _damm_state(args)
    trader = Trader(
        owner=args.key("payer"),
        token_account_in=args.key("inputTokenAccount"),
        token_account_out=args.key("outputTokenAccount"),
    )
    programs = (args.key("tokenAProgram"), args.key("tokenBProgram"))
    built = damm.swap2(args.key("pool"), state, programs, trader, mode=mode, amount=amount, threshold=threshold)
    referral = _unless_program(args, "referralTokenAccount")  # which the engine never names
    if referral is None:
        return built
    accounts = list(built.accounts)
    accounts[_DAMM_REFERRAL_AT] = AccountMeta(referral, is_signer=False, is_writable=True)
    return Instruction(built.program_id, bytes(built.data), accounts)


def _damm_state(args: Arguments) -> damm_layout.PoolState:
    args.require("program", damm_layout.PROGRAM_ID)
    args.require("poolAuthority", damm_layout.POOL_AUTHORITY)
    args.require("eventAuthority", damm_layout.EVENT_AUTHORITY)
    state = fresh_damm.fresh_pool(
        args.key("pool"),
        mints=(args.key("tokenAMint"), args.key("tokenBMint")),
        reserves=(10**9, 10**9),
        fee_numerator=0,
    )
    return replace(state, vault_a=args.key("tokenAVault"), vault_b=args.key("tokenBVault"))


def _damm_swap2(args: Arguments) -> Instruction:
    return _damm(args, SwapMode(args.integer("swap_mode")), args.integer("amount_0"), args.integer("amount_1"))


def _damm_swap(args: Arguments) -> Instruction:
    """Return the older swap, of the same accounts."""
    amounts = args.integer("amount_in"), args.integer("minimum_amount_out")
    built = _damm(args, SwapMode.EXACT_IN, *amounts)
    return Instruction(built.program_id, damm.SWAP + damm.SWAP_ARGUMENTS.pack(*amounts), built.accounts)


SWAPS: Final[Mapping[str, Callable[[Arguments], Instruction]]] = MappingProxyType(
    {
        "raydium_amm_v4.swap_base_in": _amm_v4(amm_v4.SWAP_BASE_IN),
        "raydium_amm_v4.swap_base_out": _amm_v4(amm_v4.SWAP_BASE_OUT),
        "raydium_amm_v4.swap_base_in_v2": _amm_v4_v2(amm_v4.SWAP_BASE_IN_V2),
        "raydium_amm_v4.swap_base_out_v2": _amm_v4_v2(amm_v4.SWAP_BASE_OUT_V2),
        "raydium_cpmm.swap_base_input": _cpmm_in,
        "raydium_cpmm.swap_base_output": _cpmm_out,
        "raydium_clmm.swap_v2": _clmm,
        "meteora_dlmm.swap": _dlmm_swap,
        "meteora_dlmm.swap2": _dlmm_swap2,
        "meteora_dlmm.swap_exact_out2": _dlmm_exact_out2,
        "meteora_damm_v2.swap": _damm_swap,
        "meteora_damm_v2.swap2": _damm_swap2,
    }
)
