"""A Raydium AMM v4 pool behind the engine's venue seam."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.amounts import BPS, U64_MAX, mul_div_floor
from order_engine.domain.errors import AmountTooSmall, PoolUnreadable, QuoteRefused
from order_engine.domain.pool import (
    Account,
    AccountFilter,
    AccountSnapshot,
    ExactOutRequest,
    Quote,
    SwapRequest,
    Trader,
)
from order_engine.domain.tokens import TOKEN_PROGRAM, token_amount
from order_engine.venues.raydium_amm_v4 import layout
from order_engine.venues.raydium_amm_v4.instructions import SWAP_BASE_IN, SWAP_BASE_OUT, swap
from order_engine.venues.raydium_amm_v4.math import (
    EXCEEDED_SLIPPAGE,
    INVALID_INPUT,
    Market,
    ProgramRefuses,
    SwapAmounts,
    check_paid,
    market,
    swap_exact_in,
    swap_exact_out,
)

_TOKEN_MINT = slice(0, 32)  # of a token account


@dataclass(frozen=True, slots=True, kw_only=True)
class RaydiumAmmV4Pool:
    VENUE: ClassVar[str] = "raydium_amm_v4"
    PROGRAM_ID: ClassVar[Pubkey] = layout.PROGRAM_ID
    COMPUTE_UNITS: ClassVar[int] = 50_000
    SLIPPAGE_ERROR: ClassVar[int] = EXCEEDED_SLIPPAGE
    EXCESS_INPUT_ERROR: ClassVar[int] = EXCEEDED_SLIPPAGE

    address: Pubkey
    slot: int
    unix_timestamp: int
    state: layout.PoolState
    vault_amounts: tuple[int, int]
    _markets: dict[int, Market] = field(default_factory=dict, init=False, repr=False, compare=False)  # by side_in

    @classmethod
    def discovery_filters(cls, mint_a: Pubkey, mint_b: Pubkey) -> Sequence[AccountFilter]:
        return tuple(
            AccountFilter(
                data_size=layout.POOL_SIZE,
                memcmp=((layout.COIN_MINT_OFFSET, bytes(coin)), (layout.PC_MINT_OFFSET, bytes(pc))),
            )
            for coin, pc in ((mint_a, mint_b), (mint_b, mint_a))
        )

    @classmethod
    def dependencies(cls, address: Pubkey, account: Account) -> tuple[Pubkey, ...]:
        return layout.decode_pool(address, account).vaults

    @classmethod
    def decode(cls, address: Pubkey, snapshot: AccountSnapshot) -> Self:
        state = layout.decode_pool(address, snapshot.require(address))
        layout.authority_address(state.nonce)
        coin_amount, pc_amount = (
            _vault_amount(vault, snapshot, mint) for vault, mint in zip(state.vaults, state.mints, strict=True)
        )
        return cls(
            address=address,
            slot=snapshot.slot,
            unix_timestamp=snapshot.unix_timestamp,
            state=state,
            vault_amounts=(coin_amount, pc_amount),
        )

    def at(self, snapshot: AccountSnapshot) -> Self:
        """The same accounts at a later moment: only clock and slot differ."""
        return replace(self, slot=snapshot.slot, unix_timestamp=snapshot.unix_timestamp)

    @property
    def mints(self) -> tuple[Pubkey, Pubkey]:
        return self.state.mints

    @property
    def token_programs(self) -> tuple[Pubkey, Pubkey]:
        return TOKEN_PROGRAM, TOKEN_PROGRAM

    def quote(self, swap: SwapRequest) -> Quote:
        side_in = self._side_in(swap.token_in, swap.token_out)
        terms = self._terms(side_in, swap.amount_in)
        return self._quote(side_in, terms, swap_exact_in(terms, swap.amount_in))

    def quote_exact_out(self, swap: ExactOutRequest) -> Quote:
        side_in = self._side_in(swap.token_in, swap.token_out)
        terms = self._terms(side_in, swap.amount_out)
        if swap.amount_out == 0:
            raise AmountTooSmall("no output is wanted")
        return self._quote(side_in, terms, swap_exact_out(terms, swap.amount_out))

    def swap_instruction(self, quote: Quote, min_amount_out: int, trader: Trader) -> Instruction:
        return swap(self.address, self.state, trader, (SWAP_BASE_IN, quote.amount_in, min_amount_out))

    def exact_out_instruction(self, quote: Quote, max_amount_in: int, trader: Trader) -> Instruction:
        return swap(self.address, self.state, trader, (SWAP_BASE_OUT, max_amount_in, quote.amount_out))

    def _terms(self, side_in: int, amount: int) -> Market:
        self._check_open()
        if not 0 <= amount <= U64_MAX:
            raise QuoteRefused(f"the amount {amount} is beyond u64")
        terms = self._markets.get(side_in)
        if terms is None:
            terms = self._markets[side_in] = market(self.state, self.vault_amounts, side_in)
        return terms

    def _quote(self, side_in: int, terms: Market, amounts: SwapAmounts) -> Quote:
        try:
            check_paid(terms, amounts)
        except ProgramRefuses as refusal:
            if refusal.program_error == INVALID_INPUT:
                raise AmountTooSmall(refusal.message) from refusal
            raise
        if self.vault_amounts[side_in] + amounts.amount_in > U64_MAX:
            raise QuoteRefused(f"the vault cannot hold another {amounts.amount_in}")
        token_in, token_out = self.state.mints if side_in == 0 else self.state.mints[::-1]
        return Quote(
            venue=self.VENUE,
            pool=self.address,
            slot=self.slot,
            token_in=token_in,
            token_out=token_out,
            amount_in=amounts.amount_in,
            amount_out=amounts.amount_out,
            fee_amount=amounts.fee_amount,
            fee_token=token_in,
            price_impact_bps=_price_impact_bps(terms, amounts),
        )

    def _side_in(self, token_in: Pubkey, token_out: Pubkey) -> int:
        if (token_in, token_out) == self.state.mints:
            return 0
        if (token_out, token_in) == self.state.mints:
            return 1
        raise QuoteRefused(f"pool {self.address} does not trade {token_in} for {token_out}")

    def _check_open(self) -> None:
        status = self.state.status
        if status not in layout.TRADING:
            raise QuoteRefused(f"pool {self.address} is paused: its status is {status}")
        if status == layout.WAITING_TRADE and self.unix_timestamp < self.state.open_time:
            raise QuoteRefused(f"pool {self.address} opens at {self.state.open_time}")


def _vault_amount(vault: Pubkey, snapshot: AccountSnapshot, mint: Pubkey) -> int:
    account = snapshot.require(vault, TOKEN_PROGRAM)
    amount = token_amount(vault, account)
    if account.data[_TOKEN_MINT] != bytes(mint):
        raise PoolUnreadable(f"vault {vault} does not hold {mint}")
    return amount


def _price_impact_bps(terms: Market, amounts: SwapAmounts) -> int:
    """Return how far the curve's price for this amount is below its price for nothing. Rounds down."""
    return mul_div_floor(amounts.curve_amount_in, BPS, terms.reserve_in + amounts.curve_amount_in)
