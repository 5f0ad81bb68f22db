"""Amounts and slippage as a person writes them. No value passes through a float."""

import re
from decimal import Decimal
from typing import Final

U64_MAX: Final = 2**64 - 1
BPS_PER_PERCENT: Final = 100
SOL_DECIMALS: Final = 9
_DECIMAL: Final = re.compile(r"[0-9]{1,60}(\.[0-9]{0,60})?|\.[0-9]{1,60}")
_FEE: Final = re.compile(r"([0-9.]{1,60}) ?(SOL|lamports?)", re.IGNORECASE)
_INTEGER: Final = re.compile(r"[0-9]{1,60}")


class BadAmount(ValueError):
    """The text is no usable amount; the message is for the person who wrote it."""


def in_tokens(amount: int, decimals: int) -> str:
    """Return base units in whole tokens, exactly, with all decimals of the mint."""
    if decimals == 0:
        return str(amount)
    whole, part = divmod(amount, 10**decimals)
    return f"{whole}.{part:0{decimals}d}"


def trimmed(decimal: str) -> str:
    """Return the same number without the zeros at its end."""
    return decimal.rstrip("0").rstrip(".") if "." in decimal else decimal


def from_tokens(text: str, decimals: int, symbol: str) -> int:
    """Return whole tokens in base units, exactly.

    Raises:
        BadAmount: not a decimal number, finer than the mint, or more than 64 bits hold.
    """
    if not _DECIMAL.fullmatch(text):
        raise BadAmount(f"{text!r} is not an amount: write whole tokens as digits, such as 1.5")
    whole, _, part = text.partition(".")
    part = part.rstrip("0")
    if len(part) > decimals:
        raise BadAmount(f"{text} {symbol} is finer than {symbol} goes: it has {decimals} decimals")
    return _checked(int(whole or "0") * 10**decimals + int(part.ljust(decimals, "0") or "0"))


def from_base_units(text: str) -> int:
    """Return an integer amount.

    Raises:
        BadAmount: not an integer, or more than 64 bits hold.
    """
    if not _INTEGER.fullmatch(text):
        raise BadAmount(f"{text!r} is not an integer: --base-units takes the amount as the chain counts it")
    return _checked(int(text))


def basis_points(text: str, example: str) -> int:
    """Return "0.5%" as basis points, exactly. `example` shows how to write it.

    Raises:
        BadAmount: not a percentage, finer than 0.01%, or above 100%.
    """
    number = text.removesuffix("%").rstrip()
    if not text.endswith("%") or not _DECIMAL.fullmatch(number):
        raise BadAmount(f"{text!r} is not a percentage: write {example}")
    bps = Decimal(number) * BPS_PER_PERCENT
    if bps != bps.to_integral_value() or bps > 100 * BPS_PER_PERCENT:
        raise BadAmount(f"{text} must be a multiple of 0.01% and at most 100%")
    return int(bps)


def fee_lamports(text: str) -> int:
    """Return "0.0005SOL" or "500000lamports" in lamports, exactly. A bare number could mean either: it is refused.

    Raises:
        BadAmount: no number with one of these units, finer than a lamport, or more than 64 bits hold.
    """
    written = _FEE.fullmatch(text)
    if written is None:
        raise BadAmount(f"{text!r} is not a fee: write --max-fee 0.0005SOL, or --max-fee 500000lamports")
    sol = written[2].lower() == "sol"
    return from_tokens(written[1], SOL_DECIMALS, "SOL") if sol else from_tokens(written[1], 0, "lamports")


def percent(bps: int) -> str:
    """Return basis points as a percentage."""
    return f"{trimmed(in_tokens(bps, 2))}%"


def percent_apart(amount: int, best: int) -> str:
    """Say by how much `amount` differs from `best`, to two significant digits."""
    if best <= 0 or amount == best:
        return "0%"
    share = Decimal(abs(best - amount)) * 100 / Decimal(best)
    return f"{share:.2f}%" if share >= 1 else f"{_two_digits(share)}%"


def _two_digits(share: Decimal) -> str:
    if share < Decimal("0.000001"):
        return "<0.000001"
    return trimmed(format(share.quantize(Decimal(1).scaleb(share.adjusted() - 1)), "f"))


def _checked(amount: int) -> int:
    if amount > U64_MAX:
        raise BadAmount(f"{amount} base units are more than the chain can count ({U64_MAX})")
    return amount
