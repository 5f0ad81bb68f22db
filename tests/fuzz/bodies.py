"""Bodies of an order that are wrong in every way a client has found so far, and some nobody has."""

from collections.abc import Mapping, Sequence
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

_GOOD: Final[Mapping[str, Sequence[str]]] = {  # the classic API's fields and ours, by their JSON texts
    "orderType": ('"market"', '"ORDER_TYPE_MARKET"', "1"),
    "tokenIn": ('"SOL"', '"USDC"', '"So11111111111111111111111111111111111111112"'),
    "tokenOut": ('"USDC"', '"BONK"', '"USDT"'),
    "amountIn": ("1", '"2"', "0.5", "1e-3", "1000", '"0.001"'),
    "slippage": ("0.01", '"0.005"', "0", "1e-2"),
    "slippageBps": ("50", '"50"', "1e1"),
}
_CLASSIC: Final = ("orderType", "tokenIn", "tokenOut", "amountIn", "slippage")
_OURS: Final = ("orderType", "tokenIn", "tokenOut", "amountIn", "slippageBps")
_BAD: Final = (
    *(
        "null",
        "true",
        "false",
        "NaN",
        "-Infinity",
        "1e309",
        "-1e309",
        "1e-400",
        "-0",
        "0",
        "-1",
        "01",
        "1.",
        ".5",
        "+1",
    ),
    *('""', '"\\u0000"', '"SO\\u0000L"', '"\\ud800"', '"\\udc00\\ud800"', '"a\nb"', '"\\x41"', "'SOL'", '"💸"'),
    *("[]", "{}", "[[[[1]]]]", '{"a":{"b":[]}}', '["SOL"]', "[" * 500 + "]" * 500, "[" * 30_000, '{"a":' * 9_000),
    *("9" * 400, "9" * 5_000, "-" + "9" * 400, "1." + "0" * 500 + "1", "1e" + "9" * 300, '"' + "9" * 300 + '"'),
    *(
        '"' + "A" * 300 + '"',
        '"' + "x" * 10_000 + '"',
        '"' + "y" * 70_000 + '"',
        "18446744073709551616",
        "1e19",
        "1e20",
    ),
    *('"1,5"', '"0x10"', '"1_000"', '"١"', '" 1"', '"1e400"', '"NaN"', '"Infinity"', '"../.."', '"<script>"'),
)
_NO_JSON: Final = (
    b"",
    b" ",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"{",
    b"nul",
    b"{'a':1}",
    b"\xed\xa0\x80",
    b"[" * 60_000,
)


def bodies(*, classic: bool) -> SearchStrategy[bytes]:
    """Return bodies for the classic API or for ours: some good, most not."""
    texts = _texts(_CLASSIC if classic else _OURS)
    return st.one_of(
        texts.map(_encoded),
        texts.map(_encoded),
        _damaged(texts.map(_encoded)),
        st.sampled_from(_NO_JSON),
        st.binary(max_size=100),
        texts.map(lambda text: text.encode("utf-16", "surrogatepass")),
    )


@st.composite
def _texts(draw: DrawFn, names: Sequence[str]) -> str:
    """A JSON object whose fields are mostly good; some are bad, missing, repeated or unheard of."""
    bad = draw(st.sets(st.sampled_from(names), max_size=2))
    left_out = draw(st.sets(st.sampled_from(names), max_size=1)) if draw(st.booleans()) else set()
    pairs = [(name, draw(_values(name, good=name not in bad))) for name in names if name not in left_out]
    more = draw(st.sampled_from((None, None, None, "tokenIn", "__proto__", "token_in", "\\u0000", "requestId")))
    if more is not None:
        pairs.append((more, draw(_values("tokenIn", good=draw(st.booleans())))))
    return "{" + ",".join(f'"{name}":{value}' for name, value in pairs) + "}"


def _values(name: str, *, good: bool) -> SearchStrategy[str]:
    return st.sampled_from(_GOOD[name]) if good else st.one_of(st.sampled_from(_BAD), st.integers().map(str))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@st.composite
def _damaged(draw: DrawFn, whole: SearchStrategy[bytes]) -> bytes:
    """Cut off, with some bytes changed, or with more after the end."""
    body = bytearray(draw(whole))
    for place in draw(st.lists(st.integers(0, 400), max_size=4)):
        body[place % len(body)] = draw(st.integers(0, 255))
    return bytes(body[: draw(st.integers(0, len(body)))]) + draw(st.sampled_from((b"", b"}", b"\x00", b"{}")))
