"""A small DAMM v2 pool and its accounts, as the tests of the venue use them."""

from dataclasses import replace

from solders.pubkey import Pubkey

from order_engine.domain.pool import Account, AccountSnapshot, ExactOutRequest, SwapRequest
from order_engine.domain.tokens import TOKEN_PROGRAM
from order_engine.venues.meteora_damm_v2 import layout
from order_engine.venues.meteora_damm_v2.fee_state import DynamicFee, RateLimiter
from order_engine.venues.meteora_damm_v2.fees import ChainTime
from order_engine.venues.meteora_damm_v2.fresh_pool import fresh_pool
from order_engine.venues.meteora_damm_v2.layout import PoolState
from order_engine.venues.meteora_damm_v2.pool import MeteoraDammV2Pool
from order_engine.venues.meteora_damm_v2.swap import SwapTerms

POOL = Pubkey.from_bytes(bytes([7]) * 32)
MINT_A, MINT_B = Pubkey.from_bytes(bytes([8]) * 32), Pubkey.from_bytes(bytes([9]) * 32)
NOW = ChainTime(slot=5_000, unix_timestamp=1_000_000)
RESERVES = (1_000_000_000_000, 150_000_000_000)


VOLATILE = DynamicFee(
    max_volatility_accumulator=14_460_000,
    variable_fee_control=2_000,
    bin_step=1,
    filter_period=10,
    decay_period=120,
    reduction_factor=5_000,
    last_update_timestamp=NOW.unix_timestamp - 60,
    bin_step_u128=1844674407370955,
    sqrt_price_reference=1 << 64,
    volatility_accumulator=1_000_000,
    volatility_reference=300_000,
)


LIMITER = RateLimiter(
    cliff_fee_numerator=10_000_000,
    fee_increment_bps=100,
    max_limiter_duration=100,
    max_fee_bps=300,
    reference_amount=1_000,
)


def a_pool(**changes: object) -> PoolState:
    state = fresh_pool(POOL, mints=(MINT_A, MINT_B), reserves=RESERVES, fee_numerator=2_500_000)
    return replace(state, **changes)  # type: ignore[arg-type]


def account_of(state: PoolState) -> Account:
    return Account(owner=layout.PROGRAM_ID, lamports=8_630_400, data=layout.encode_pool(state))


def mint_account(decimals: int = 6) -> Account:
    data = bytearray(82)
    data[44], data[45] = decimals, 1
    return Account(owner=TOKEN_PROGRAM, lamports=1_461_600, data=bytes(data))


def token_account(mint: Pubkey, amount: int) -> Account:
    data = bytes(mint) + bytes(layout.POOL_AUTHORITY) + amount.to_bytes(8, "little") + bytes(93)
    return Account(owner=TOKEN_PROGRAM, lamports=2_039_280, data=data)


def snapshot_of(state: PoolState, vaults: tuple[int, int] | None = None) -> AccountSnapshot:
    held = vaults or (state.token_a_amount, state.token_b_amount)
    accounts = {
        POOL: account_of(state),
        MINT_A: mint_account(),
        MINT_B: mint_account(),
        state.vault_a: token_account(MINT_A, held[0]),
        state.vault_b: token_account(MINT_B, held[1]),
    }
    return AccountSnapshot(slot=NOW.slot, unix_timestamp=NOW.unix_timestamp, epoch=800, accounts=accounts)


def pool_of(state: PoolState, vaults: tuple[int, int] | None = None) -> MeteoraDammV2Pool:
    return MeteoraDammV2Pool.decode(POOL, snapshot_of(state, vaults))


def sell_a(amount: int) -> SwapRequest:
    return SwapRequest(token_in=MINT_A, token_out=MINT_B, amount_in=amount)


def buy_b(amount: int) -> ExactOutRequest:
    return ExactOutRequest(token_in=MINT_A, token_out=MINT_B, amount_out=amount)


def buy_a(amount: int) -> ExactOutRequest:
    return ExactOutRequest(token_in=MINT_B, token_out=MINT_A, amount_out=amount)


def terms(*, a_to_b: bool = True, has_referral: bool = False) -> SwapTerms:
    return SwapTerms(a_to_b=a_to_b, time=NOW, has_referral=has_referral)
