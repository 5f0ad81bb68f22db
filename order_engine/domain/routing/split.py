"""Divide one amount over several pools of a pair so that together they pay the most, or cost the least.

What a pool pays is, rounding aside, a concave function of what it takes: chunks given one by one to whoever pays the
most for the next one come near the optimum, and moving ever smaller amounts between two pools comes nearer.
"""

from collections.abc import Sequence
from typing import Final

from order_engine.domain.amounts import mul_div_floor
from order_engine.domain.routing.pool_side import PoolSide, best_side

MAX_POOLS_PER_HOP: Final = 4
MAX_POOLS_COMPARED: Final = 10  # of a pair that has more, those that took the most in chunks: the work grows by squares
CHUNKS: Final = 20
FINEST: Final = 20_000  # parts of the amount: the smallest that is moved
COARSE: Final = 640  # where what it leaves undone is less than it costs

NOTHING: Final = -(1 << 80)  # below every gain

Part = tuple[PoolSide, int]  # not 0
Division = tuple[Part, ...]


def divisions(sides: Sequence[PoolSide], amount: int, finest: int = FINEST) -> tuple[Division, ...]:
    """Return the best division for each number of pools from MAX_POOLS_PER_HOP down to 2 that gains by that many."""
    found = []
    sides = _that_take_the_most(sides, amount)
    amounts = given_out(sides, amount) if len(sides) > 1 else None
    while amounts is not None:
        few = len(sides) <= MAX_POOLS_PER_HOP
        parts = tuple(zip(sides, amounts, strict=True))
        parts = _exchanged(parts, _part(amount, 2 * CHUNKS), _part(amount, finest if few else COARSE))
        if few and len(parts) > 1:
            found.append(parts)
        if len(parts) < 3:
            break
        if few or len(parts) > MAX_POOLS_PER_HOP:
            parts = _without_the_least(parts)
        sides = [side for side, _ in parts]
        amounts = _given_on(sides, [part for _, part in parts], amount)
    return tuple(found)


def given_out(sides: Sequence[PoolSide], amount: int) -> list[int] | None:
    """Return a division that is near the best one. None when these pools cannot take the amount."""
    return _given_on(sides, [0] * len(sides), amount)


def rescaled(division: Division, amount: int) -> Division:
    """Return the division for an amount that is a little different."""
    sides = [side for side, _ in division]
    amounts = spread(amount, [part for _, part in division])
    if any(side.value(part) is None for side, part in zip(sides, amounts, strict=True)):
        amounts = tuple(given_out(sides, amount) or amounts)
    return _used(sides, amounts)


def polished(division: Division, amount: int) -> Division:
    """Return the division for an amount that is a little different, as near the best as `divisions` come."""
    return _exchanged(rescaled(division, amount), _part(amount, COARSE), _part(amount, FINEST))


def spread(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Return whole parts of `total` in proportion to the weights, which are above 0.

    The parts sum exactly. Each is its share rounded down or up, but no part is 0 while another is above 1.
    """
    whole = sum(weights)
    parts = [mul_div_floor(total, weight, whole) for weight in weights]
    by_rest = sorted(range(len(weights)), key=lambda at: (-(total * weights[at] % whole), at))
    for at in by_rest[: total - sum(parts)]:
        parts[at] += 1
    for at, part in enumerate(parts):
        largest = max(range(len(parts)), key=parts.__getitem__)
        if part == 0 and parts[largest] > 1:
            parts[at], parts[largest] = 1, parts[largest] - 1
    return tuple(parts)


def _that_take_the_most(sides: Sequence[PoolSide], amount: int) -> Sequence[PoolSide]:
    if len(sides) <= MAX_POOLS_COMPARED:
        return sides
    amounts = given_out(sides, amount) or [0] * len(sides)
    largest = sorted(range(len(sides)), key=lambda at: (-amounts[at], at))[:MAX_POOLS_COMPARED]
    return [sides[at] for at in sorted(largest)]


def _part(amount: int, parts: int) -> int:
    return max(1, amount // parts)


def _given_on(sides: Sequence[PoolSide], amounts: Sequence[int], amount: int) -> list[int] | None:
    """Give what is missing of `amount`, chunk after chunk, to the pool that pays the most for the next one.

    Where no pool takes a whole chunk more, or small ones at all, chunks get smaller, and in the end one pool may
    still take everything.
    """
    given, left, chunk = list(amounts), amount - sum(amounts), _part(amount, CHUNKS)
    gains = [_gain(side, part, chunk) for side, part in zip(sides, given, strict=True)]
    while left:
        best = max((gain, -at) for at, gain in enumerate(gains))
        if best[0] > NOTHING:
            at, left = -best[1], left - chunk
            given[at] += chunk
            gains[at] = _gain(sides[at], given[at], chunk)
        else:
            chunk //= 2
        if chunk == 0:
            return _to_one(sides, amount)
        if best[0] == NOTHING or chunk > left:
            chunk = min(chunk, left)
            gains = [_gain(side, part, chunk) for side, part in zip(sides, given, strict=True)]
    return given


def _gain(side: PoolSide, amount: int, more: int) -> int:
    """Return what `more` adds to the value, NOTHING where it is refused."""
    before, after = side.value(amount), side.value(amount + more)
    return NOTHING if before is None or after is None else after - before


def _to_one(sides: Sequence[PoolSide], amount: int) -> list[int] | None:
    best = best_side(sides, amount)
    return None if best is None else [amount if side is best else 0 for side in sides]


def _used(sides: Sequence[PoolSide], amounts: Sequence[int]) -> Division:
    return tuple(part for part in zip(sides, amounts, strict=True) if part[1])


def _without_the_least(division: Division) -> Division:
    """Leave out the pool whose part loses the least when another one takes it over."""

    def lost(at: int) -> int:
        (side, amount), others = division[at], (*division[:at], *division[at + 1 :])
        return _gain(side, 0, amount) - max(_gain(other, part, amount) for other, part in others)

    least = min(range(len(division)), key=lambda at: (lost(at), division[at][1], at))
    return (*division[:least], *division[least + 1 :])


def _exchanged(division: Division, step: int, finest: int) -> Division:
    """Move `step` from the pool that loses the least by it to the one that gains the most, then ever smaller ones."""
    sides, moved = [side for side, _ in division], [amount for _, amount in division]
    while True:
        margins = [_margins(side, amount, step) for side, amount in zip(sides, moved, strict=True)]
        while (move := _best_move(margins)) is not None:
            for at, change in zip(move, (-step, step), strict=True):
                moved[at] += change
                margins[at] = _margins(sides[at], moved[at], step)
        if step <= finest:
            return _used(sides, moved)
        step = max(finest, step // 4)


def _margins(side: PoolSide, amount: int, step: int) -> tuple[int, int]:
    """Return what another `step` gains, and what a `step` less loses."""
    loss = _gain(side, amount - step, step) if step <= amount else NOTHING
    return _gain(side, amount, step), loss if loss > NOTHING else -NOTHING


def _best_move(margins: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """Return from where to where."""
    best, move = 0, None
    for target, (gain, _) in enumerate(margins):
        for source, (_, loss) in enumerate(margins):
            if source != target and gain - loss > best:
                best, move = gain - loss, (source, target)
    return move
