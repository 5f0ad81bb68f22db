"""Which tokens a swap may pass through, and so which pairs the market is asked for."""

from collections.abc import Sequence
from itertools import pairwise, permutations
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.market import Pair

MAX_HOPS: Final = 3

Path = tuple[Pubkey, ...]  # from the token paid to the token received, no token twice


def paths(token_in: Pubkey, token_out: Pubkey, hubs: Sequence[Pubkey], max_hops: int) -> tuple[Path, ...]:
    """Return every chain of tokens with at most `max_hops` trades, the shortest first. None if both are the same."""
    if token_in == token_out:
        return ()
    between = [hub for hub in dict.fromkeys(hubs) if hub not in (token_in, token_out)]
    return tuple(
        (token_in, *way, token_out) for hops in range(min(max_hops, MAX_HOPS)) for way in permutations(between, hops)
    )


def pairs_of(token_in: Pubkey, token_out: Pubkey, hubs: Sequence[Pubkey], max_hops: int) -> frozenset[Pair]:
    """Return the pairs whose pools a search needs."""
    found = paths(token_in, token_out, hubs, max_hops)
    return frozenset(frozenset(pair) for path in found for pair in pairwise(path))
