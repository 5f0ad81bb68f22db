"""What means something to the engine, so that guesses get past the first check: by the kind of field, then anything."""

from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from order_engine.domain.tokens import TOKENS_BY_SYMBOL

U32_MAX, U64_MAX, I32_MAX, I64_MAX = 2**32 - 1, 2**64 - 1, 2**31 - 1, 2**63 - 1
UNKNOWN_ORDER: Final = "01890000-0000-7000-8000-000000000000"
_MINTS: Final = [str(token.mint) for token in TOKENS_BY_SYMBOL.values()]
_NEARLY_TOKENS: Final = ["sol", "SOL ", "", "1" * 32, "1" * 44, "0OIl", "z" * 44, _MINTS[0][:-1], "A" * 300]
_NEARLY_IDS: Final = [UNKNOWN_ORDER, UNKNOWN_ORDER[:-1], "{" + UNKNOWN_ORDER + "}", "0" * 36, "", "null"]
_PAGES: Final = ["", "A" * 32, "AAAA", "/+==", "_" * 32, "Zg==", "=", "A" * 44]
_NAMES: Final = ["raydium_cpmm", "meteora_damm_v2", "order-1", "a" * 64, "a" * 65, ".", "\x00"]
_ODD: Final = [
    "\x00",
    "\ufeff",
    "\u202e",
    "ß" * 100,
    "💸",
    "x" * 10_000,
    "%00",
    "../..",
    "'; --",
    "\r\nA: b",
    "🧨" * 2_500,
]

_BASE58: Final = st.text(
    st.sampled_from("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"), min_size=1, max_size=48
)
_ANYTHING: Final = st.one_of(st.text(max_size=80), st.sampled_from(_ODD), _BASE58)
_LISTED: Final = st.sampled_from([*TOKENS_BY_SYMBOL, *_MINTS])
_TOKENS: Final = st.one_of(_LISTED, _LISTED, st.sampled_from(_NEARLY_TOKENS))
_CALLERS: Final = st.text(st.sampled_from("abcXYZ019._:-"), max_size=20)
_EDGES: Final = [
    0,
    1,
    2,
    49,
    50,
    5_000,
    5_001,
    10**6,
    10**9,
    I32_MAX,
    U32_MAX,
    I64_MAX,
    U64_MAX,
    -1,
    -(2**31),
    -(2**63),
]
_COMMON_AMOUNTS: Final = st.integers(1, 10**8)


@dataclass(frozen=True, slots=True)
class Words:
    """`order_ids` are of orders that exist and have ended."""

    order_ids: tuple[str, ...]
    careful: bool = False  # only values that a field of that name can hold

    def text(self, field: str) -> SearchStrategy[str]:
        """Return strings for a field of this name, in either spelling."""
        name = field.lower().replace("_", "")
        fitting = self._fitting(name)
        if self.careful:
            return fitting
        return st.one_of(fitting, fitting, fitting, _ANYTHING)

    def segment(self, field: str) -> SearchStrategy[str]:
        """Return strings that are one segment of a path: clients resolve the others before they ask."""
        return self.text(field).filter(lambda text: "/" not in text and text not in ("", ".", ".."))

    def _fitting(self, name: str) -> SearchStrategy[str]:
        if name == "pagetoken":
            return st.just("") if self.careful else st.sampled_from(_PAGES)
        if name in ("clientorderid", "requestid", "venue"):
            return _CALLERS if self.careful else st.one_of(_CALLERS, _CALLERS, st.sampled_from(_NAMES))
        if "orderid" in name:
            if self.careful:
                return st.sampled_from([*self.order_ids, UNKNOWN_ORDER])
            return st.one_of(st.sampled_from(self.order_ids), st.sampled_from(_NEARLY_IDS))
        if "token" in name or "mint" in name:
            return _LISTED if self.careful else _TOKENS
        return st.one_of(_TOKENS, st.sampled_from([*self.order_ids, *_NAMES]))

    def integer(self, field: str, least: int, most: int) -> SearchStrategy[int]:
        """Return integers for a field of this name, its edges often."""
        if self.careful:
            return _COMMON_AMOUNTS if "amount" in field.lower() else st.integers(max(least, 0), min(most, 60))
        edges = st.sampled_from([edge for edge in (*_EDGES, least, most) if least <= edge <= most])
        if "amount" in field.lower():
            return st.one_of(_COMMON_AMOUNTS, _COMMON_AMOUNTS, edges, st.integers(least, most))
        small = st.integers(max(least, 0), min(most, 8))
        return st.one_of(small, edges, st.integers(least, most))
