"""Checks the form of a request, and refuses every bad field at once."""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from solders.pubkey import Pubkey

from order_engine.domain.errors import InvalidOrder
from order_engine.domain.order import OrderId
from order_engine.domain.tokens import TOKENS_BY_MINT, TOKENS_BY_SYMBOL
from order_engine.usecases.ports import PageKey

SLIPPAGE_BPS_AT_MOST: Final = 5_000
PRICE_IMPACT_BPS_AT_MOST: Final = 10_000
PAGE_SIZE_DEFAULT: Final = 50
PAGE_SIZE_AT_MOST: Final = 1_000

_ECHO_AT_MOST: Final = 64  # characters of what a caller sent
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9._:-]{0,64}")
_BASE58_MINT: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NO_ORDER: Final = OrderId(UUID(int=0))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ORDER_KEY_BYTES: Final = 8 + 16
_MICROS_AT_MOST: Final = int((datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) / timedelta(microseconds=1))


class Form:
    """Each method returns the value of a good field; for a bad one a placeholder, and `check` raises.

    Fields are named as in the contract.
    """

    def __init__(self) -> None:
        self._violations: list[tuple[str, str]] = []

    def check(self) -> None:
        """Raise InvalidOrder with one violation for each bad field."""
        if self._violations:
            raise InvalidOrder(self._violations)

    def refuse(self, field: str, description: str) -> None:
        self._violations.append((field, description))

    def is_good(self, *fields: str) -> bool:
        return not any(field in fields for field, _ in self._violations)

    def order_id(self, text: str) -> OrderId:
        """Read a UUID in its usual form of 36 characters."""
        if _UUID.fullmatch(text):
            return OrderId(UUID(text))
        self.refuse("order_id", f"must be a UUID, not {shown(text)}")
        return _NO_ORDER

    def identifier(self, field: str, text: str) -> str:
        """Read a caller's own identifier; empty is none."""
        if not _IDENTIFIER.fullmatch(text):
            self.refuse(field, f"must be at most 64 of A-Z a-z 0-9 . _ : -, not {shown(text)}")
        return text

    def token(self, field: str, text: str) -> Pubkey:
        """Read a symbol of the token list, exactly as listed (mSOL is not MSOL), or the base58 of a mint."""
        known = TOKENS_BY_SYMBOL.get(text)
        if known is not None:
            return known.mint
        mint = _mint(text)
        if mint is not None:
            return mint
        self.refuse(field, f"{shown(text)} is neither a symbol of the token list (case matters) nor a base58 mint")
        return Pubkey.default()

    def amount(self, field: str, value: int) -> int:
        if value == 0:
            self.refuse(field, "must be greater than 0")
        return value

    def left_out(self, field: str, value: int, why: str) -> None:
        """Refuse a field that has no meaning beside the others."""
        if value != 0:
            self.refuse(field, f"must be left out: {why}")

    def price_impact_bps(self, field: str, value: int) -> int:
        if value > PRICE_IMPACT_BPS_AT_MOST:
            self.refuse(field, f"must be 0-{PRICE_IMPACT_BPS_AT_MOST}, not {value}")
        return value

    def slippage_bps(self, value: int) -> int:
        if value > SLIPPAGE_BPS_AT_MOST:
            self.refuse("slippage_bps", f"must be 0-{SLIPPAGE_BPS_AT_MOST}, not {value}")
        return value

    def page_size(self, value: int) -> int:
        if value < 0:
            self.refuse("page_size", f"must not be negative, is {value}")
        return min(value or PAGE_SIZE_DEFAULT, PAGE_SIZE_AT_MOST)

    def moment(self, field: str, value: Timestamp) -> datetime:
        """Read a time between 1970 and 9999, to the microsecond."""
        micros = value.seconds * 1_000_000 + value.nanos // 1_000
        if not 0 <= micros <= _MICROS_AT_MOST or not 0 <= value.nanos < 10**9:
            self.refuse(field, "must be a time from 1970 to 9999")
            return _EPOCH
        return _EPOCH + timedelta(microseconds=micros)

    def token_page(self, text: str) -> Pubkey | None:
        """Read where a page of tokens starts, None for the first."""
        if not text:
            return None
        mint = _decoded_page_token(text)
        if mint not in TOKENS_BY_MINT:
            self.refuse("page_token", "must be empty or the next_page_token of an earlier answer")
        return mint

    def order_page(self, text: str) -> PageKey | None:
        """Read where a page of orders starts, None for the first."""
        raw = _decoded(text)
        micros = int.from_bytes(raw[:8], "big") if raw is not None else 0
        if raw is None or len(raw) not in (0, _ORDER_KEY_BYTES) or micros > _MICROS_AT_MOST:
            self.refuse("page_token", "must be empty or the next_page_token of an earlier answer")
            return None
        if not raw:
            return None
        return PageKey(_EPOCH + timedelta(microseconds=micros), OrderId(UUID(bytes=raw[8:])))


def order_page_token(key: PageKey | None) -> str:
    """Return what `Form.order_page` reads: the key's microseconds and id."""
    if key is None:
        return ""
    micros = int((key.create_time - _EPOCH) / timedelta(microseconds=1))
    return base64.urlsafe_b64encode(micros.to_bytes(8, "big") + key.order_id.bytes).decode()


def token_page_token(mint: Pubkey | None) -> str:
    """Return what `token_page` reads."""
    return base64.urlsafe_b64encode(bytes(mint)).decode() if mint else ""


def shown(text: str) -> str:
    """Return what may be repeated of a caller's text: short, and printable ASCII, as it travels in a header."""
    head = "".join(character if " " <= character <= "~" else "?" for character in text[:_ECHO_AT_MOST])
    return f'"{head}..."' if len(text) > _ECHO_AT_MOST else f'"{head}"'


def _mint(text: str) -> Pubkey | None:
    return _pubkey(lambda: Pubkey.from_string(text)) if _BASE58_MINT.fullmatch(text) else None


def _decoded_page_token(text: str) -> Pubkey | None:
    raw = _decoded(text)
    return _pubkey(lambda: Pubkey(raw)) if raw is not None and len(raw) == Pubkey.LENGTH else None


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _pubkey(build: Callable[[], Pubkey]) -> Pubkey | None:
    try:
        return build()
    except ValueError:
        return None
