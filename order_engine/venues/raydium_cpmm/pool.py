"""A Raydium CPMM pool behind the engine's venue seam."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Self

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from order_engine.domain.amounts import BPS, U64_MAX, mul_div_ceil, mul_div_floor
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
from order_engine.domain.tokens import TransferFee, decode_mint, token_amount
from order_engine.venues.raydium_cpmm import layout
from order_engine.venues.raydium_cpmm.math import (
    REQUIRE_GT_VIOLATED,
    Market,
    ProgramRefuses,
    SwapAmounts,
    market,
    swap_exact_in,
    swap_exact_out,
)

SWAP_BASE_INPUT: Final = bytes.fromhex("8fbe5adac41e33de")  # amount_in, minimum_amount_out
SWAP_BASE_OUTPUT: Final = bytes.fromhex("37d96256a34ab4ad")  # max_amount_in, amount_out


@dataclass(frozen=True, slots=True, kw_only=True)
class RaydiumCpmmPool:
    VENUE: ClassVar[str] = "raydium_cpmm"
    PROGRAM_ID: ClassVar[Pubkey] = layout.PROGRAM_ID
    COMPUTE_UNITS: ClassVar[int] = 60_000
    SLIPPAGE_ERROR: ClassVar[int] = 6005
    EXCESS_INPUT_ERROR: ClassVar[int] = 6005

    address: Pubkey
    slot: int
    unix_timestamp: int
    state: layout.PoolState
    config: layout.AmmConfig
    vault_amounts: tuple[int, int]
    transfer_fees: tuple[TransferFee, TransferFee]
    _markets: dict[int, Market] = field(default_factory=dict, init=False, repr=False, compare=False)  # by side_in

    @classmethod
    def discovery_filters(cls, mint_a: Pubkey, mint_b: Pubkey) -> Sequence[AccountFilter]:
        mint_0, mint_1 = sorted((mint_a, mint_b), key=bytes)
        memcmp = (
            (0, layout.POOL_DISCRIMINATOR),
            (layout.MINT_0_OFFSET, bytes(mint_0)),
            (layout.MINT_1_OFFSET, bytes(mint_1)),
        )
        return (AccountFilter(data_size=layout.POOL_SIZE, memcmp=memcmp),)

    @classmethod
    def dependencies(cls, address: Pubkey, account: Account) -> tuple[Pubkey, ...]:
        state = layout.decode_pool(address, account)
        return (state.config, *state.vaults, *state.mints)

    @classmethod
    def decode(cls, address: Pubkey, snapshot: AccountSnapshot) -> Self:
        state = layout.decode_pool(address, snapshot.require(address))
        vault_0, vault_1 = (
            token_amount(vault, snapshot.require(vault, program))
            for vault, program in zip(state.vaults, state.token_programs, strict=True)
        )
        return cls(
            address=address,
            slot=snapshot.slot,
            unix_timestamp=snapshot.unix_timestamp,
            state=state,
            config=layout.decode_config(state.config, snapshot.require(state.config)),
            vault_amounts=(vault_0, vault_1),
            transfer_fees=_transfer_fees(state, snapshot),
        )

    def at(self, snapshot: AccountSnapshot) -> Self:
        """The same accounts at a later moment: only clock and slot differ."""
        return replace(
            self,
            slot=snapshot.slot,
            unix_timestamp=snapshot.unix_timestamp,
            transfer_fees=_transfer_fees(self.state, snapshot),  # may change with the epoch
        )

    @property
    def mints(self) -> tuple[Pubkey, Pubkey]:
        return self.state.mints

    @property
    def token_programs(self) -> tuple[Pubkey, Pubkey]:
        return self.state.token_programs

    def quote(self, swap: SwapRequest) -> Quote:
        return self._quote(swap_exact_in, swap, swap.amount_in)

    def quote_exact_out(self, swap: ExactOutRequest) -> Quote:
        return self._quote(swap_exact_out, swap, swap.amount_out)

    def swap_instruction(self, quote: Quote, min_amount_out: int, trader: Trader) -> Instruction:
        data = SWAP_BASE_INPUT + struct.pack("<QQ", quote.amount_in, min_amount_out)
        return Instruction(self.PROGRAM_ID, data, self._accounts(quote, trader))

    def exact_out_instruction(self, quote: Quote, max_amount_in: int, trader: Trader) -> Instruction:
        data = SWAP_BASE_OUTPUT + struct.pack("<QQ", max_amount_in, quote.amount_out)
        return Instruction(self.PROGRAM_ID, data, self._accounts(quote, trader))

    def _quote(
        self, swap: Callable[[Market, int], SwapAmounts], request: SwapRequest | ExactOutRequest, amount: int
    ) -> Quote:
        side_in = self._side_in(request.token_in, request.token_out)
        self._check_open()
        if not 0 <= amount <= U64_MAX:
            raise QuoteRefused(f"the amount {amount} does not fit 64 bits")
        try:
            terms = self._market(side_in)
            amounts = swap(terms, amount)
        except ProgramRefuses as refusal:
            if refusal.program_error == REQUIRE_GT_VIOLATED:
                raise AmountTooSmall(refusal.message) from refusal
            raise
        if self.vault_amounts[side_in] + amounts.pool_amount_in > U64_MAX:
            raise QuoteRefused(f"the vault cannot hold another {amounts.pool_amount_in}")
        return Quote(
            venue=self.VENUE,
            pool=self.address,
            slot=self.slot,
            token_in=request.token_in,
            token_out=request.token_out,
            amount_in=amounts.amount_in,
            amount_out=amounts.amount_out,
            fee_amount=_fee_in_input_token(terms, amounts),
            fee_token=request.token_in,
            price_impact_bps=_price_impact_bps(terms, amounts),
        )

    def _accounts(self, quote: Quote, trader: Trader) -> list[AccountMeta]:
        side_in = self._side_in(quote.token_in, quote.token_out)
        side_out = 1 - side_in
        return [
            AccountMeta(trader.owner, is_signer=True, is_writable=False),
            _readonly(layout.AUTHORITY),
            _readonly(self.state.config),
            _writable(self.address),
            _writable(trader.token_account_in),
            _writable(trader.token_account_out),
            _writable(self.state.vaults[side_in]),
            _writable(self.state.vaults[side_out]),
            _readonly(self.state.token_programs[side_in]),
            _readonly(self.state.token_programs[side_out]),
            _readonly(self.state.mints[side_in]),
            _readonly(self.state.mints[side_out]),
            _writable(self.state.observation),
        ]

    def _market(self, side_in: int) -> Market:
        terms = self._markets.get(side_in)
        if terms is None:
            terms = market(self.state, self.config, self.vault_amounts, self.transfer_fees, side_in)
            self._markets[side_in] = terms
        return terms

    def _side_in(self, token_in: Pubkey, token_out: Pubkey) -> int:
        if (token_in, token_out) == self.state.mints:
            return 0
        if (token_out, token_in) == self.state.mints:
            return 1
        raise QuoteRefused(f"pool {self.address} does not trade {token_in} for {token_out}")

    def _check_open(self) -> None:
        if self.state.status & layout.SWAP_DISABLED:
            raise QuoteRefused(f"pool {self.address} is paused")
        if self.unix_timestamp < self.state.open_time:
            raise QuoteRefused(f"pool {self.address} opens at {self.state.open_time}")


def _transfer_fees(state: layout.PoolState, snapshot: AccountSnapshot) -> tuple[TransferFee, TransferFee]:
    fee_0, fee_1 = (
        decode_mint(mint, snapshot.require(mint, program), snapshot.epoch).transfer_fee
        for mint, program in zip(state.mints, state.token_programs, strict=True)
    )
    return fee_0, fee_1


def _fee_in_input_token(terms: Market, amounts: SwapAmounts) -> int:
    """Return all fees of the pool. One taken from the output counts at the swap's own price, rounded up."""
    if terms.is_creator_fee_on_input:
        return amounts.trade_fee + amounts.creator_fee
    converted = mul_div_ceil(amounts.creator_fee, amounts.curve_amount_in, amounts.curve_amount_out)
    return amounts.trade_fee + converted


def _price_impact_bps(terms: Market, amounts: SwapAmounts) -> int:
    """Return how far the curve's price for this amount is below its price for nothing. Rounds down."""
    return mul_div_floor(amounts.curve_amount_in, BPS, terms.reserve_in + amounts.curve_amount_in)


def _readonly(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=False)


def _writable(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=True)
