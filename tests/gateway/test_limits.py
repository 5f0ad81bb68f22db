"""The bridge says for whom it asks, passes refusals on, and bounds its connections."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import httpx
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from starlette.types import Scope
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gateway.client_address import Proxies
from tests.gateway.conftest import Bridge, running_bridge, settings_for
from tests.gateway.fake_engine import FakeEngine, refusal
from tests.gateway.lives import SUCCESS

LIMITED = refusal(
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    "RATE_LIMIT_EXCEEDED",
    error_details_pb2.RetryInfo(retry_delay=Duration(seconds=2, nanos=1)),
)
ORDER = {"orderType": "market", "tokenIn": "SOL", "tokenOut": "USDC", "amountIn": 1}


def scope(peer: str | None, *forwarded: str) -> Scope:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return {"type": "http", "client": (peer, 4711) if peer is not None else None, "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", (), "203.0.113.9"),
        ("203.0.113.9", ("198.51.100.1",), "203.0.113.9"),
        ("127.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("127.0.0.1", ("10.9.9.9, 198.51.100.1",), "198.51.100.1"),
        ("192.0.2.7", ("198.51.100.1",), "198.51.100.1"),
        ("127.0.0.1", ("198.51.100.1, 192.0.2.7",), "198.51.100.1"),
        ("127.0.0.1", ("\xff" * 10_000,), "127.0.0.1"),
        ("::ffff:203.0.113.9", (), "203.0.113.9"),
        (None, (), ""),
        (None, ("198.51.100.1",), "198.51.100.1"),
    ],
)
def test_the_client_is_who_the_last_trusted_proxy_saw(
    peer: str | None, forwarded: tuple[str, ...], client: str
) -> None:
    assert Proxies("192.0.2.0/24").client_of(scope(peer, *forwarded)) == client


@pytest.mark.parametrize("path", ["/api/orders/{}", "/v1/orders/{}", "/v1/orders/{}/stream"])
async def test_every_call_to_the_engine_says_for_whom(bridge: Bridge, engine: FakeEngine, path: str) -> None:
    order_id = engine.place(SUCCESS).order.order_id
    forged = {"grpc-metadata-x-forwarded-for": "10.0.0.1", "x-forwarded-for": "198.51.100.7"}
    assert (await bridge.http.get(path.format(order_id), headers=forged)).status_code == 200
    assert engine.metadata["x-forwarded-for"] == "198.51.100.7"
    assert (await bridge.http.get(path.format(order_id))).status_code == 200
    assert engine.metadata["x-forwarded-for"] == "127.0.0.1"


async def test_a_websocket_does_too(bridge: Bridge, engine: FakeEngine) -> None:
    order_id = engine.place(SUCCESS).order.order_id
    for path in ("/api/orders/{}/stream", "/v1/orders/{}/stream"):
        url = f"ws://127.0.0.1:{bridge.port}{path.format(order_id)}"
        async with connect(url, proxy=None, additional_headers={"x-forwarded-for": "198.51.100.8"}) as socket:
            await socket.recv()
        assert engine.metadata.pop("x-forwarded-for") == "198.51.100.8"


async def test_the_engines_refusal_is_429_with_its_delay(bridge: Bridge, engine: FakeEngine) -> None:
    engine.refuse_submit = LIMITED
    terms = {"token_in": "SOL", "token_out": "USDC", "amount_in": "1"}
    for path, payload in (("/api/orders/execute", ORDER), ("/v1/orders", terms)):
        reply = await bridge.http.post(path, json=payload)
        assert (reply.status_code, reply.headers["retry-after"]) == (429, "3")


async def test_a_refused_stream_is_429_before_the_upgrade(bridge: Bridge, engine: FakeEngine) -> None:
    engine.refuse_stream = LIMITED
    order_id = engine.place(SUCCESS).order.order_id
    with pytest.raises(InvalidStatus) as refused:
        await bridge.stream(order_id)
    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["retry-after"] == "3"
    assert (await bridge.http.get(f"/v1/orders/{order_id}/stream")).status_code == 429


@pytest.fixture(params=["max_connections", "max_connections_per_client"])
async def crowded(request: pytest.FixtureRequest, engine: FakeEngine) -> AsyncIterator[tuple[Bridge, int]]:
    """A bridge for two connections, and what it says to the third."""
    async with running_bridge(settings_for(engine).model_copy(update={request.param: 2})) as bridge:
        yield bridge, 503 if request.param == "max_connections" else 429


async def test_connections_over_the_cap_are_refused_until_one_ends(
    crowded: tuple[Bridge, int], engine: FakeEngine
) -> None:
    bridge, status = crowded
    order_id = engine.place(SUCCESS[:1]).order.order_id
    async with bridge.stream(order_id) as socket:  # an upgraded connection counts as one
        await socket.recv()
        assert (await bridge.http.get("/healthz")).status_code == 200
        async with httpx.AsyncClient(base_url=bridge.http.base_url, trust_env=False) as third:
            reply = await third.get("/healthz")
            assert (reply.status_code, reply.headers["retry-after"]) == (status, "1")
            assert reply.headers["connection"] == "close"
        assert (await bridge.http.get("/healthz")).status_code == 200
    async with httpx.AsyncClient(base_url=bridge.http.base_url, trust_env=False) as fourth, asyncio.timeout(5):
        while (await fourth.get("/healthz")).status_code != 200:  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(0.01)


async def test_a_named_proxy_speaks_for_many(engine: FakeEngine) -> None:
    changes = {"max_connections_per_client": 1, "trusted_proxies": "127.0.0.1"}
    order_id = engine.place(SUCCESS[:1]).order.order_id
    async with (
        running_bridge(settings_for(engine).model_copy(update=changes)) as bridge,
        bridge.stream(order_id) as first,
        bridge.stream(order_id) as second,
    ):
        assert await first.recv()
        assert await second.recv()
