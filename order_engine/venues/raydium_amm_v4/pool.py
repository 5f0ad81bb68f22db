"""A Raydium AMM v4 pool behind the engine's venue seam."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple, Self

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
    INSUFFICIENT_FUNDS,
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


class _Side(NamedTuple):
    """One direction of an open pool: what no amount changes."""

    token_in: Pubkey
    token_out: Pubkey
    terms: Market
    room: int  # what the vault of token_in can still hold


@dataclass(frozen=True, slots=True, kw_only=True)
class RaydiumAmmV4Pool:
    VENUE: ClassVar[str] = "raydium_amm_v4"
    PROGRAM_ID: ClassVar[Pubkey] = layout.PROGRAM_ID
    COMPUTE_UNITS: ClassVar[int] = 50_000
    SLIPPAGE_ERROR: ClassVar[int] = EXCEEDED_SLIPPAGE
    # What an exact output costs is held against the account first: one that has just max_amount_in fails so.
    EXCESS_INPUT_ERROR: ClassVar[int] = INSUFFICIENT_FUNDS

    address: Pubkey
    slot: int
    unix_timestamp: int
    state: layout.PoolState
    vault_amounts: tuple[int, int]
    _sides: dict[tuple[Pubkey, Pubkey], _Side] = field(default_factory=dict, init=False, repr=False, compare=False)

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
        side = self._sides.get((swap.token_in, swap.token_out)) or self._open_side(swap.token_in, swap.token_out)
        if not 0 <= swap.amount_in <= side.room:
            raise QuoteRefused(f"the vault cannot hold another {swap.amount_in}")
        return self._quote(side, swap_exact_in(side.terms, swap.amount_in))

    def quote_exact_out(self, swap: ExactOutRequest) -> Quote:
        side = self._sides.get((swap.token_in, swap.token_out)) or self._open_side(swap.token_in, swap.token_out)
        if not 0 <= swap.amount_out <= U64_MAX:
            raise QuoteRefused(f"the amount {swap.amount_out} is beyond u64")
        if swap.amount_out == 0:
            raise AmountTooSmall("no output is wanted")
        amounts = swap_exact_out(side.terms, swap.amount_out)
        if amounts.amount_in > side.room:
            raise QuoteRefused(f"the vault cannot hold another {amounts.amount_in}")
        return self._quote(side, amounts)

    def swap_instruction(self, quote: Quote, min_amount_out: int, trader: Trader) -> Instruction:
        return swap(self.address, self.state, trader, (SWAP_BASE_IN, quote.amount_in, min_amount_out))

    def exact_out_instruction(self, quote: Quote, max_amount_in: int, trader: Trader) -> Instruction:
        return swap(self.address, self.state, trader, (SWAP_BASE_OUT, max_amount_in, quote.amount_out))

    def _quote(self, side: _Side, amounts: SwapAmounts) -> Quote:
        token_in, token_out, terms, _ = side
        try:
            check_paid(terms, amounts)
        except ProgramRefuses as refusal:
            if refusal.program_error == INVALID_INPUT:
                raise AmountTooSmall(refusal.message) from refusal
            raise
        amount_in, amount_out, fee_amount, curve_in = amounts
        # How far the curve's price for this amount is below its price for nothing. Rounds down.
        impact_bps = mul_div_floor(curve_in, BPS, terms.reserve_in + curve_in)
        # By position: names take twice as long.
        return Quote(
            self.VENUE,
            self.address,
            self.slot,
            token_in,
            token_out,
            amount_in,
            amount_out,
            fee_amount,
            token_in,
            impact_bps,
        )

    def _open_side(self, token_in: Pubkey, token_out: Pubkey) -> _Side:
        """Check all that does not depend on the amount, once for each direction."""
        side_in = self._side_in(token_in, token_out)
        self._check_open()
        terms = market(self.state, self.vault_amounts, side_in)
        side = _Side(token_in, token_out, terms, U64_MAX - self.vault_amounts[side_in])
        self._sides[token_in, token_out] = side
        return side

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
