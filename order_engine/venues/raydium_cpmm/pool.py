"""A Raydium CPMM pool behind the engine's venue seam."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, NamedTuple, Self

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


class _Side(NamedTuple):
    """One direction of an open pool: what no amount changes."""

    token_in: Pubkey
    token_out: Pubkey
    terms: Market
    room: int  # what the vault of token_in can still hold


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
    _sides: dict[tuple[Pubkey, Pubkey], _Side] = field(default_factory=dict, init=False, repr=False, compare=False)

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
        side = self._sides.get((swap.token_in, swap.token_out)) or self._open_side(swap.token_in, swap.token_out)
        return self._quote(side, swap_exact_in, swap.amount_in)

    def quote_exact_out(self, swap: ExactOutRequest) -> Quote:
        side = self._sides.get((swap.token_in, swap.token_out)) or self._open_side(swap.token_in, swap.token_out)
        return self._quote(side, swap_exact_out, swap.amount_out)

    def swap_instruction(self, quote: Quote, min_amount_out: int, trader: Trader) -> Instruction:
        data = SWAP_BASE_INPUT + struct.pack("<QQ", quote.amount_in, min_amount_out)
        return Instruction(self.PROGRAM_ID, data, self._accounts(quote, trader))

    def exact_out_instruction(self, quote: Quote, max_amount_in: int, trader: Trader) -> Instruction:
        data = SWAP_BASE_OUTPUT + struct.pack("<QQ", max_amount_in, quote.amount_out)
        return Instruction(self.PROGRAM_ID, data, self._accounts(quote, trader))

    def _quote(self, side: _Side, swap: Callable[[Market, int], SwapAmounts], amount: int) -> Quote:
        token_in, token_out, terms, room = side
        if not 0 <= amount <= U64_MAX:
            raise QuoteRefused(f"the amount {amount} does not fit 64 bits")
        try:
            amount_in, amount_out, pool_in, _, curve_in, curve_out, fee, creator_fee, _ = swap(terms, amount)
        except ProgramRefuses as refusal:
            if refusal.program_error == REQUIRE_GT_VIOLATED:
                raise AmountTooSmall(refusal.message) from refusal
            raise
        if pool_in > room:
            raise QuoteRefused(f"the vault cannot hold another {pool_in}")
        if creator_fee:
            # One taken from the output counts at the swap's own price, rounded up.
            on_input = terms.is_creator_fee_on_input
            fee += creator_fee if on_input else mul_div_ceil(creator_fee, curve_in, curve_out)
        # How far the curve's price for this amount is below its price for nothing. Rounds down.
        impact_bps = mul_div_floor(curve_in, BPS, terms.reserve_in + curve_in)
        # By position: names take twice as long.
        return Quote(
            self.VENUE, self.address, self.slot, token_in, token_out, amount_in, amount_out, fee, token_in, impact_bps
        )

    def _open_side(self, token_in: Pubkey, token_out: Pubkey) -> _Side:
        """Check all that does not depend on the amount, once for each direction."""
        side_in = self._side_in(token_in, token_out)
        self._check_open()
        terms = market(self.state, self.config, self.vault_amounts, self.transfer_fees, side_in)
        side = _Side(token_in, token_out, terms, U64_MAX - self.vault_amounts[side_in])
        self._sides[token_in, token_out] = side
        return side

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


def _readonly(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=False)


def _writable(address: Pubkey) -> AccountMeta:
    return AccountMeta(address, is_signer=False, is_writable=True)
