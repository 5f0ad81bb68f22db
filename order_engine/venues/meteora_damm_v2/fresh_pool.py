"""A new concentrated pool from the reserves it should hold: price, liquidity, and the amounts its vaults need."""

from math import isqrt

from solders.pubkey import Pubkey

from order_engine.domain.amounts import mul_div_ceil, mul_div_floor
from order_engine.venues.meteora_damm_v2.fee_state import BaseFee, DynamicFee, TimeScheduler
from order_engine.venues.meteora_damm_v2.layout import (
    MAX_SQRT_PRICE,
    MIN_SQRT_PRICE,
    ActivationType,
    CollectFeeMode,
    PoolState,
    vault_address,
)
from order_engine.venues.meteora_damm_v2.math import delta_a, delta_b


def sqrt_price_of(amount_a: int, amount_b: int) -> int:
    """Return the Q64 square root of amount_b / amount_a, both in base units. Rounds down."""
    return isqrt((amount_b << 128) // amount_a)


def liquidity_of(
    amount_a: int,
    amount_b: int,
    sqrt_price: int,
    sqrt_min_price: int = MIN_SQRT_PRICE,
    sqrt_max_price: int = MAX_SQRT_PRICE,
) -> int:
    """Return the most liquidity (Q64) that both amounts cover at this price. Rounds down.

    The price must lie strictly between the bounds.
    """
    of_a = mul_div_floor(amount_a * sqrt_price, sqrt_max_price, sqrt_max_price - sqrt_price)
    of_b = mul_div_floor(amount_b, 1 << 128, sqrt_price - sqrt_min_price)
    return min(of_a, of_b)


def amounts_of(
    liquidity: int,
    sqrt_price: int,
    sqrt_min_price: int = MIN_SQRT_PRICE,
    sqrt_max_price: int = MAX_SQRT_PRICE,
) -> tuple[int, int]:
    """Return what the vaults must hold of A and B, so that the price can go to either bound. Rounds up."""
    amount_a = delta_a(liquidity, sqrt_price, sqrt_max_price, mul_div_ceil)
    amount_b = delta_b(liquidity, sqrt_min_price, sqrt_price, mul_div_ceil)
    return amount_a, amount_b


def fresh_pool(
    address: Pubkey,
    *,
    mints: tuple[Pubkey, Pubkey],
    reserves: tuple[int, int],
    fee_numerator: int,
    base_fee: BaseFee | None = None,
    dynamic_fee: DynamicFee | None = None,
    collect_fee_mode: CollectFeeMode = CollectFeeMode.BOTH_TOKENS,
    protocol_fee_percent: int = 20,
    token_flags: tuple[int, int] = (0, 0),
) -> PoolState:
    """Return an open full-range pool at the price of `reserves`, with vaults at the addresses the program derives.

    `fee_numerator` is of 10^9 and constant; `base_fee` overrides it. The vaults must hold at least the state's
    token_a_amount and token_b_amount, which differ from `reserves` by rounding only.
    """
    sqrt_price = sqrt_price_of(*reserves)
    liquidity = liquidity_of(*reserves, sqrt_price)
    amount_a, amount_b = amounts_of(liquidity, sqrt_price)
    return PoolState(
        base_fee=base_fee or TimeScheduler(cliff_fee_numerator=fee_numerator),
        dynamic_fee=dynamic_fee,
        protocol_fee_percent=protocol_fee_percent,
        referral_fee_percent=20,
        compounding_fee_bps=0,
        init_sqrt_price=sqrt_price,
        mint_a=mints[0],
        mint_b=mints[1],
        vault_a=vault_address(mints[0], address),
        vault_b=vault_address(mints[1], address),
        liquidity=liquidity,
        protocol_a_fee=0,
        protocol_b_fee=0,
        sqrt_min_price=MIN_SQRT_PRICE,
        sqrt_max_price=MAX_SQRT_PRICE,
        sqrt_price=sqrt_price,
        activation_point=0,
        activation_type=ActivationType.TIMESTAMP,
        status=0,
        token_a_flag=token_flags[0],
        token_b_flag=token_flags[1],
        collect_fee_mode=collect_fee_mode,
        fee_version=1,
        token_a_amount=amount_a,
        token_b_amount=amount_b,
        layout_version=1,
    )
