"""Any message of any type, by walking its descriptor: a field added to the proto is filled without anybody's help."""

from collections.abc import Callable
from typing import Final, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.fuzz.words import I32_MAX, I64_MAX, U32_MAX, U64_MAX, Words

_RANGES: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-I32_MAX - 1, I32_MAX),
    FieldDescriptor.CPPTYPE_UINT32: (0, U32_MAX),
    FieldDescriptor.CPPTYPE_INT64: (-I64_MAX - 1, I64_MAX),
    FieldDescriptor.CPPTYPE_UINT64: (0, U64_MAX),
}
_DEPTH: Final = 4


def messages(kind: Descriptor, words: Words, depth: int = _DEPTH) -> SearchStrategy[Message]:
    """Return messages of a type: each field set three times out of four, one of a oneof, below `depth` levels none."""
    alternatives = [list(oneof.fields) for oneof in kind.oneofs]  # an optional field is the only one of its own
    lone = [field for field in kind.fields if field.containing_oneof is None]

    @st.composite
    def build(draw: DrawFn) -> Message:
        message = GetMessageClass(kind)()
        chosen = [draw(st.sampled_from(fields)) for fields in alternatives]
        for field in (*lone, *chosen) if depth else ():
            if draw(st.sampled_from((True, True, True, False))):
                _set(message, field, draw(_values(field, words, depth - 1)))
        return message

    return build()


def _values(field: FieldDescriptor, words: Words, depth: int) -> SearchStrategy[object]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        return st.dictionaries(
            cast(SearchStrategy[str], _one(key, words, depth)), _one(value, words, depth), max_size=3
        )
    one = _one(field, words, depth)
    return st.lists(one, max_size=3) if field.is_repeated else one


def _one(field: FieldDescriptor, words: Words, depth: int) -> SearchStrategy[object]:
    if field.message_type is not None:
        return messages(field.message_type, words, depth)
    if field.enum_type is not None:
        known = st.sampled_from([value.number for value in field.enum_type.values])
        return known if words.careful else st.one_of(known, known, st.integers(-I32_MAX - 1, I32_MAX))
    if field.cpp_type in _RANGES:
        return words.integer(field.name, *_RANGES[field.cpp_type])
    return _OTHERS[field.type](words, field.name)


_OTHERS: Final[dict[int, Callable[[Words, str], SearchStrategy[object]]]] = {
    FieldDescriptor.TYPE_STRING: lambda words, name: words.text(name),
    FieldDescriptor.TYPE_BYTES: lambda words, name: st.binary(max_size=200),
    FieldDescriptor.TYPE_BOOL: lambda words, name: st.booleans(),
    FieldDescriptor.TYPE_DOUBLE: lambda words, name: st.floats(),
    FieldDescriptor.TYPE_FLOAT: lambda words, name: st.floats(width=32),
}


def _set(message: Message, field: FieldDescriptor, value: object) -> None:
    """Set a field of any kind."""
    if isinstance(value, Message):
        getattr(message, field.name).CopyFrom(value)
    elif isinstance(value, list):
        getattr(message, field.name).extend(value)
    elif isinstance(value, dict):
        entries = getattr(message, field.name)
        for key, entry in value.items():
            if isinstance(entry, Message):
                entries[key].CopyFrom(entry)
            else:
                entries[key] = entry
    else:
        setattr(message, field.name, value)
