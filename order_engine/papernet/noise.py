"""Smooth chance: a price path that is known at every step from the seed alone, so a restart goes on where it was."""

from typing import Final

from order_engine.domain.amounts import mul_div_floor
from order_engine.papernet.genesis import fraction

_UNIT: Final = 10**6


def wander(key: str, step: int, amplitude: int, periods: tuple[int, ...]) -> int:
    """Return a number within ±amplitude for each period, summed; longer periods weigh more, up to `amplitude` each.

    Between the corners of a period it moves in a straight line.
    """
    longest = periods[-1]
    return sum(_line(f"{key}:{period}", step, period, max(1, amplitude * period // longest)) for period in periods)


def _line(key: str, step: int, period: int, amplitude: int) -> int:
    corner, into = divmod(step, period)
    start, end = (_corner(key, number, amplitude) for number in (corner, corner + 1))
    return start + mul_div_floor(end - start, into, period)


def _corner(key: str, number: int, amplitude: int) -> int:
    centred = int(fraction(key, number) * 2 * _UNIT) - _UNIT
    return mul_div_floor(centred, amplitude, _UNIT)
