"""The search: every pool on its own, the best splits, the chains over hub tokens; then the best one that may be used.

Paths are first followed with one pool per hop. Only where splitting could make one of them win are its hops split.
What a guard or the size of a transaction refuses is followed by the next best until one is left that fits.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.errors import AmountTooSmall, NoRoute, QuoteRefused
from order_engine.domain.market import MarketView
from order_engine.domain.route import Candidate, Route, SwapMode, SwapTerms
from order_engine.domain.routing.contest import Contest
from order_engine.domain.routing.costs import Costs
from order_engine.domain.routing.options import headroom, headroom_in_chunks
from order_engine.domain.routing.paths import Path, paths
from order_engine.domain.routing.plan import Plan
from order_engine.domain.routing.pool_side import PoolSide, reason_of
from order_engine.domain.routing.pricing import Pricing
from order_engine.domain.routing.ranking import candidate_of, preference
from order_engine.domain.routing.sides import SidesOfView
from order_engine.domain.routing.split import Division, divisions
from order_engine.domain.routing.worth import Worth

MAX_MULTI_HOP: Final = 8  # candidates recorded
MAX_SPLIT_PATHS: Final = 3  # of those that splitting could make win


def find_candidates(
    view: MarketView,
    swap: SwapTerms,
    costs: Costs,
    hubs: Sequence[Pubkey],
    max_hops: int,
    refusal: Callable[[Route], str],
) -> tuple[Candidate, ...]:
    """Return the ways that were looked at, best first, the best usable one marked chosen, the rejected ones last.

    `refusal` says why a route cannot be one transaction, "" when it can. It is asked about the best routes in order
    until one fits, so that the usable candidates after the chosen one were not held against it.

    Raises:
        AmountTooSmall: the amount is not above 0.
        NoRoute: both tokens are the same.
    """
    if swap.amount <= 0:
        raise AmountTooSmall(f"an amount of {swap.amount} cannot be swapped")
    if swap.token_in == swap.token_out:
        raise NoRoute(f"both tokens are {swap.token_in}")
    return _Search(view, swap, costs, refusal).candidates(paths(swap.token_in, swap.token_out, hubs, max_hops))


class _Search:
    """One decision: what was found so far, and what could not even be quoted."""

    def __init__(self, view: MarketView, swap: SwapTerms, costs: Costs, refusal: Callable[[Route], str]) -> None:
        self._sides = SidesOfView.of(view, swap)
        self._pricing = Pricing(swap, costs, view.slot, Worth(self._sides.selling_sol(_judged(swap))))
        self._contest = Contest(self._pricing, refusal)
        self._unquoted = [Candidate(venue=one.venue, pool=one.pool, reject_reason=one.reason) for one in view.left_out]
        self._dead_ends: list[Candidate] = []

    def candidates(self, ways: Sequence[Path]) -> tuple[Candidate, ...]:
        for token_in, token_out in [way for way in ways if len(way) == 2]:
            self._trade_directly(token_in, token_out)
        self._pass_through([way for way in ways if len(way) > 2])
        chosen = self._contest.run()
        rejected = [candidate_of(one, reason) for one, reason in self._contest.rejected]
        usable = [candidate_of(one, chosen=one is chosen) for one in self._contest.usable]
        unquoted = sorted(self._unquoted, key=lambda one: (bytes(one.pool) if one.pool else b"", one.venue))
        return tuple(_recorded([*usable, *rejected, *unquoted, *self._dead_ends]))

    def _trade_directly(self, token_in: Pubkey, token_out: Pubkey) -> None:
        amount = self._pricing.swap.amount
        for side in self._sides.all(token_in, token_out):
            self._quote(((side, amount),), side)
        for division in divisions(self._sides.to_combine(token_in, token_out), amount):
            self._quote(division, None)

    def _quote(self, division: Division, alone: PoolSide | None) -> None:
        refused = alone.refusal(division[0][1]) if alone else ""
        try:
            if not refused:
                self._contest.enter(self._pricing.ranked([division]))
        except QuoteRefused as error:
            refused = reason_of(error)
        if refused and alone:
            pool = alone.pool
            self._unquoted.append(Candidate(venue=pool.VENUE, pool=pool.address, reject_reason=refused))

    def _pass_through(self, ways: Sequence[Path]) -> None:
        plans = [plan for way in ways if (plan := self._plan(way))]
        to_split = self._worth_splitting(plans)
        for plan in plans:
            lattice = plan.lattice(self._pricing, with_splits=plan in to_split)
            self._contest.enter(plan.first, lattice, lattice.mark(plan.divisions))
            self._contest.expand(lattice, lattice.first())

    def _worth_splitting(self, plans: Sequence[Plan]) -> list[Plan]:
        """Return the few paths that could win by splitting, as far as can be seen without doing it."""
        to_beat = self._contest.best_net([plan.first for plan in plans])
        found = [(plan.most(headroom), plan) for plan in plans]
        found = sorted((one for one in found if one[0] > to_beat), key=lambda one: (-one[0], preference(one[1].first)))
        return [plan for _, plan in found[:MAX_SPLIT_PATHS] if plan.most(headroom_in_chunks) > to_beat]

    def _plan(self, way: Path) -> Plan | None:
        hops = [self._sides.to_combine(*pair) for pair in pairwise(way)]
        if not all(hops):
            return None
        try:
            return Plan.of(hops, self._pricing)
        except QuoteRefused as error:
            venue = ">".join(sides[0].pool.VENUE for sides in hops)
            self._dead_ends.append(Candidate(venue=venue, pool=None, reject_reason=reason_of(error)))
            return None


def _judged(swap: SwapTerms) -> Pubkey:
    return swap.token_out if swap.swap_mode is SwapMode.EXACT_IN else swap.token_in


def _recorded(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """Yield all but the worst of those that pass through other tokens."""
    multi_hop = 0
    for one in candidates:
        multi_hop += ">" in one.venue
        if ">" not in one.venue or multi_hop <= MAX_MULTI_HOP:
            yield one
