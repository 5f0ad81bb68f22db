"""Recorded tables of prices and fees, computed again by the venues."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from order_engine.papernet.replay_check import Arguments, Check, difference
from order_engine.venues.meteora_dlmm import math as dlmm
from order_engine.venues.raydium_clmm.ticks import sqrt_price_at_tick, tick_at_sqrt_price


def _sqrt_price(row: object) -> Iterator[str]:
    tick, sqrt_price = _integers(row, 2)
    yield from difference(f"square-root price at tick {tick}", sqrt_price, sqrt_price_at_tick(tick))


def _tick(row: object) -> Iterator[str]:
    sqrt_price, tick = _integers(row, 2)
    yield from difference(f"tick at square-root price {sqrt_price}", tick, tick_at_sqrt_price(sqrt_price))


def _bin_price(row: object) -> Iterator[str]:
    bin_id, bin_step, price = _integers(row, 3)
    yield from difference(f"price of bin {bin_id} at step {bin_step}", price, dlmm.price_of(bin_id, bin_step))


def _dlmm_fee(row: object) -> Iterator[str]:
    if not isinstance(row, dict):
        raise ValueError("a row of fees has no fields")
    read = Arguments(row).integer
    base = dlmm.base_fee(read("base_factor"), read("bin_step"), read("base_fee_power_factor"))
    variable = dlmm.variable_fee(read("variable_fee_control"), read("volatility_accumulator"), read("bin_step"))
    yield from difference("base_fee", read("base_fee"), base)
    yield from difference("variable_fee", read("variable_fee"), variable)
    yield from difference("total_fee", read("total_fee"), min(dlmm.MAX_FEE_NUMERATOR, base + variable))


TABLES: Final[Mapping[str, Callable[[object], Iterator[str]]]] = MappingProxyType(
    {
        "clmm_tick_to_sqrt_price_x64": _sqrt_price,
        "clmm_sqrt_price_x64_to_tick": _tick,
        "dlmm_bin_price_q64": _bin_price,
        "dlmm_fee": _dlmm_fee,
    }
)


def table_checks(document: Mapping[str, object]) -> Iterator[Check]:
    """Yield one check for every row of every table. A table that is not known here is one that fails."""
    for name, rows in document.items():
        if isinstance(rows, list):
            compare = TABLES.get(name, _unknown)
            for number, row in enumerate(rows):
                yield Check(f"{name}[{number}]", _bound(compare, row))


def _bound(compare: Callable[[object], Iterator[str]], row: object) -> Callable[[], Iterator[str]]:
    return lambda: compare(row)


def _unknown(_: object) -> Iterator[str]:
    yield "a table that is not known here"


def _integers(row: object, count: int) -> Sequence[int]:
    if not isinstance(row, list) or len(row) != count:
        raise ValueError(f"a row is not {count} numbers: {row}")
    named = Arguments({str(place): value for place, value in enumerate(row)})
    return [named.integer(str(place)) for place in range(count)]
