"""Bytes that are no message, and messages that are too large: a named refusal, and the server serves on."""

import random

import grpc
import pytest

from order_engine.domain.order import OrderStatus
from protos.order_engine.v1 import order_service_pb2 as pb
from tests.integration.grpc_harness import Harness, refused, running

Code = grpc.StatusCode
METHODS = [
    (f"/{service.full_name}/{method.name}", method.server_streaming)
    for service in pb.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
FOREIGN = [
    ("/grpc.health.v1.Health/Check", False),
    ("/grpc.health.v1.Health/List", False),
]
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
CALLERS_FAULT = {Code.OK, Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.OUT_OF_RANGE, Code.UNIMPLEMENTED}
NOT_A_MESSAGE = b"\x0a\xff\xff\xff\xff\x0f"  # a string that is longer than the message


async def ask(api: Harness, method: str, streaming: bool, raw: bytes) -> Code:
    """Send the bytes, and return the code; a failure must be one of ours."""
    try:
        if streaming:
            async for _ in api.channel.unary_stream(method)(raw, timeout=10):
                return Code.OK  # an order that nobody works on streams for ever
        else:
            await api.channel.unary_unary(method)(raw, timeout=10)
    except grpc.aio.AioRpcError as error:
        return refused(error).code
    return Code.OK


@pytest.mark.parametrize(("method", "streaming"), METHODS + FOREIGN)
async def test_bytes_that_are_no_message_are_an_invalid_argument(method, streaming):
    async with running() as api:
        raw = NOT_A_MESSAGE if "List" not in method else b"\xff"
        assert await ask(api, method, streaming, raw) is Code.INVALID_ARGUMENT


async def test_reflection_refuses_bytes_that_are_no_message():
    async with running() as api:
        call = api.channel.stream_stream(REFLECTION)(iter([NOT_A_MESSAGE]))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call.read()
        assert refused(error.value).code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("seed", range(3))
async def test_random_bytes_are_never_the_servers_fault(seed):
    rng = random.Random(seed)  # noqa: S311 - no secret: it decides what to try
    async with running() as api:
        codes = {
            await ask(api, method, streaming, rng.randbytes(rng.randrange(64)))
            for _ in range(25)
            for method, streaming in METHODS + FOREIGN
        }
        assert codes <= CALLERS_FAULT
        assert Code.INVALID_ARGUMENT in codes
        assert {order.status for order in api.store.orders} <= {OrderStatus.PENDING}
        assert await api.submitted()


@pytest.mark.parametrize(("method", "streaming"), METHODS)
async def test_a_five_megabyte_message_is_refused_and_the_next_call_served(method, streaming):
    async with running() as api:
        call = api.channel.unary_stream(method) if streaming else api.channel.unary_unary(method)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await (call(b"x" * 5 * 2**20).read() if streaming else call(b"x" * 5 * 2**20))
        assert error.value.code() is Code.RESOURCE_EXHAUSTED
        assert await api.submitted()
