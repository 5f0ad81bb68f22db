"""The pools of a view by pair and direction, in an order that does not depend on the view's."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from solders.pubkey import Pubkey

from order_engine.domain.market import MarketView, Pair, pair_of
from order_engine.domain.pool import Pool
from order_engine.domain.route import SwapMode, SwapTerms
from order_engine.domain.routing.pool_side import PoolSide
from order_engine.domain.tokens import WRAPPED_SOL

Sides = tuple[PoolSide, ...]


@dataclass(frozen=True, slots=True)
class SidesOfView:
    pools: dict[Pair, list[Pool]]
    mode: SwapMode
    oldest_slot: int  # of a quote that the order accepts
    _sides: dict[tuple[Pubkey, Pubkey], Sides] = field(default_factory=dict)

    @classmethod
    def of(cls, view: MarketView, swap: SwapTerms) -> Self:
        pools: dict[Pair, list[Pool]] = {}
        for pool in _once_each(view.pools):
            pools.setdefault(pair_of(pool), []).append(pool)
        age = swap.guards.max_quote_age_slots
        return cls(pools, swap.swap_mode, 0 if age is None else view.slot - age)

    def all(self, token_in: Pubkey, token_out: Pubkey) -> Sides:
        found = self._sides.get((token_in, token_out))
        if found is None:
            pools = self.pools.get(frozenset((token_in, token_out)), ())
            found = tuple(PoolSide(pool, token_in, token_out, self.mode) for pool in pools)
            self._sides[token_in, token_out] = found
        return found

    def to_combine(self, token_in: Pubkey, token_out: Pubkey) -> Sides:
        """Return the pools to build longer routes of: one that is too old would spoil them, unless all are."""
        found = self.all(token_in, token_out)
        return tuple(side for side in found if side.pool.slot >= self.oldest_slot) or found

    def selling_sol(self, token: Pubkey) -> Sides:
        """Return the pools that tell what SOL is worth in this token."""
        pools = self.pools.get(frozenset((WRAPPED_SOL, token)), ())
        return tuple(PoolSide(pool, WRAPPED_SOL, token, SwapMode.EXACT_IN) for pool in pools)


def _once_each(pools: Iterable[Pool]) -> list[Pool]:
    by_address = {bytes(pool.address): pool for pool in pools}
    return [by_address[address] for address in sorted(by_address)]
