"""The seam for a venue: everything the engine asks of one liquidity pool."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, NamedTuple, Protocol, Self, runtime_checkable

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from order_engine.domain.errors import PoolUnreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as the chain holds it."""

    owner: Pubkey
    lamports: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSnapshot:
    """Accounts read together at one slot, with the chain's clock of that slot. A missing account is not in it."""

    slot: int
    unix_timestamp: int
    epoch: int
    accounts: Mapping[Pubkey, Account]

    def require(self, address: Pubkey, owner: Pubkey | None = None) -> Account:
        """Return the account.

        Raises:
            PoolUnreadable: it does not exist, or another program owns it.
        """
        account = self.accounts.get(address)
        if account is None:
            raise PoolUnreadable(f"account {address} does not exist")
        if owner is not None and account.owner != owner:
            raise PoolUnreadable(f"account {address} is owned by {account.owner}, not {owner}")
        return account


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFilter:
    """Selects accounts of a program: their size, and bytes they hold at offsets (getProgramAccounts)."""

    data_size: int
    memcmp: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapRequest:
    token_in: Pubkey
    token_out: Pubkey
    amount_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactOutRequest:
    token_in: Pubkey
    token_out: Pubkey
    amount_out: int


class Quote(NamedTuple):
    """What one pool would pay at one slot. Amounts in base units of their mint.

    A tuple, because a search for a route makes thousands: a frozen dataclass takes three times as long to make.
    """

    venue: str
    pool: Pubkey
    slot: int
    token_in: Pubkey
    token_out: Pubkey
    amount_in: int  # what leaves the trader's token account
    amount_out: int  # what reaches the trader's token account
    fee_amount: int  # of fee_token, all of the pool's own fees, already inside the amounts
    fee_token: Pubkey
    price_impact_bps: int  # against the spot price of the same snapshot, fees aside
    compute_units: int | None = None  # what this swap may burn; None: the venue's COMPUTE_UNITS, whatever the amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Trader:
    owner: Pubkey
    token_account_in: Pubkey
    token_account_out: Pubkey


class Pool(Protocol):
    """One pool at one slot: immutable, no IO, no clock, integer maths only."""

    VENUE: ClassVar[str]
    PROGRAM_ID: ClassVar[Pubkey]
    COMPUTE_UNITS: ClassVar[int]  # what one swap may burn, with room to spare
    SLIPPAGE_ERROR: ClassVar[int]  # the program's own code for "paid less than min_amount_out"
    EXCESS_INPUT_ERROR: ClassVar[int]  # and for "takes more than max_amount_in"

    @classmethod
    def discovery_filters(cls, mint_a: Pubkey, mint_b: Pubkey) -> Sequence[AccountFilter]:
        """Return filters that together match every pool of the pair, whichever mint the pool puts first."""
        ...

    @classmethod
    def dependencies(cls, address: Pubkey, account: Account) -> tuple[Pubkey, ...]:
        """Return the accounts `decode` needs besides the pool's own (vaults, mints, config).

        Constant for a pool, unless the venue is a TwoStepPool.

        Raises:
            PoolUnreadable: the account is not a pool of this program.
        """
        ...

    @classmethod
    def decode(cls, address: Pubkey, snapshot: AccountSnapshot) -> Self:
        """Read the pool and its dependencies out of a snapshot.

        Raises:
            PoolUnreadable: an account is missing, too short, of another program or of another kind.
        """
        ...

    def at(self, snapshot: AccountSnapshot) -> Self:
        """The same accounts at a later moment: only clock and slot differ.

        What `decode` would return for that snapshot, at a fraction of its cost.
        """
        ...

    @property
    def address(self) -> Pubkey: ...

    @property
    def slot(self) -> int:
        """The slot of the snapshot it was read from."""
        ...

    @property
    def mints(self) -> tuple[Pubkey, Pubkey]: ...

    @property
    def token_programs(self) -> tuple[Pubkey, Pubkey]:
        """The token program of each of `mints`, in the same order."""
        ...

    def quote(self, swap: SwapRequest) -> Quote:
        """Return exactly what the program would pay for `amount_in`.

        Raises:
            AmountTooSmall: the trader would receive nothing.
            QuoteRefused: the program would refuse the swap; the message says why.
        """
        ...

    def quote_exact_out(self, swap: ExactOutRequest) -> Quote:
        """Return exactly what the program would take for `amount_out`.

        Raises:
            AmountTooSmall: nothing is wanted, or it would cost nothing.
            QuoteRefused: the program would refuse the swap; the message says why.
        """
        ...

    def swap_instruction(self, quote: Quote, min_amount_out: int, trader: Trader) -> Instruction:
        """Return the swap that takes exactly the quote's `amount_in` and pays no less than `min_amount_out`."""
        ...

    def exact_out_instruction(self, quote: Quote, max_amount_in: int, trader: Trader) -> Instruction:
        """Return the swap that pays exactly the quote's `amount_out` and takes no more than `max_amount_in`."""
        ...


@runtime_checkable
class TwoStepPool(Protocol):
    """A venue whose dependencies follow the price, or can only be told from other accounts."""

    @classmethod
    def further_dependencies(cls, address: Pubkey, snapshot: AccountSnapshot) -> tuple[Pubkey, ...]:
        """Return what `decode` needs besides, as the pool and its `dependencies` show; nothing where that is enough.

        Raises:
            PoolUnreadable: an account is not what it should be.
        """
        ...


def missing_dependencies(venue: type[Pool], address: Pubkey, snapshot: AccountSnapshot) -> tuple[Pubkey, ...]:
    """Return what to read, together with all the rest, before decoding. Nothing for most venues.

    Raises:
        PoolUnreadable: an account is not what it should be.
    """
    two_step = _two_step(venue)
    if two_step is None:
        return ()
    return tuple(key for key in two_step.further_dependencies(address, snapshot) if key not in snapshot.accounts)


@cache
def _two_step(venue: type[Pool]) -> TwoStepPool | None:
    """Remembered: to look through the members of a protocol takes longer than all the rest of a pool."""
    asked: object = venue
    return asked if isinstance(asked, TwoStepPool) else None
