"""The variants of one path: an option for each hop, the best first, and each next one only when asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from order_engine.domain.amounts import mul_div_ceil, mul_div_floor
from order_engine.domain.route import Route, SwapMode
from order_engine.domain.routing.options import ONE, Option
from order_engine.domain.routing.split import Division

Choice = tuple[int, ...]  # the number of the option at each hop


@dataclass(slots=True)
class Lattice:
    """`base` is the path's first route, `fixed_worth` what it costs beside its swaps in the judged token."""

    base: Route
    fixed_worth: int
    options: Sequence[Sequence[Option]]
    most_legs: int
    _seen: set[Choice] = field(default_factory=set)

    def first(self) -> Iterator[Choice]:
        return self._new((0,) * len(self.options))

    def after(self, choice: Choice) -> Iterator[Choice]:
        """Yield what comes next below `choice`: at one hop, the next best option."""
        for at in range(len(choice)):
            yield from self._new((*choice[:at], choice[at] + 1, *choice[at + 1 :]))

    def divisions(self, choice: Choice) -> list[Division]:
        return [options[at].division for options, at in zip(self.options, choice, strict=True)]

    def mark(self, divisions: Sequence[Division]) -> Choice:
        """Return the choice that stands for these divisions; it will not come again."""
        pairs = zip(self.options, divisions, strict=True)
        choice = tuple([option.division for option in options].index(one) for options, one in pairs)
        self._seen.add(choice)
        return choice

    def net(self, choice: Choice) -> int:
        """Return about what the variant leaves, or costs, below 0, in the judged token."""
        weight = ONE
        for options, at in zip(self.options, choice, strict=True):
            weight = mul_div_floor(weight, options[at].weight, ONE)
        if self.base.swap_mode is SwapMode.EXACT_IN:
            return mul_div_floor(self.base.amount_out, weight, ONE) - self.fixed_worth
        return -mul_div_ceil(self.base.amount_in, ONE, max(1, weight)) - self.fixed_worth

    def _new(self, choice: Choice) -> Iterator[Choice]:
        """Yield the choice, or those after it where it has too many legs, unless they came before."""
        if choice in self._seen or any(at >= len(options) for at, options in zip(choice, self.options, strict=True)):
            return
        self._seen.add(choice)
        if sum(map(len, self.divisions(choice))) > self.most_legs:
            yield from self.after(choice)
        else:
            yield choice
