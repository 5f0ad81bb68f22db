"""Decimal numbers between JSON text and integers. No value passes through a float."""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
from typing import Final

U64_MAX: Final = 2**64 - 1
BPS: Final = 10_000
_MAX_CHARACTERS: Final = 100
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_EXACT: Final = Context(prec=1_000, traps=[Inexact, InvalidOperation])
_PRICE: Final = Context(prec=12, rounding=ROUND_HALF_EVEN)


class JsonNumber(str):
    """A JSON number as its own text. Tells a number from a string."""

    __slots__ = ()


class TooManyDecimals(ValueError):
    """The value is finer than the unit."""


class TooLarge(ValueError):
    """The value does not fit in 64 bits."""


def parse_decimal(value: object) -> Decimal | None:
    """Return a JSON number or decimal string exactly, None when it is neither or absurdly long."""
    if not isinstance(value, str) or len(value) > _MAX_CHARACTERS or not _NUMBER.fullmatch(value):
        return None
    return Decimal(value)


def to_units(value: Decimal, decimals: int) -> int:
    """Return value * 10**decimals.

    Raises:
        TooLarge, TooManyDecimals.
    """
    if value == 0:
        return 0
    scaled = value.scaleb(decimals, _EXACT)
    if scaled.adjusted() >= 20:
        raise TooLarge
    if scaled != scaled.to_integral_value(context=_EXACT):
        raise TooManyDecimals
    units = int(scaled)
    if units > U64_MAX:
        raise TooLarge
    return units


def fixed_text(units: int, decimals: int) -> str:
    """Return units / 10**decimals with exactly that many decimals."""
    return format(Decimal(units).scaleb(-decimals, _EXACT), "f")


def number_text(units: int, decimals: int) -> str:
    """Return units / 10**decimals, exact, without trailing zeros."""
    return _trimmed(fixed_text(units, decimals))


def price_text(amount_in: int, decimals_in: int, amount_out: int, decimals_out: int) -> str | None:
    """Return whole output tokens per whole input token: at most 12 significant digits, rounded half even."""
    if amount_in == 0:
        return None
    price = _PRICE.divide(Decimal(amount_out * 10**decimals_in), Decimal(amount_in * 10**decimals_out))
    return _trimmed(format(price, "f"))


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
