"""What one RPC does, in the one shape that every layer around it shares."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias, cast

import grpc
from google.protobuf.message import DecodeError

from order_engine.domain.errors import InvalidOrder

Context = grpc.aio.ServicerContext[object, object]
Behavior = Callable[[object, Context], Awaitable[object]]  # a streaming one writes to the context and returns None
Generator = Callable[[object, Context], AsyncIterator[object]]
Parse = Callable[[bytes], object]
Handler: TypeAlias = "grpc.RpcMethodHandler[object, object]"  # quoted: generic for type checkers only


def parsed(behavior: Behavior, parse: Parse, *, streaming: bool) -> Behavior:
    """Give `behavior` messages instead of bytes.

    Raises:
        InvalidOrder: bytes that are not such a message. The library's own parsing would answer UNKNOWN with internals.
    """

    async def call(raw: object, context: Context) -> object:
        if streaming:
            return await behavior(_each_parsed(cast("AsyncIterator[bytes]", raw), parse), context)
        return await behavior(_parsed(cast("bytes", raw), parse), context)

    return call


def _parsed(raw: bytes, parse: Parse) -> object:
    try:
        return parse(raw)
    except DecodeError:
        raise InvalidOrder([("request", "not a valid protobuf message of this type")]) from None


async def _each_parsed(raws: AsyncIterator[bytes], parse: Parse) -> AsyncIterator[object]:
    async for raw in raws:
        yield _parsed(raw, parse)
