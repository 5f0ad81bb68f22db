"""Who wins: routes in the order of their net, until one keeps the guards and can be one transaction."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Final

from order_engine.domain.errors import QuoteRefused, QuoteTooOld
from order_engine.domain.route import Route
from order_engine.domain.routing.chain import follow
from order_engine.domain.routing.guards import broken_guard
from order_engine.domain.routing.lattice import Choice, Lattice
from order_engine.domain.routing.pool_side import reason_of
from order_engine.domain.routing.pricing import Pricing
from order_engine.domain.routing.ranking import Preference, Ranked, preference
from order_engine.domain.routing.split import NOTHING, Division, polished, rescaled

Divide = Callable[[Division, int], Division]  # the division of an option, for another amount

MAX_REFUSED: Final = 48  # then no more variants are tried before the simple routes
MAX_REFUSED_AT_LAST: Final = 250  # where no simple route is usable either


@dataclass(frozen=True, slots=True)
class Contender:
    """A route, or a variant of one that is followed only when its turn comes."""

    one: Ranked | None
    lattice: Lattice | None = None
    choice: Choice = ()


@dataclass(slots=True)
class Contest:
    pricing: Pricing
    refusal: Callable[[Route], str]
    usable: list[Ranked] = field(default_factory=list)
    rejected: list[tuple[Ranked, str]] = field(default_factory=list)
    _too_large: bool = False  # one of the rejected ones, at least
    _queue: list[tuple[Preference, int, Contender]] = field(default_factory=list)
    _serial: Iterator[int] = field(default_factory=count)  # contenders themselves have no order

    def enter(self, one: Ranked, lattice: Lattice | None = None, choice: Choice = ()) -> None:
        """Let a route take part; where it is refused, what comes after it in its lattice does."""
        self._push(preference(one), Contender(one, lattice, choice))

    def expand(self, lattice: Lattice, choices: Iterable[Choice]) -> None:
        """Let variants take part."""
        for choice in choices:
            legs = sum(map(len, lattice.divisions(choice)))
            self._push((-lattice.net(choice), legs, (), 0), Contender(None, lattice, choice))

    def best_net(self, others: Iterable[Ranked]) -> int:
        """Return the highest net of a route that keeps the guards, NOTHING where none does."""
        entered = (contender.one for _, _, contender in self._queue if contender.one)
        return max((one.net for one in (*entered, *others) if not self._guards(one)), default=NOTHING)

    def run(self) -> Ranked | None:
        """Return the best route that may be used; `usable` and `rejected` then hold all, the best first."""
        self._compete(MAX_REFUSED)
        if not self.usable and self._too_large:
            self._compete(MAX_REFUSED_AT_LAST)
        chosen = self.usable[0] if self.usable else None
        rest = [contender.one for _, _, contender in self._queue if contender.one]
        for one in sorted(rest, key=preference):
            reason = self._guards(one)
            if reason:
                self.rejected.append((one, reason))
            else:
                self.usable.append(one)
        self.rejected.sort(key=lambda refused: preference(refused[0]))
        return chosen

    def _compete(self, most: int) -> None:
        """Give each its turn until one is usable; once `most` were refused, variants have to wait."""
        waiting = []
        while self._queue and not self.usable:
            entry = heappop(self._queue)
            if entry[2].one is None and len(self.rejected) >= most:
                waiting.append(entry)
            else:
                self._turn_of(entry[2])
        for entry in waiting:
            heappush(self._queue, entry)

    def _turn_of(self, contender: Contender) -> None:
        lattice, choice = contender.lattice, contender.choice
        one = contender.one
        if one is None and lattice is not None:
            one = self._followed(lattice, choice, rescaled)
            if one is not None:
                self._push(preference(one), Contender(one, lattice, choice))
                return
        reason = "" if one is None else self._why_not(one)
        if one is not None and not reason:
            self.usable.append(self._polished(contender, one))
            return
        if one is not None:
            self.rejected.append((one, reason))
        # Quotes too old stay so in every variant: they are only traded where a pair has no others.
        if lattice is not None and not reason.startswith(QuoteTooOld.code):
            self.expand(lattice, lattice.after(choice))

    def _polished(self, contender: Contender, one: Ranked) -> Ranked:
        """Return the chosen route with the last bit squeezed out of its splits, if it still may be used."""
        if contender.lattice is None or len(one.route.legs) == len(one.route.hops):
            return one
        better = self._followed(contender.lattice, contender.choice, polished)
        if better is None or better.net <= one.net or self._why_not(better):
            return one
        return better

    def _why_not(self, one: Ranked) -> str:
        broken = self._guards(one)
        reason = broken or self.refusal(one.route)
        self._too_large = self._too_large or bool(reason and not broken)
        return reason

    def _followed(self, lattice: Lattice, choice: Choice, divide: Divide) -> Ranked | None:
        chosen, swap = lattice.divisions(choice), self.pricing.swap
        try:
            divisions = follow(swap, len(chosen), lambda at, amount: divide(chosen[at], amount))
            return self.pricing.ranked(divisions)
        except QuoteRefused:
            return None

    def _guards(self, one: Ranked) -> str:
        broken = broken_guard(one.route, self.pricing.swap.guards)
        return reason_of(broken) if broken else ""

    def _push(self, key: Preference, contender: Contender) -> None:
        heappush(self._queue, (key, next(self._serial), contender))
