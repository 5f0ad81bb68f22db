"""Bytes that are nearly a message of a type, or not at all."""

from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.fuzz.messages import messages
from tests.fuzz.words import Words

VARINT, FIXED64, LENGTH, START_GROUP, END_GROUP, FIXED32 = range(6)
_WIRE_TYPES: Final = (VARINT, FIXED64, LENGTH, START_GROUP, END_GROUP, FIXED32, 6, 7)
_NOT_UTF8: Final = (b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"SOL\xfe")
_ANY_NUMBER: Final = st.one_of(st.integers(0, 40), st.integers(0, 2**29 - 1))
_DEEP: Final = (20, 99, 101, 1_000, 8_000)


def raw_requests(kind: Descriptor, words: Words) -> SearchStrategy[bytes]:
    """Return bytes for a door that expects messages of a type."""
    valid = messages(kind, words).map(lambda message: message.SerializeToString())
    return st.one_of(
        st.binary(max_size=120),
        _truncated(valid),
        _flipped(valid),
        st.tuples(valid, st.lists(_field(_ANY_NUMBER), min_size=1, max_size=4)).map(
            lambda both: both[0] + b"".join(both[1])
        ),
        _misread(kind),
        _not_text(kind),
        _nested(kind),
        _oversized(kind),
    )


def varint(number: int) -> bytes:
    """Encode a number of any size, also ones that no field can hold."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def tagged(number: int, wire_type: int, payload: bytes) -> bytes:
    return varint(number << 3 | wire_type) + payload


def text_field(number: int, text: bytes) -> bytes:
    return tagged(number, LENGTH, varint(len(text)) + text)


@st.composite
def _truncated(draw: DrawFn, valid: SearchStrategy[bytes]) -> bytes:
    whole = draw(valid)
    return whole[: draw(st.integers(0, len(whole)))]


@st.composite
def _flipped(draw: DrawFn, valid: SearchStrategy[bytes]) -> bytes:
    changed = bytearray(draw(valid))
    for place in draw(st.lists(st.integers(0, max(0, 8 * len(changed) - 1)), min_size=1, max_size=8)):
        if changed:
            changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


@st.composite
def _field(draw: DrawFn, numbers: SearchStrategy[int]) -> bytes:
    """A field that may be unknown, of any wire type, with a payload that may not fit it."""
    number = draw(numbers)
    wire_type = draw(st.sampled_from(_WIRE_TYPES))
    payloads = {
        VARINT: st.one_of(st.integers(0, 2**80).map(varint), st.integers(1, 30).map(lambda many: b"\xff" * many)),
        FIXED64: st.binary(min_size=6, max_size=9),
        LENGTH: st.one_of(
            st.binary(max_size=40).map(lambda payload: varint(len(payload)) + payload),
            st.integers(0, 2**70).map(lambda length: varint(length) + b"short"),
        ),
        FIXED32: st.binary(min_size=3, max_size=5),
    }
    return tagged(number, wire_type, draw(payloads.get(wire_type, st.binary(max_size=8))))


def _numbers(kind: Descriptor) -> SearchStrategy[int]:
    return st.sampled_from([field.number for field in kind.fields] or [1])


def _misread(kind: Descriptor) -> SearchStrategy[bytes]:
    return st.lists(_field(_numbers(kind)), min_size=1, max_size=4).map(b"".join)


def _not_text(kind: Descriptor) -> SearchStrategy[bytes]:
    texts = [field.number for field in kind.fields if field.type == FieldDescriptor.TYPE_STRING]
    return st.builds(text_field, st.sampled_from(texts or [1]), st.sampled_from(_NOT_UTF8))


@st.composite
def _nested(draw: DrawFn, kind: Descriptor) -> bytes:
    """Messages in messages or groups in groups, some closed."""
    number, depth = draw(_numbers(kind)), draw(st.sampled_from(_DEEP))
    if draw(st.booleans()):
        end = tagged(number, END_GROUP, b"") * depth if draw(st.booleans()) else b""
        return tagged(number, START_GROUP, b"") * depth + end
    inner = b""
    for _ in range(min(depth, 1_000)):
        inner = text_field(number, inner)
    return inner


def _oversized(kind: Descriptor) -> SearchStrategy[bytes]:
    """About as large as a message may be, and larger."""
    sizes = st.sampled_from((60_000, 65_520, 65_536, 70_000, 300_000))
    return st.builds(lambda number, size: text_field(number, b"A" * size), _numbers(kind), sizes)
