"""The body of POST /api/orders/execute, read strictly: what is wrong is named, nothing is guessed."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, cast

from gateway.classic.numbers import BPS, JsonNumber, TooLarge, TooManyDecimals, parse_decimal, to_units
from gateway.http import bad_request

MISSING_FIELDS: Final = "Missing required fields: tokenIn, tokenOut, amountIn"
ONLY_MARKET: Final = "Only market orders are supported in this implementation"
AMOUNT_NOT_POSITIVE: Final = "Amount must be greater than 0"
_REQUIRED: Final = ("tokenIn", "tokenOut", "amountIn")
_MAX_SLIPPAGE: Final = Decimal("0.5")
_BPS_DECIMALS: Final = len(str(BPS)) - 1
_TOKEN: Final = re.compile(r"[!-~]{1,44}")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderForm:
    """A well-formed order; whether the tokens exist is not known yet."""

    token_in: str
    token_out: str
    amount_in: Decimal  # whole tokens, above 0
    slippage_bps: int | None

    def base_units(self, decimals: int) -> int:
        """Return the amount in base units.

        Raises:
            HttpError: finer than the mint, or above 64 bits.
        """
        try:
            return to_units(self.amount_in, decimals)
        except TooManyDecimals:
            raise bad_request(f"amountIn: {self.token_in} has {decimals} decimals, the amount has more") from None
        except TooLarge:
            raise bad_request("amountIn: too large") from None


def parse_order(body: bytes) -> OrderForm:
    """Read the body.

    Raises:
        HttpError: 400, the first thing that is wrong, in the order the classic API looks.
    """
    fields = _object(body)
    if any(fields.get(name) in (None, "") for name in _REQUIRED):
        raise bad_request(MISSING_FIELDS)
    _check_order_type(fields.get("orderType", "market"))
    amount_in = _amount(fields["amountIn"])
    token_in, token_out = _token("tokenIn", fields["tokenIn"]), _token("tokenOut", fields["tokenOut"])
    slippage_bps = _slippage_bps(fields["slippage"]) if "slippage" in fields else None
    return OrderForm(token_in=token_in, token_out=token_out, amount_in=amount_in, slippage_bps=slippage_bps)


def parse_request_id(values: list[str]) -> str:
    """Return the Idempotency-Key, empty without one.

    Raises:
        HttpError: 400, it is repeated or not 1-64 of [A-Za-z0-9._:-].
    """
    if not values:
        return ""
    if len(values) > 1 or not _REQUEST_ID.fullmatch(values[0]):
        raise bad_request("Idempotency-Key: must be 1-64 characters of A-Z a-z 0-9 . _ : -")
    return values[0]


def _object(body: bytes) -> dict[str, object]:
    try:
        parsed: object = json.loads(
            body.decode("utf-8"),
            parse_int=JsonNumber,
            parse_float=JsonNumber,
            parse_constant=JsonNumber,  # NaN and Infinity: the field that holds one is named
            object_pairs_hook=_without_duplicates,
        )
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise bad_request("body: not valid JSON") from None
    except RecursionError:
        raise bad_request("body: nested too deeply") from None
    if not isinstance(parsed, dict):
        raise bad_request("body: must be a JSON object")
    return cast(dict[str, object], parsed)


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, value in pairs:
        if name in fields:
            raise bad_request(f"{_shown(name)}: given more than once")
        fields[name] = value
    return fields


def _shown(name: str) -> str:
    return name[:40].encode("ascii", "backslashreplace").decode()


def _check_order_type(order_type: object) -> None:
    if not isinstance(order_type, str) or isinstance(order_type, JsonNumber):
        raise bad_request("orderType: must be a string")
    if order_type != "market":
        raise bad_request(ONLY_MARKET)


def _amount(value: object) -> Decimal:
    amount = parse_decimal(value)
    if amount is None:
        raise bad_request("amountIn: must be a finite number or a decimal string")
    if amount <= 0:
        raise bad_request(AMOUNT_NOT_POSITIVE)
    return amount


def _token(name: str, value: object) -> str:
    if not isinstance(value, str) or isinstance(value, JsonNumber) or not _TOKEN.fullmatch(value):
        raise bad_request(f"{name}: must be a token symbol or a base58 mint address")
    return value


def _slippage_bps(value: object) -> int:
    slippage = parse_decimal(value)
    if slippage is None or not 0 <= slippage <= _MAX_SLIPPAGE:
        raise bad_request("slippage: must be a number from 0 to 0.5")
    try:
        return to_units(slippage, _BPS_DECIMALS)
    except TooManyDecimals:
        raise bad_request("slippage: must not be finer than 0.0001") from None
