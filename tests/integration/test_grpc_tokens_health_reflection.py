"""Tokens, health and reflection over real gRPC."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from solders.pubkey import Pubkey

from order_engine.api.server import SERVICES
from order_engine.domain.pool import Account
from order_engine.domain.tokens import KNOWN_TOKENS, TOKEN_PROGRAM, WRAPPED_SOL
from protos.order_engine.v1 import order_service_pb2 as pb
from tests.integration.grpc_harness import Harness, refusal, running

BUF = Path(__file__).parents[2] / ".venv" / "bin" / "buf"
Code = grpc.StatusCode
Status = health_pb2.HealthCheckResponse


@pytest.fixture
async def api() -> AsyncGenerator[Harness]:
    async with running() as harness:
        yield harness


@pytest.mark.parametrize("token", ["SOL", str(WRAPPED_SOL)])
async def test_a_known_token_is_found_by_symbol_and_by_mint(api, token):
    found = await api.tokens.GetToken(pb.GetTokenRequest(token=token))
    assert (found.symbol, found.decimals, found.mint) == ("SOL", 9, str(WRAPPED_SOL))
    assert found.token_program == str(TOKEN_PROGRAM)


async def test_a_mint_that_the_list_does_not_know_is_read_from_the_chain(api):
    mint = Pubkey.new_unique()
    data = bytearray(82)
    data[44], data[45] = 7, 1
    api.chain.known[mint] = Account(owner=TOKEN_PROGRAM, lamports=1, data=bytes(data))
    found = await api.tokens.GetToken(pb.GetTokenRequest(token=str(mint)))
    assert (found.mint, found.symbol, found.decimals) == (str(mint), "", 7)


@pytest.mark.parametrize("exists", [False, True], ids=["no such account", "not a mint"])
async def test_an_account_that_is_no_mint_is_no_token(api, exists):
    mint = Pubkey.new_unique()
    if exists:
        api.chain.known[mint] = Account(owner=TOKEN_PROGRAM, lamports=1, data=bytes(165))
    refused = await refusal(api.tokens.GetToken(pb.GetTokenRequest(token=str(mint))))
    assert (refused.code, refused.reason) == (Code.NOT_FOUND, "TOKEN_NOT_FOUND")
    assert refused.metadata == {"mint": str(mint)}


@pytest.mark.parametrize("token", ["", "sol", "MSOL", "not base58 0OIl", "1" * 45])
async def test_neither_a_symbol_nor_a_mint_is_an_invalid_argument(api, token):
    refused = await refusal(api.tokens.GetToken(pb.GetTokenRequest(token=token)))
    assert (refused.code, refused.fields) == (Code.INVALID_ARGUMENT, ("token",))


@pytest.mark.parametrize("page_size", [1, 3, 8, 0, 2**31 - 1])
async def test_pages_list_every_token_once(api, page_size):
    symbols, page_token = [], ""
    while True:
        page = await api.tokens.ListTokens(pb.ListTokensRequest(page_size=page_size, page_token=page_token))
        symbols += [token.symbol for token in page.tokens]
        page_token = page.next_page_token
        if not page_token:
            break
        assert len(page.tokens) == page_size
    assert symbols == [token.symbol for token in KNOWN_TOKENS]


async def test_a_bad_page_is_refused_with_every_field(api):
    request = pb.ListTokensRequest(page_size=-1, page_token="!")
    refused = await refusal(api.tokens.ListTokens(request))
    assert (refused.code, refused.fields) == (Code.INVALID_ARGUMENT, ("page_size", "page_token"))


async def test_the_health_of_every_service_follows_the_store(api):
    health = health_pb2_grpc.HealthStub(api.channel)
    requests = [health_pb2.HealthCheckRequest(service=service) for service in ("", *SERVICES)]
    watches = [health.Watch(request) for request in requests]
    for down, expected in [(False, Status.SERVING), (True, Status.NOT_SERVING)]:
        api.store.down = down
        for request, watch in zip(requests, watches, strict=True):
            assert (await asyncio.wait_for(watch.read(), 5)).status == expected
            assert (await health.Check(request)).status == expected
    for watch in watches:
        watch.cancel()


async def test_health_lists_every_service(api):
    listed = await health_pb2_grpc.HealthStub(api.channel).List(health_pb2.HealthListRequest())
    assert {name: reply.status for name, reply in listed.statuses.items()} == dict.fromkeys(
        ["", *SERVICES], Status.SERVING
    )


async def test_the_health_of_an_unknown_service_is_not_found(api):
    health = health_pb2_grpc.HealthStub(api.channel)
    request = health_pb2.HealthCheckRequest(service="nope")
    assert (await refusal(health.Check(request))).code is Code.NOT_FOUND
    watch = health.Watch(request)
    assert (await watch.read()).status == Status.SERVICE_UNKNOWN
    watch.cancel()


async def buf_curl(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        str(BUF),
        "curl",
        "--protocol",
        "grpc",
        "--http2-prior-knowledge",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_client_that_knows_nothing_reads_the_contract_and_calls_it(api):
    url = f"http://{api.target}"
    code, listed = await buf_curl("--list-methods", url)
    assert code == 0, listed
    assert "order_engine.v1.OrderService/SubmitOrder" in listed
    assert "grpc.health.v1.Health/Check" in listed
    data = '{"tokenIn":"SOL","tokenOut":"USDC","amountIn":"5"}'
    code, reply = await buf_curl("-d", data, f"{url}/order_engine.v1.OrderService/SubmitOrder")
    assert code == 0, reply
    assert '"status": "ORDER_STATUS_PENDING"' in reply or '"status":"ORDER_STATUS_PENDING"' in reply
    code, refused = await buf_curl("-d", "{}", f"{url}/order_engine.v1.OrderService/SubmitOrder")
    assert code != 0
    assert "invalid_argument" in refused
    assert "amount_in" in refused


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
@pytest.mark.parametrize(
    "symbol", ["order_engine.v1.OrderService", "order_engine.v1.OrderService.SubmitOrder", "order_engine.v1.Order"]
)
async def test_reflection_answers_under_both_names_for_services_methods_and_messages(api, version, symbol):
    call = api.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )()
    await call.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol))
    await call.done_writing()
    (reply,) = [one async for one in call]
    names = [FileDescriptorProto.FromString(raw).name for raw in reply.file_descriptor_response.file_descriptor_proto]
    assert "protos/order_engine/v1/order_service.proto" in names


async def test_reflection_does_not_know_what_is_not_in_the_contract(api):
    stub = reflection_pb2_grpc.ServerReflectionStub(api.channel)
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol="order_engine.v1.OrderService.Nope")
    replies = [one async for one in stub.ServerReflectionInfo(iter([request]))]
    assert [one.error_response.error_code for one in replies] == [Code.NOT_FOUND.value[0]]
