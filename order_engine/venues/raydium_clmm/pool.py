"""A Raydium CLMM pool behind the engine's venue seam: swaps quoted as the program would carry them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, Self

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
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
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, Mint, decode_mint, token_amount
from order_engine.venues.raydium_clmm import layout
from order_engine.venues.raydium_clmm import swap as swaps
from order_engine.venues.raydium_clmm.instructions import SwapArguments, swap_v2
from order_engine.venues.raydium_clmm.ladder import Exchange, Ladder
from order_engine.venues.raydium_clmm.refusals import TOO_LITTLE_OUTPUT_RECEIVED, TOO_MUCH_INPUT_PAID, TickArrayMissing
from order_engine.venues.raydium_clmm.tick_arrays import (
    ArrayBitmap,
    TickArray,
    TickPath,
    check_extension,
    decode_bitmap,
    decode_tick_array,
    nearest_arrays,
    ticks_ahead,
)
from order_engine.venues.raydium_clmm.ticks import MAX_SQRT_PRICE_X64, MAX_TICK, MIN_SQRT_PRICE_X64, MIN_TICK
from order_engine.venues.raydium_clmm.walk import Terms, Walk, furthest_limit, terms_of

ARRAYS_EACH_WAY: Final = 5  # read and passed along: as many as fit a transaction beside the rest
ARRAYS_MISSED: Final = 3  # each way: worth a second reading where the first did not bring them
# As the program was seen to burn at most, on swaps of up to 29 steps. All of a transaction is 1.4 million.
_UNITS_PER_SWAP, _UNITS_PER_STEP = 90_000, 20_000
MAX_STEPS: Final = 58


@dataclass(frozen=True, slots=True, kw_only=True)
class RaydiumClmmPool:
    """One pool at one slot. `mints`, `token_mints` and `vault_amounts` are of token 0, then 1."""

    VENUE: ClassVar[str] = "raydium_clmm"
    PROGRAM_ID: ClassVar[Pubkey] = layout.PROGRAM_ID
    COMPUTE_UNITS: ClassVar[int] = _UNITS_PER_SWAP + MAX_STEPS * _UNITS_PER_STEP  # 55 to 481 thousand seen
    SLIPPAGE_ERROR: ClassVar[int] = TOO_LITTLE_OUTPUT_RECEIVED
    EXCESS_INPUT_ERROR: ClassVar[int] = TOO_MUCH_INPUT_PAID

    address: Pubkey
    slot: int
    unix_timestamp: int
    state: layout.PoolState
    config: layout.AmmConfig
    token_mints: tuple[Mint, Mint]
    vault_amounts: tuple[int, int]
    bitmap: ArrayBitmap
    has_extension: bool
    arrays: Mapping[int, TickArray]  # by their first tick
    _paths: dict[int, tuple[TickPath, Ladder]] = field(default_factory=dict, init=False, repr=False, compare=False)

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
        extension = layout.bitmap_extension_address(address)
        return (state.config, *state.vaults, *state.mints, extension, *_array_addresses(address, state, None))

    @classmethod
    def further_dependencies(cls, address: Pubkey, snapshot: AccountSnapshot) -> tuple[Pubkey, ...]:
        """The arrays follow the price, and those far from price 1 are flagged in the extension only."""
        state = layout.decode_pool(address, snapshot.require(address))
        extension = _extension(address, snapshot)
        if set(_array_addresses(address, state, extension, ARRAYS_MISSED)) <= snapshot.accounts.keys():
            return ()
        return _array_addresses(address, state, extension)

    @classmethod
    def decode(cls, address: Pubkey, snapshot: AccountSnapshot) -> Self:
        state = layout.decode_pool(address, snapshot.require(address))
        _check_price(address, state)
        extension = _extension(address, snapshot)
        bitmap = decode_bitmap(state, extension)
        config = layout.decode_config(state.config, snapshot.require(state.config))
        vault_0, vault_1 = (token_amount(vault, snapshot.require(vault)) for vault in state.vaults)
        return cls(
            address=address,
            slot=snapshot.slot,
            unix_timestamp=snapshot.unix_timestamp,
            state=state,
            config=config,
            token_mints=_mints(state, snapshot),
            vault_amounts=(vault_0, vault_1),
            bitmap=bitmap,
            has_extension=extension is not None,
            arrays=_arrays(address, state, bitmap, snapshot),
        )

    def at(self, snapshot: AccountSnapshot) -> Self:
        """The same accounts at a later moment: only clock and slot differ."""
        moved = replace(
            self,
            slot=snapshot.slot,
            unix_timestamp=snapshot.unix_timestamp,
            token_mints=_mints(self.state, snapshot),  # a transfer fee may change with the epoch
        )
        if self._volatility == moved._volatility:
            object.__setattr__(moved, "_paths", self._paths)
        return moved

    @property
    def mints(self) -> tuple[Pubkey, Pubkey]:
        return self.state.mints

    @property
    def token_programs(self) -> tuple[Pubkey, Pubkey]:
        return (self.token_mints[0].token_program, self.token_mints[1].token_program)

    def quote(self, swap: SwapRequest) -> Quote:
        side_in = self._side_in(swap.token_in, swap.token_out)
        given = self._given(side_in, swap.amount_in, exact_in=True)
        _, ladder = self._path(side_in)
        exchange = ladder.exact_in(given, MAX_STEPS)
        amount_out = exchange.amount_out - self.token_mints[1 - side_in].transfer_fee.on(exchange.amount_out)
        if amount_out == 0:
            raise AmountTooSmall(f"pool {self.address} pays nothing for {swap.amount_in}")
        return self._quoted(side_in, exchange, swap.amount_in, amount_out)

    def quote_exact_out(self, swap: ExactOutRequest) -> Quote:
        side_in = self._side_in(swap.token_in, swap.token_out)
        given = self._given(side_in, swap.amount_out, exact_in=False)
        path, _ = self._path(side_in)
        walk = Walk(self._terms(side_in, path, exact_in=False), self.state, given)
        walk.run(MAX_STEPS)
        if not walk.is_over:
            raise QuoteRefused(f"the swap takes more than the {MAX_STEPS} steps that a transaction can pay")
        fee_in, fee_out = self.token_mints[side_in].transfer_fee, self.token_mints[1 - side_in].transfer_fee
        amounts = swaps.settle(walk, swap.amount_out, given, fee_in, fee_out)
        swaps.check_whole(walk)
        exchange = Exchange(amounts.pool_amount_in, amounts.pool_amount_out, walk.fee_amount, walk.steps)
        return self._quoted(side_in, exchange, amounts.amount_in, amounts.amount_out)

    def swap_instruction(self, quote: Quote, min_amount_out: int, trader: Trader) -> Instruction:
        return self._instruction(quote, SwapArguments(amount=quote.amount_in, threshold=min_amount_out), trader)

    def exact_out_instruction(self, quote: Quote, max_amount_in: int, trader: Trader) -> Instruction:
        side_in = self._side_in(quote.token_in, quote.token_out)
        # Without a limit the program of August 2025 compares the wrong amounts where a transfer fee is on the output.
        may_have_fee = self.token_programs[1 - side_in] == TOKEN_2022_PROGRAM
        arguments = SwapArguments(
            amount=quote.amount_out,
            threshold=max_amount_in,
            sqrt_price_limit_x64=furthest_limit(upwards=side_in == 1) if may_have_fee else 0,
            is_base_input=False,
        )
        return self._instruction(quote, arguments, trader)

    def _instruction(self, quote: Quote, arguments: SwapArguments, trader: Trader) -> Instruction:
        side_in = self._side_in(quote.token_in, quote.token_out)
        path, _ = self._path(side_in)
        extension = [layout.bitmap_extension_address(self.address)] if self.has_extension else []
        arrays = [layout.tick_array_address(self.address, start) for start in path.arrays]
        return swap_v2(self.address, self.state, trader, side_in, arguments, extension + arrays)

    def _given(self, side_in: int, amount: int, *, exact_in: bool) -> int:
        """Return the amount in the pool's view, if the pool swaps it: `amount` is of the input, or of the output."""
        if not 0 <= amount <= U64_MAX:
            raise QuoteRefused(f"amount {amount} does not fit u64")
        fee = self.token_mints[side_in if exact_in else 1 - side_in].transfer_fee
        given = swaps.pool_amount(amount, fee, exact_in=exact_in)
        swaps.check_open(self.state, self.unix_timestamp)
        swaps.check_swap(self.state, given)
        return given

    def _quoted(self, side_in: int, exchange: Exchange, amount_in: int, amount_out: int) -> Quote:
        self._check_vaults(side_in, exchange)
        mints = self.state.mints
        _, ladder = self._path(side_in)
        return Quote(
            venue=self.VENUE,
            pool=self.address,
            slot=self.slot,
            token_in=mints[side_in],
            token_out=mints[1 - side_in],
            amount_in=amount_in,
            amount_out=amount_out,
            fee_amount=exchange.fee_amount,
            fee_token=mints[side_in if self.state.is_fee_on_input(side_in) else 1 - side_in],
            price_impact_bps=ladder.price_impact_bps(exchange),
            compute_units=_UNITS_PER_SWAP + _UNITS_PER_STEP * exchange.steps,
        )

    def _path(self, side_in: int) -> tuple[TickPath, Ladder]:
        """Return the ticks ahead and the running sums of one direction, made once."""
        found = self._paths.get(side_in)
        if found is None:
            path = ticks_ahead(self.bitmap, self.state, self._array, upwards=side_in == 1)
            terms = self._terms(side_in, path, exact_in=True)
            found = self._paths[side_in] = (path, Ladder(terms, self.state))
        return found

    @property
    def _volatility(self) -> tuple[int, int] | None:
        """Return all that running sums know of the time: what the dynamic fee refers to."""
        fee = self.state.dynamic_fee
        if fee is None:
            return None
        fee = fee.at_start(self.state.tick_current // self.state.tick_spacing, self.unix_timestamp)
        return fee.group_reference, fee.volatility_reference

    def _terms(self, side_in: int, path: TickPath, *, exact_in: bool) -> Terms:
        now = self.unix_timestamp
        return terms_of(self.state, self.config, path, now, upwards=side_in == 1, exact_in=exact_in)

    def _array(self, start: int) -> TickArray:
        array = self.arrays.get(start)
        if array is None:
            raise TickArrayMissing(f"tick array {start} of pool {self.address} is not at hand")
        return array

    def _side_in(self, token_in: Pubkey, token_out: Pubkey) -> int:
        if (token_in, token_out) == self.state.mints:
            return 0
        if (token_out, token_in) == self.state.mints:
            return 1
        raise QuoteRefused(f"pool {self.address} does not trade {token_in} for {token_out}")

    def _check_vaults(self, side_in: int, exchange: Exchange) -> None:
        held_in, held_out = self.vault_amounts[side_in], self.vault_amounts[1 - side_in]
        if exchange.amount_out > held_out:
            raise QuoteRefused(f"pool {self.address} holds {held_out}, the swap pays {exchange.amount_out}")
        if held_in + exchange.amount_in > U64_MAX:
            raise QuoteRefused(f"a vault of pool {self.address} cannot hold another {exchange.amount_in}")


def _extension(address: Pubkey, snapshot: AccountSnapshot) -> bytes | None:
    key = layout.bitmap_extension_address(address)
    account = snapshot.accounts.get(key)
    return None if account is None else check_extension(key, account, address)


def _mints(state: layout.PoolState, snapshot: AccountSnapshot) -> tuple[Mint, Mint]:
    mint_0, mint_1 = (decode_mint(mint, snapshot.require(mint), snapshot.epoch) for mint in state.mints)
    return mint_0, mint_1


def _array_addresses(
    address: Pubkey, state: layout.PoolState, extension: bytes | None, each_way: int = ARRAYS_EACH_WAY
) -> tuple[Pubkey, ...]:
    starts = nearest_arrays(decode_bitmap(state, extension), state, each_way)
    return tuple(layout.tick_array_address(address, start) for start in starts)


def _arrays(
    address: Pubkey, state: layout.PoolState, bitmap: ArrayBitmap, snapshot: AccountSnapshot
) -> dict[int, TickArray]:
    """Read the nearest arrays that are at hand. One that is not stops the swaps that reach it, no others."""
    found = {}
    for start in nearest_arrays(bitmap, state, ARRAYS_EACH_WAY):
        key = layout.tick_array_address(address, start)
        account = snapshot.accounts.get(key)
        if account is not None:
            array = decode_tick_array(key, account, state.tick_spacing)
            if (array.pool, array.start) != (address, start):
                raise PoolUnreadable(f"tick array {key} is not the one from {start} on of pool {address}")
            found[start] = array
    return found


def _check_price(address: Pubkey, state: layout.PoolState) -> None:
    price_known = MIN_SQRT_PRICE_X64 <= state.sqrt_price_x64 < MAX_SQRT_PRICE_X64
    if not price_known or not MIN_TICK <= state.tick_current <= MAX_TICK:
        raise PoolUnreadable(f"pool {address} has no price: {state.sqrt_price_x64} at tick {state.tick_current}")
