"""What is known of the pools of some pairs, and how old it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey

from order_engine.domain.pool import Pool

Pair = frozenset[Pubkey]  # two mints


def pair_of(pool: Pool) -> Pair:
    return frozenset(pool.mints)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A pool, or a whole venue, that could not be read, and why."""

    venue: str
    pool: Pubkey | None  # None: the venue as a whole
    reason: str  # CODE: message


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketView:
    """Pools as the chain held them: each says the slot it was read at."""

    slot: int  # the newest slot seen; a pool's age is the difference
    pools: Sequence[Pool]
    left_out: Sequence[LeftOut] = ()
