"""What is to be swapped, the ways to do it, and the one that was taken. Immutable; amounts in base units."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Final

from solders.pubkey import Pubkey


class SwapMode(StrEnum):
    EXACT_IN = "exact_in"  # amount_in is spent, slippage bounds what is received
    EXACT_OUT = "exact_out"  # amount_out is received, slippage bounds what is paid


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """Bounds that an order sets beside slippage. None: not asked for."""

    max_price_impact_bps: int | None = None
    max_total_fee_lamports: int | None = None  # base fee, priority fee and rent that does not come back
    max_quote_age_slots: int | None = None  # between the quote's snapshot and the signature


NO_GUARDS: Final = Guards()


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapTerms:
    """What is to be swapped, and what the caller accepts."""

    token_in: Pubkey
    token_out: Pubkey
    swap_mode: SwapMode = SwapMode.EXACT_IN
    amount: int  # base units: of token_in for EXACT_IN, of token_out for EXACT_OUT
    slippage_bps: int
    guards: Guards = NO_GUARDS


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteLeg:
    """One swap in one pool. Amounts in base units; the fee is already inside them.

    An EXACT_IN leg spends `amount_in`, which is also its `max_amount_in`; an EXACT_OUT leg receives `amount_out`,
    which is also its `min_amount_out`. The other bound is enforced on chain.
    """

    venue: str
    pool: Pubkey
    token_in: Pubkey
    token_out: Pubkey
    amount_in: int
    amount_out: int
    fee_amount: int
    fee_token: Pubkey
    share_bps: int  # of the amount entering this hop
    min_amount_out: int
    max_amount_in: int
    price_impact_bps: int = 0
    compute_units: int = 0  # what this swap may burn


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A way from token_in to token_out, executed in one transaction.

    Hops follow each other; the legs of one hop stand together, trade the same pair and share what enters it. A hop
    enters with what the one before it is sure to pay: the rest stays in the wallet, in that hop's token.
    """

    legs: tuple[RouteLeg, ...]
    swap_mode: SwapMode = SwapMode.EXACT_IN
    amount_in: int  # EXACT_OUT: as quoted
    amount_out: int  # EXACT_IN: as quoted
    min_amount_out: int  # enforced on chain
    max_amount_in: int  # enforced on chain
    price_impact_bps: int
    slot: int  # of the oldest snapshot it was quoted on
    quote_age_slots: int = 0  # how far behind the chain that was
    network_fee_lamports: int = 0  # base and priority fee
    rent_lamports: int = 0  # for token accounts that stay open

    @property
    def hops(self) -> tuple[tuple[RouteLeg, ...], ...]:
        """The legs, grouped by the pair they trade, in order."""
        return tuple(tuple(legs) for _, legs in groupby(self.legs, key=lambda leg: (leg.token_in, leg.token_out)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way that was looked at. A rejected one says why, and has a route only if it could be quoted."""

    venue: str  # of a route with several legs: "first+second" share a hop, "first>second" follow each other
    pool: Pubkey | None  # None for several legs, and when the venue as a whole could not be read
    route: Route | None = None
    net_amount_out: int = 0  # EXACT_IN: what is received after all costs, in token_out
    net_amount_in: int = 0  # EXACT_OUT: what is paid with all costs, in token_in
    reject_reason: str = ""  # empty for a usable one
    chosen: bool = False
