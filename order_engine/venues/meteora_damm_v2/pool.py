"""Meteora DAMM v2 behind the Pool seam: swaps quoted as the program would carry them out at the snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.amounts import BPS, U64_MAX, mul_div_floor
from order_engine.domain.errors import AmountTooSmall, QuoteRefused
from order_engine.domain.pool import (
    Account,
    AccountFilter,
    AccountSnapshot,
    ExactOutRequest,
    Quote,
    SwapRequest,
    Trader,
)
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
from order_engine.venues.meteora_damm_v2.swap import Market, SwapMode, SwapOutcome, SwapTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteoraDammV2Pool:
    """One pool at one slot. `mints`, `token_mints` and `vault_amounts` are A, then B."""

    VENUE: ClassVar[str] = "meteora_damm_v2"
    PROGRAM_ID: ClassVar[Pubkey] = PROGRAM_ID
    COMPUTE_UNITS: ClassVar[int] = 60_000  # 13 to 45 thousand seen
    SLIPPAGE_ERROR: ClassVar[int] = SlippageRefused.program_error
    EXCESS_INPUT_ERROR: ClassVar[int] = SlippageRefused.program_error

    address: Pubkey
    time: ChainTime
    state: PoolState
    token_mints: tuple[Mint, Mint]
    vault_amounts: tuple[int, int]
    _markets: dict[bool, Market] = field(default_factory=dict, init=False, repr=False, compare=False)  # by a_to_b

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
            token_mints=_mints(state, snapshot),
            vault_amounts=(_balance(snapshot, state.vault_a), _balance(snapshot, state.vault_b)),
        )

    def at(self, snapshot: AccountSnapshot) -> Self:
        """The same accounts at a later moment: only clock and slot differ."""
        return replace(
            self,
            time=ChainTime(slot=snapshot.slot, unix_timestamp=snapshot.unix_timestamp),
            token_mints=_mints(self.state, snapshot),  # a transfer fee may change with the epoch
        )

    @property
    def slot(self) -> int:
        return self.time.slot

    @property
    def mints(self) -> tuple[Pubkey, Pubkey]:
        return (self.state.mint_a, self.state.mint_b)

    @property
    def token_programs(self) -> tuple[Pubkey, Pubkey]:
        return (self.token_mints[0].token_program, self.token_mints[1].token_program)

    def quote(self, swap: SwapRequest) -> Quote:
        return self._quote(SwapMode.EXACT_IN, swap, swap.amount_in, threshold=0)

    def quote_exact_out(self, swap: ExactOutRequest) -> Quote:
        return self._quote(SwapMode.EXACT_OUT, swap, swap.amount_out, threshold=U64_MAX)

    def swap_instruction(self, quote: Quote, min_amount_out: int, trader: Trader) -> Instruction:
        return self._swap2(SwapMode.EXACT_IN, quote.amount_in, min_amount_out, trader)

    def exact_out_instruction(self, quote: Quote, max_amount_in: int, trader: Trader) -> Instruction:
        return self._swap2(SwapMode.EXACT_OUT, quote.amount_out, max_amount_in, trader)

    def _quote(self, mode: SwapMode, request: SwapRequest | ExactOutRequest, amount: int, threshold: int) -> Quote:
        a_to_b = self._is_a_to_b(request.token_in, request.token_out)
        if not 0 <= amount <= U64_MAX:
            raise QuoteRefused(f"the amount {amount} does not fit 64 bits")
        outcome = self._market(a_to_b=a_to_b).swap(mode, amount, threshold)
        if outcome.amount_in == 0 or outcome.amount_out == 0:
            raise AmountTooSmall(f"pool {self.address} would pay {outcome.amount_out} for {outcome.amount_in}")
        self._check_vaults(outcome, a_to_b=a_to_b)
        return Quote(
            venue=self.VENUE,
            pool=self.address,
            slot=self.slot,
            token_in=request.token_in,
            token_out=request.token_out,
            amount_in=outcome.amount_in,
            amount_out=outcome.amount_out,
            fee_amount=outcome.fee.total,
            fee_token=request.token_in if outcome.fee_on_input else request.token_out,
            price_impact_bps=self._price_impact_bps(outcome.step, a_to_b=a_to_b),
        )

    def _swap2(self, mode: SwapMode, amount: int, threshold: int, trader: Trader) -> Instruction:
        programs = self.token_programs
        return swap2(self.address, self.state, programs, trader, mode=mode, amount=amount, threshold=threshold)

    def _is_a_to_b(self, token_in: Pubkey, token_out: Pubkey) -> bool:
        state = self.state
        if token_in == state.mint_a and token_out == state.mint_b:
            return True
        if token_in == state.mint_b and token_out == state.mint_a:
            return False
        raise QuoteRefused(f"pool {self.address} does not trade {token_in} for {token_out}")

    def _market(self, *, a_to_b: bool) -> Market:
        market = self._markets.get(a_to_b)
        if market is None:
            mint_in, mint_out = self.token_mints if a_to_b else self.token_mints[::-1]
            terms = SwapTerms(
                a_to_b=a_to_b,
                time=self.time,
                transfer_fee_in=mint_in.transfer_fee,
                transfer_fee_out=mint_out.transfer_fee,
            )
            market = self._markets[a_to_b] = Market(self.state, terms)
        return market

    def _check_vaults(self, outcome: SwapOutcome, *, a_to_b: bool) -> None:
        held_in, held_out = self.vault_amounts if a_to_b else self.vault_amounts[::-1]
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


def _mints(state: PoolState, snapshot: AccountSnapshot) -> tuple[Mint, Mint]:
    return _mint(snapshot, state.mint_a), _mint(snapshot, state.mint_b)


def _mint(snapshot: AccountSnapshot, address: Pubkey) -> Mint:
    return decode_mint(address, snapshot.require(address), snapshot.epoch)


def _balance(snapshot: AccountSnapshot, address: Pubkey) -> int:
    return token_amount(address, snapshot.require(address))
