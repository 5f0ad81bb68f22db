"""Quotes of many amounts on one pool state: whole steps are walked once, and summed up.

What a step costs when it goes all the way does not depend on the amount. So an amount is looked up among the running
sums, and only its last step is computed.
"""

from bisect import bisect_left

from order_engine.domain.amounts import U64_MAX
from order_engine.venues.raydium_clmm.layout import PoolState
from order_engine.venues.raydium_clmm.refusals import ProgramRefusal
from order_engine.venues.raydium_clmm.walk import Terms, Walk


class Ladder:
    """One direction of a pool, for exact inputs. It grows as larger amounts are asked for."""

    def __init__(self, terms: Terms, state: PoolState) -> None:
        self._walks = [Walk(terms, state, U64_MAX)]  # after each whole step
        self._spent = [0]  # by each of them
        self._ends = False

    def walk(self, amount: int, max_steps: int) -> Walk:
        """Return the swap of `amount`, gone as far as it gets within `max_steps`.

        Raises:
            ProgramRefusal: the program would not carry it out.
        """
        while not self._ends and self._spent[-1] < amount and len(self._walks) <= max_steps:
            self._grow()
        at = bisect_left(self._spent, amount)
        if at == len(self._spent) or self._spent[at] > amount:
            at -= 1
        walk = self._walks[at].copy(amount - self._spent[at])
        walk.run(max_steps)
        return walk

    def _grow(self) -> None:
        """Walk one step further, or stop for good: at limit orders, at an amount no swap can have, at the end."""
        further = self._walks[-1].copy(U64_MAX - self._spent[-1])
        try:
            orders = further.next_tick().resting > 0
            further.advance()
        except ProgramRefusal:
            self._ends = True
            return
        if orders or further.is_over:
            self._ends = True
            return
        self._walks.append(further)
        self._spent.append(U64_MAX - further.remaining)
