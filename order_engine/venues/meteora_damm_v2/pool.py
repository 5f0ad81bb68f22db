"""Meteora DAMM v2 behind the Pool seam: swaps quoted as the program would carry them out at the snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple, Self

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
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
    PoolState,
    decode_pool,
)
from order_engine.venues.meteora_damm_v2.refusals import SlippageRefused
from order_engine.venues.meteora_damm_v2.swap import Exchange, Market, SwapMode, SwapTerms


class _Side(NamedTuple):
    """One direction of the pool: what no amount changes."""

    token_in: Pubkey
    token_out: Pubkey
    market: Market
    room: int  # what the vault of token_in can still hold
    held: int  # by the vault of token_out


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
    _sides: dict[tuple[Pubkey, Pubkey], _Side] = field(default_factory=dict, init=False, repr=False, compare=False)

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
        side = self._sides.get((swap.token_in, swap.token_out)) or self._side(swap.token_in, swap.token_out)
        return self._quote(side, side.market.from_input(swap.amount_in))

    def quote_exact_out(self, swap: ExactOutRequest) -> Quote:
        side = self._sides.get((swap.token_in, swap.token_out)) or self._side(swap.token_in, swap.token_out)
        return self._quote(side, side.market.exact_out(swap.amount_out))

    def swap_instruction(self, quote: Quote, min_amount_out: int, trader: Trader) -> Instruction:
        return self._swap2(SwapMode.EXACT_IN, quote.amount_in, min_amount_out, trader)

    def exact_out_instruction(self, quote: Quote, max_amount_in: int, trader: Trader) -> Instruction:
        return self._swap2(SwapMode.EXACT_OUT, quote.amount_out, max_amount_in, trader)

    def _quote(self, side: _Side, exchange: Exchange) -> Quote:
        token_in, token_out, market, room, held = side
        amount_in, amount_out, vault_in, vault_out, fee_amount, step = exchange
        if amount_in == 0 or amount_out == 0:
            raise AmountTooSmall(f"pool {self.address} would pay {amount_out} for {amount_in}")
        if vault_out > held:
            raise QuoteRefused(f"pool {self.address} holds {held}, the swap pays {vault_out}")
        if vault_in > room:
            raise QuoteRefused(f"a vault of pool {self.address} cannot hold another {vault_in}")
        fee_token = token_in if market.fee_on_input else token_out
        impact_bps = market.curve.price_impact_bps(step)
        # By position: names take twice as long.
        return Quote(
            self.VENUE,
            self.address,
            self.time.slot,
            token_in,
            token_out,
            amount_in,
            amount_out,
            fee_amount,
            fee_token,
            impact_bps,
        )

    def _swap2(self, mode: SwapMode, amount: int, threshold: int, trader: Trader) -> Instruction:
        programs = self.token_programs
        return swap2(self.address, self.state, programs, trader, mode=mode, amount=amount, threshold=threshold)

    def _side(self, token_in: Pubkey, token_out: Pubkey) -> _Side:
        """Work out all that does not depend on the amount, once for each direction."""
        a_to_b = self._is_a_to_b(token_in, token_out)
        way = 1 if a_to_b else -1
        mint_in, mint_out = self.token_mints[::way]
        held_in, held_out = self.vault_amounts[::way]
        terms = SwapTerms(
            a_to_b=a_to_b,
            time=self.time,
            transfer_fee_in=mint_in.transfer_fee,
            transfer_fee_out=mint_out.transfer_fee,
        )
        side = _Side(token_in, token_out, Market(self.state, terms), U64_MAX - held_in, held_out)
        self._sides[token_in, token_out] = side
        return side

    def _is_a_to_b(self, token_in: Pubkey, token_out: Pubkey) -> bool:
        state = self.state
        if token_in == state.mint_a and token_out == state.mint_b:
            return True
        if token_in == state.mint_b and token_out == state.mint_a:
            return False
        raise QuoteRefused(f"pool {self.address} does not trade {token_in} for {token_out}")


def _mints(state: PoolState, snapshot: AccountSnapshot) -> tuple[Mint, Mint]:
    return _mint(snapshot, state.mint_a), _mint(snapshot, state.mint_b)


def _mint(snapshot: AccountSnapshot, address: Pubkey) -> Mint:
    return decode_mint(address, snapshot.require(address), snapshot.epoch)


def _balance(snapshot: AccountSnapshot, address: Pubkey) -> int:
    return token_amount(address, snapshot.require(address))
