"""Meteora DLMM behind the Pool seam: swaps quoted as the program would carry them out at the snapshot."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import ClassVar, Final, NamedTuple, Self

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.amounts import U64_MAX
from order_engine.domain.errors import PoolUnreadable, QuoteRefused
from order_engine.domain.pool import (
    Account,
    AccountFilter,
    AccountSnapshot,
    ExactOutRequest,
    Quote,
    SwapRequest,
    Trader,
)
from order_engine.domain.tokens import Mint, TransferFee, decode_mint, token_amount
from order_engine.venues.meteora_dlmm.arrays import (
    NO_EXTENSION,
    OWN_ARRAYS,
    BinArray,
    Bitmap,
    Extension,
    array_index_of,
    decode_array,
    decode_extension,
)
from order_engine.venues.meteora_dlmm.bins import Path, references
from order_engine.venues.meteora_dlmm.hooks import has_transfer_hook
from order_engine.venues.meteora_dlmm.instructions import SwapAccounts, swap2, swap_exact_out2
from order_engine.venues.meteora_dlmm.layout import (
    MINING,
    MINT_X_OFFSET,
    MINT_Y_OFFSET,
    PAIR_DISCRIMINATOR,
    PAIR_SIZE,
    PROGRAM_ID,
    PairState,
    array_address,
    decode_pair,
    extension_address,
)
from order_engine.venues.meteora_dlmm.refusals import SlippageRefused
from order_engine.venues.meteora_dlmm.swap import ChainTime, SwapOutcome, exact_in, exact_out, require_open
from order_engine.venues.meteora_dlmm.walk import Walk

# A bin costs some 6,000 compute units: a transaction's 1.4 million end before a fourth array does.
ARRAYS_PER_DIRECTION: Final = 3
# As the program was seen to burn at most, on swaps of up to 112 bins that held something.
_UNITS_PER_SWAP, _UNITS_PER_BIN, _UNITS_PER_BIN_WITH_ORDERS = 65_000, 6_500, 9_000


_Swap = Callable[[Walk, TransferFee, TransferFee, int, int], SwapOutcome]


class _Side(NamedTuple):
    """One direction of an open pool: what no amount changes."""

    token_in: Pubkey
    token_out: Pubkey
    walk: Walk
    fees: tuple[TransferFee, TransferFee]  # of token_in, of token_out
    room: int  # what the vault of token_in can still hold
    held: int  # by the vault of token_out
    units_per_bin: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteoraDlmmPool:
    """One pool at one slot. `token_mints` and `vault_amounts` are X, then Y."""

    VENUE: ClassVar[str] = "meteora_dlmm"
    PROGRAM_ID: ClassVar[Pubkey] = PROGRAM_ID
    COMPUTE_UNITS: ClassVar[int] = 1_000_000  # 39 to 862 thousand seen, by the bins crossed
    SLIPPAGE_ERROR: ClassVar[int] = SlippageRefused.program_error
    EXCESS_INPUT_ERROR: ClassVar[int] = SlippageRefused.program_error

    address: Pubkey
    time: ChainTime
    state: PairState
    extension: Extension | None
    arrays: Mapping[int, BinArray]
    token_mints: tuple[Mint, Mint]
    vault_amounts: tuple[int, int]
    _walks: dict[bool, Walk] = field(default_factory=dict, init=False, repr=False, compare=False)  # by x_to_y
    _sides: dict[tuple[Pubkey, Pubkey], _Side] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def discovery_filters(cls, mint_a: Pubkey, mint_b: Pubkey) -> Sequence[AccountFilter]:
        return tuple(
            AccountFilter(
                data_size=PAIR_SIZE,
                memcmp=((0, PAIR_DISCRIMINATOR), (MINT_X_OFFSET, bytes(first)), (MINT_Y_OFFSET, bytes(second))),
            )
            for first, second in ((mint_a, mint_b), (mint_b, mint_a))
        )

    @classmethod
    def dependencies(cls, address: Pubkey, account: Account) -> tuple[Pubkey, ...]:
        """Besides vaults and mints: the bitmap extension, and the bin arrays around the active bin.

        The arrays follow the price. One that does not exist is simply not read; a swap that needs it is refused.
        """
        state = decode_pair(address, account)
        arrays = (array_address(address, index) for index in _near_arrays(state))
        fixed = (state.mint_x, state.mint_y, state.reserve_x, state.reserve_y, extension_address(address))
        return (*fixed, *arrays)

    @classmethod
    def further_dependencies(cls, address: Pubkey, snapshot: AccountSnapshot) -> tuple[Pubkey, ...]:
        """The bin arrays that only the bitmap extension names, or that the price has moved to since."""
        state = decode_pair(address, snapshot.require(address))
        arrays = (array_address(address, index) for index in _wanted_arrays(state, _extension(address, snapshot)))
        return tuple(array for array in arrays if array not in snapshot.accounts)

    @classmethod
    def decode(cls, address: Pubkey, snapshot: AccountSnapshot) -> Self:
        state = decode_pair(address, snapshot.require(address))
        extension = _extension(address, snapshot)
        return cls(
            address=address,
            time=ChainTime(slot=snapshot.slot, unix_timestamp=snapshot.unix_timestamp),
            state=state,
            extension=extension,
            arrays=_read_arrays(address, state, extension, snapshot),
            token_mints=_mints(state, snapshot),
            vault_amounts=(_balance(snapshot, state.reserve_x), _balance(snapshot, state.reserve_y)),
        )

    def at(self, snapshot: AccountSnapshot) -> Self:
        """The same accounts at a later moment: only clock and slot differ."""
        moved = replace(
            self,
            time=ChainTime(slot=snapshot.slot, unix_timestamp=snapshot.unix_timestamp),
            token_mints=_mints(self.state, snapshot),  # a transfer fee may change with the epoch
        )
        # All that running sums know of the time is where the volatility counts from.
        if references(self.state, self.time.unix_timestamp) == references(self.state, moved.time.unix_timestamp):
            object.__setattr__(moved, "_walks", self._walks)
        return moved

    @property
    def slot(self) -> int:
        return self.time.slot

    @property
    def mints(self) -> tuple[Pubkey, Pubkey]:
        return (self.state.mint_x, self.state.mint_y)

    @property
    def token_programs(self) -> tuple[Pubkey, Pubkey]:
        return (self.token_mints[0].token_program, self.token_mints[1].token_program)

    def quote(self, swap: SwapRequest) -> Quote:
        side = self._sides.get((swap.token_in, swap.token_out)) or self._open_side(swap.token_in, swap.token_out)
        return self._quote(side, exact_in, swap.amount_in, 0)

    def quote_exact_out(self, swap: ExactOutRequest) -> Quote:
        side = self._sides.get((swap.token_in, swap.token_out)) or self._open_side(swap.token_in, swap.token_out)
        return self._quote(side, exact_out, swap.amount_out, U64_MAX)

    def swap_instruction(self, quote: Quote, min_amount_out: int, trader: Trader) -> Instruction:
        return swap2(self._accounts(quote, trader), amount_in=quote.amount_in, min_amount_out=min_amount_out)

    def exact_out_instruction(self, quote: Quote, max_amount_in: int, trader: Trader) -> Instruction:
        accounts = self._accounts(quote, trader)
        return swap_exact_out2(accounts, max_amount_in=max_amount_in, amount_out=quote.amount_out)

    def _quote(self, side: _Side, swap: _Swap, amount: int, threshold: int) -> Quote:
        if not 0 <= amount <= U64_MAX:
            raise QuoteRefused(f"amount {amount} does not fit 64 bits")
        token_in, token_out, walk, (fee_in, fee_out), room, held, units_per_bin = side
        amount_in, amount_out, trade = swap(walk, fee_in, fee_out, amount, threshold)
        vault_in, vault_out, _, _, fee_amount, whole_bins, _, _, _, _ = trade
        if vault_out > held:
            raise QuoteRefused(f"pool {self.address} holds {held}, the swap pays {vault_out}")
        if vault_in > room:
            raise QuoteRefused(f"a vault of pool {self.address} cannot hold another {vault_in}")
        fee_token = token_in if walk.is_fee_on_input else token_out
        impact, units = walk.price_impact_bps(trade), _UNITS_PER_SWAP + units_per_bin * (whole_bins + 1)
        venue, pool, slot = self.VENUE, self.address, self.time.slot
        # By position: names take twice as long.
        return Quote(
            venue, pool, slot, token_in, token_out, amount_in, amount_out, fee_amount, fee_token, impact, units
        )

    def _open_side(self, token_in: Pubkey, token_out: Pubkey) -> _Side:
        """Check all that does not depend on the amount, once for each direction."""
        x_to_y = self._is_x_to_y(token_in, token_out)
        require_open(self.state, self.time)
        way = 1 if x_to_y else -1
        mint_in, mint_out = self.token_mints[::way]
        held_in, held_out = self.vault_amounts[::way]
        side = _Side(
            token_in=token_in,
            token_out=token_out,
            walk=self._walk(x_to_y=x_to_y),
            fees=(mint_in.transfer_fee, mint_out.transfer_fee),
            room=U64_MAX - held_in,
            held=held_out,
            units_per_bin=_UNITS_PER_BIN if self.state.function_type == MINING else _UNITS_PER_BIN_WITH_ORDERS,
        )
        self._sides[token_in, token_out] = side
        return side

    def _is_x_to_y(self, token_in: Pubkey, token_out: Pubkey) -> bool:
        if token_in == self.state.mint_x and token_out == self.state.mint_y:
            return True
        if token_in == self.state.mint_y and token_out == self.state.mint_x:
            return False
        raise QuoteRefused(f"pool {self.address} does not trade {token_in} for {token_out}")

    def _walk(self, *, x_to_y: bool) -> Walk:
        walk = self._walks.get(x_to_y)
        if walk is None:
            path = Path.at(self.time.unix_timestamp, self.state, self.extension, self.arrays, x_to_y=x_to_y)
            walk = self._walks[x_to_y] = Walk(path, has_extension=self.extension is not None)
        return walk

    def _accounts(self, quote: Quote, trader: Trader) -> SwapAccounts:
        down = self._is_x_to_y(quote.token_in, quote.token_out)
        bitmap = _bitmap(self.state, self.extension)
        way = bitmap.walk(array_index_of(self.state.active_id), ARRAYS_PER_DIRECTION, down=down)
        return SwapAccounts(
            pool=self.address,
            state=self.state,
            token_programs=self.token_programs,
            trader=trader,
            extension=None if self.extension is None else extension_address(self.address),
            bin_arrays=[array_address(self.address, index) for index in takewhile(self.arrays.__contains__, way)],
        )


def _bitmap(state: PairState, extension: Extension | None) -> Bitmap:
    return Bitmap(state.bitmap, extension or NO_EXTENSION)


def _near_arrays(state: PairState) -> list[int]:
    """Return the arrays a swap in either direction may need, as far as the pool's own account can tell.

    Flags beyond its own bitmap are in the extension: there, the next arrays in a row stand for the flagged ones.
    """
    active = array_index_of(state.active_id)
    bitmap = Bitmap(state.bitmap, NO_EXTENSION)
    beside = range(active - ARRAYS_PER_DIRECTION + 1, active + ARRAYS_PER_DIRECTION)
    near = {index for index in beside if not -OWN_ARRAYS <= index < OWN_ARRAYS}
    for down in (True, False):
        near.update(bitmap.walk(active, ARRAYS_PER_DIRECTION, down=down))
    return sorted(near)


def _extension(pool: Pubkey, snapshot: AccountSnapshot) -> Extension | None:
    address = extension_address(pool)
    account = snapshot.accounts.get(address)
    return None if account is None else decode_extension(address, account, pool)


def _wanted_arrays(state: PairState, extension: Extension | None) -> list[int]:
    bitmap, active = _bitmap(state, extension), array_index_of(state.active_id)
    walks = (bitmap.walk(active, ARRAYS_PER_DIRECTION, down=down) for down in (True, False))
    return sorted({index for walk in walks for index in walk})


def _read_arrays(
    pool: Pubkey, state: PairState, extension: Extension | None, snapshot: AccountSnapshot
) -> dict[int, BinArray]:
    arrays: dict[int, BinArray] = {}
    for index in _wanted_arrays(state, extension):
        address = array_address(pool, index)
        account = snapshot.accounts.get(address)
        if account is not None:
            arrays[index] = decode_array(address, account, pool)
            if arrays[index].index != index:
                raise PoolUnreadable(f"bin array {address} is number {arrays[index].index} instead of {index}")
    return arrays


def _mints(state: PairState, snapshot: AccountSnapshot) -> tuple[Mint, Mint]:
    return _mint(snapshot, state.mint_x), _mint(snapshot, state.mint_y)


def _mint(snapshot: AccountSnapshot, address: Pubkey) -> Mint:
    account = snapshot.require(address)
    if has_transfer_hook(account.data):
        raise PoolUnreadable(f"transfers of {address} call another program, which swaps do not provide for")
    return decode_mint(address, account, snapshot.epoch)


def _balance(snapshot: AccountSnapshot, address: Pubkey) -> int:
    return token_amount(address, snapshot.require(address))
