"""Meteora DAMM v2 behind the Pool seam: exact-in swaps, quoted as the program would carry them out at the snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.amounts import BPS, U64_MAX, mul_div_floor
from order_engine.domain.errors import AmountTooSmall, QuoteRefused
from order_engine.domain.pool import Account, AccountFilter, AccountSnapshot, Quote, SwapRequest, Trader
from order_engine.domain.tokens import Mint, decode_mint, token_amount
from order_engine.venues.meteora_damm_v2.fees import ChainTime
from order_engine.venues.meteora_damm_v2.instructions import swap2
from order_engine.venues.meteora_damm_v2.layout import (
    DISCRIMINATOR,
    MINT_A_OFFSET,
    MINT_B_OFFSET,
    POOL_SIZE,
    PROGRAM_ID,
    CollectFeeMode,
    PoolState,
    decode_pool,
)
from order_engine.venues.meteora_damm_v2.math import Step
from order_engine.venues.meteora_damm_v2.refusals import SlippageRefused
from order_engine.venues.meteora_damm_v2.swap import SwapMode, SwapOutcome, SwapTerms, swap


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteoraDammV2Pool:
    """One pool at one slot. `mints`, `token_mints` and `vault_amounts` are A, then B."""

    VENUE: ClassVar[str] = "meteora_damm_v2"
    PROGRAM_ID: ClassVar[Pubkey] = PROGRAM_ID
    COMPUTE_UNITS: ClassVar[int] = 60_000  # 13 to 34 thousand seen
    SLIPPAGE_ERROR: ClassVar[int] = SlippageRefused.program_error

    address: Pubkey
    time: ChainTime
    state: PoolState
    token_mints: tuple[Mint, Mint]
    vault_amounts: tuple[int, int]

    @classmethod
    def discovery_filters(cls, mint_a: Pubkey, mint_b: Pubkey) -> Sequence[AccountFilter]:
        return tuple(
            AccountFilter(
                data_size=POOL_SIZE,
                memcmp=((0, DISCRIMINATOR), (MINT_A_OFFSET, bytes(first)), (MINT_B_OFFSET, bytes(second))),
            )
            for first, second in ((mint_a, mint_b), (mint_b, mint_a))
        )

    @classmethod
    def dependencies(cls, address: Pubkey, account: Account) -> tuple[Pubkey, ...]:
        state = decode_pool(address, account)
        return (state.mint_a, state.mint_b, state.vault_a, state.vault_b)

    @classmethod
    def decode(cls, address: Pubkey, snapshot: AccountSnapshot) -> Self:
        state = decode_pool(address, snapshot.require(address, PROGRAM_ID))
        return cls(
            address=address,
            time=ChainTime(slot=snapshot.slot, unix_timestamp=snapshot.unix_timestamp),
            state=state,
            token_mints=(_mint(snapshot, state.mint_a), _mint(snapshot, state.mint_b)),
            vault_amounts=(_balance(snapshot, state.vault_a), _balance(snapshot, state.vault_b)),
        )

    @property
    def mints(self) -> tuple[Pubkey, Pubkey]:
        return (self.state.mint_a, self.state.mint_b)

    @property
    def token_programs(self) -> tuple[Pubkey, Pubkey]:
        return (self.token_mints[0].token_program, self.token_mints[1].token_program)

    def quote(self, swap: SwapRequest) -> Quote:
        a_to_b = self._is_a_to_b(swap)
        outcome = self._swap(swap.amount_in, a_to_b=a_to_b)
        if outcome.amount_out == 0:
            raise AmountTooSmall(f"pool {self.address} pays nothing for {swap.amount_in}")
        self._check_vaults(outcome, a_to_b=a_to_b)
        return Quote(
            venue=self.VENUE,
            pool=self.address,
            slot=self.time.slot,
            token_in=swap.token_in,
            token_out=swap.token_out,
            amount_in=swap.amount_in,
            amount_out=outcome.amount_out,
            fee_amount=outcome.fee.total,
            fee_token=swap.token_in if outcome.fee_on_input else swap.token_out,
            price_impact_bps=self._price_impact_bps(outcome.step, a_to_b=a_to_b),
        )

    def swap_instruction(self, quote: Quote, min_amount_out: int, trader: Trader) -> Instruction:
        return swap2(
            self.address,
            self.state,
            self.token_programs,
            trader,
            mode=SwapMode.EXACT_IN,
            amount=quote.amount_in,
            threshold=min_amount_out,
        )

    def _is_a_to_b(self, swap: SwapRequest) -> bool:
        if {swap.token_in, swap.token_out} != set(self.mints):
            raise QuoteRefused(f"pool {self.address} does not trade {swap.token_in} for {swap.token_out}")
        return swap.token_in == self.state.mint_a

    def _swap(self, amount_in: int, *, a_to_b: bool) -> SwapOutcome:
        if not 0 <= amount_in <= U64_MAX:
            raise QuoteRefused(f"amount_in {amount_in} does not fit 64 bits")
        mint_in, mint_out = self.token_mints if a_to_b else reversed(self.token_mints)
        terms = SwapTerms(
            a_to_b=a_to_b,
            time=self.time,
            transfer_fee_in=mint_in.transfer_fee,
            transfer_fee_out=mint_out.transfer_fee,
        )
        return swap(self.state, terms, SwapMode.EXACT_IN, amount_in, threshold=0)

    def _check_vaults(self, outcome: SwapOutcome, *, a_to_b: bool) -> None:
        held_in, held_out = self.vault_amounts if a_to_b else reversed(self.vault_amounts)
        if outcome.vault_out > held_out:
            raise QuoteRefused(f"pool {self.address} holds {held_out}, the swap pays {outcome.vault_out}")
        if held_in + outcome.vault_in > U64_MAX:
            raise QuoteRefused(f"a vault of pool {self.address} cannot hold another {outcome.vault_in}")

    def _price_impact_bps(self, step: Step, *, a_to_b: bool) -> int:
        """Return how far the curve's price for this amount is below its price for nothing. Rounds down."""
        state = self.state
        if state.collect_fee_mode is CollectFeeMode.COMPOUNDING:
            reserve_in = state.token_a_amount if a_to_b else state.token_b_amount
            return mul_div_floor(step.amount_in, BPS, reserve_in + step.amount_in)
        # The average price between two square roots is their product, so it lags the spot price by their ratio.
        lower, upper = sorted((state.sqrt_price, step.sqrt_price))
        return mul_div_floor(upper - lower, BPS, upper)


def _mint(snapshot: AccountSnapshot, address: Pubkey) -> Mint:
    return decode_mint(address, snapshot.require(address), snapshot.epoch)


def _balance(snapshot: AccountSnapshot, address: Pubkey) -> int:
    return token_amount(address, snapshot.require(address))
