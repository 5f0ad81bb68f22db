"""The proto's RPCs over HTTP, by the routes the proto declares."""

import asyncio
import json
from http import HTTPStatus
from uuid import uuid4

import grpc
import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from gateway.routes import rules_of
from protos.order_engine.v1 import order_service_pb2
from tests.gateway.conftest import Bridge, everything
from tests.gateway.fake_engine import FakeEngine, refusal
from tests.gateway.lives import PLACED, SIGNATURE, SOL, SUCCESS, USDC

ORDER = {"tokenIn": SOL, "tokenOut": USDC, "amountIn": "1000000000", "slippageBps": 0}
EVENTS = {"Accept": "text/event-stream"}


def url(bridge: Bridge, order_id: str, query: str = "") -> str:
    return f"ws://127.0.0.1:{bridge.port}/v1/orders/{order_id}/stream{query}"


def test_every_rpc_of_the_proto_has_its_route() -> None:
    rules = rules_of(order_service_pb2.DESCRIPTOR)
    services = order_service_pb2.DESCRIPTOR.services_by_name.values()
    assert {rule.rpc.full_name for rule in rules} == {rpc.full_name for service in services for rpc in service.methods}
    assert {rule.grpc_path for rule in rules} >= {"/order_engine.v1.OrderService/SubmitOrder"}


async def test_an_order_in_json_reaches_the_engine_whole(bridge: Bridge, engine: FakeEngine) -> None:
    response = await bridge.http.post("/v1/orders", json=ORDER)
    assert response.status_code == 200
    order = response.json()["order"]
    assert engine.submitted[0].amount_in == 1_000_000_000
    assert engine.submitted[0].HasField("slippage_bps")
    assert (order["orderId"], order["amountIn"], order["status"]) == (
        response.json()["orderId"],
        "1000000000",
        "ORDER_STATUS_CONFIRMED",
    )
    assert (order["clientOrderId"], order["cancelRequested"]) == ("", False)


@pytest.mark.parametrize("amount", ["9007199254740993", "9.007199254740993e15", '"9007199254740993"'])
async def test_amounts_never_pass_through_a_float(bridge: Bridge, engine: FakeEngine, amount: str) -> None:
    body = f'{{"token_in":"SOL","token_out":"USDC","amount_in":{amount}}}'
    assert (await bridge.http.post("/v1/orders", content=body)).status_code == 200
    assert engine.submitted[0].amount_in == 9_007_199_254_740_993


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ('{"amountInn":"1"}', "amountInn"),
        ('{"amountIn":"-1"}', "amountIn"),
        ('{"amountIn":1.5}', "amountIn"),
        ('{"amountIn":1e309}', "amountIn"),
        ('{"amountIn":"18446744073709551616"}', "amountIn"),
        ('{"amountIn":true}', "amountIn"),
        ('{"amountIn":NaN}', "amountIn"),
        ('{"tokenIn":1}', "tokenIn"),
        ('{"tokenIn":["SOL"]}', "tokenIn"),
        ('{"orderType":"LIMIT"}', "orderType"),
        ("[]", "body"),
        ("nope", "body"),
        ("[" * 30_000, "body"),
        ("9" * 5_000, "body"),
    ],
)
async def test_a_body_the_proto_does_not_know_is_refused(
    bridge: Bridge, engine: FakeEngine, body: str, named: str
) -> None:
    response = await bridge.http.post("/v1/orders", content=body)
    assert response.status_code == 400
    assert set(response.json()) == {"code", "message", "details"}
    assert response.json()["code"] == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert named in response.json()["message"]
    assert engine.submitted == []


async def test_an_engines_error_keeps_its_code_and_details(bridge: Bridge) -> None:
    response = await bridge.http.get(f"/v1/orders/{uuid4()}")
    assert response.status_code == 404
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "ORDER_NOT_FOUND",
        "domain": "order-engine",
    }
    assert response.json() == {"code": 5, "message": "ORDER_NOT_FOUND by the engine", "details": [info]}


async def test_paths_and_parameters(bridge: Bridge, engine: FakeEngine) -> None:
    assert (await bridge.http.get("/v1/tokens/SOL")).json()["decimals"] == 9
    life = engine.place(SUCCESS)
    assert (await bridge.http.get(f"/v1/orders/{life.order.order_id}")).json()["fill"]["signature"] == SIGNATURE
    unknown = await bridge.http.get("/v1/tokens/SOL?colour=red")
    assert (unknown.status_code, unknown.json()["message"]) == (400, "colour: no such parameter")
    repeated = await bridge.http.get("/v1/tokens/SOL?token=USDC")
    assert repeated.status_code == 400
    for path in (f"/v1/orders/{life.order.order_id}:explain", "/v1/tokens"):
        assert (await bridge.http.get(path)).status_code == HTTPStatus.NOT_IMPLEMENTED


async def test_without_an_engine_every_rpc_is_503(bridge: Bridge, engine: FakeEngine) -> None:
    await engine.stop()
    response = await bridge.http.get("/v1/tokens/SOL")
    assert (response.status_code, response.json()["code"]) == (503, 14)


async def test_lines_of_json(bridge: Bridge, engine: FakeEngine) -> None:
    response = await bridge.http.get(f"/v1/orders/{engine.place(SUCCESS).order.order_id}/stream")
    assert response.headers["content-type"] == "application/x-ndjson"
    results = [json.loads(line)["result"] for line in response.text.splitlines()]
    assert [result["sequence"] for result in results] == ["1", "2", "3", "4", "5"]
    assert results[-1]["status"] == "ORDER_STATUS_CONFIRMED"


@pytest.mark.parametrize("parameter", ["after_sequence", "afterSequence"])
async def test_parameters_have_both_names(bridge: Bridge, engine: FakeEngine, parameter: str) -> None:
    order_id = engine.place(SUCCESS).order.order_id
    response = await bridge.http.get(f"/v1/orders/{order_id}/stream?{parameter}=3")
    assert len(response.text.splitlines()) == 2


async def test_server_sent_events_carry_their_cursor_and_are_resumed_by_it(bridge: Bridge, engine: FakeEngine) -> None:
    path = f"/v1/orders/{engine.place(SUCCESS).order.order_id}/stream"
    events = (await bridge.http.get(path, headers=EVENTS)).text.split("\n\n")
    assert [event.splitlines()[0] for event in events if event] == [f"id: {number}" for number in range(1, 6)]
    resumed = (await bridge.http.get(path, headers={**EVENTS, "Last-Event-ID": "4"})).text
    assert resumed.startswith("id: 5\ndata: {")
    finished = await bridge.http.get(path, headers={**EVENTS, "Last-Event-ID": "5"})
    assert (finished.status_code, finished.content) == (204, b"")
    assert (await bridge.http.get(path, headers={**EVENTS, "Last-Event-ID": "x"})).status_code == 400


async def test_a_stream_that_is_refused_is_an_http_error(bridge: Bridge) -> None:
    for headers in (EVENTS, {}):
        response = await bridge.http.get(f"/v1/orders/{uuid4()}/stream", headers=headers)
        assert (response.status_code, response.json()["code"]) == (404, 5)


async def test_an_http_stream_that_breaks_ends_with_one_error(bridge: Bridge, engine: FakeEngine) -> None:
    engine.break_stream_after = 2
    response = await bridge.http.get(f"/v1/orders/{engine.place(SUCCESS).order.order_id}/stream")
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [next(iter(line)) for line in lines] == ["result", "result", "error"]
    assert lines[-1]["error"]["code"] == 14


async def test_a_stopping_bridge_ends_http_streams_at_once(bridge: Bridge, engine: FakeEngine) -> None:
    path = f"/v1/orders/{engine.place([PLACED]).order.order_id}/stream"
    async with bridge.http.stream("GET", path) as response:
        lines = response.aiter_lines()
        assert "result" in json.loads(await anext(lines))
        bridge.server.should_exit = True
        assert json.loads(await asyncio.wait_for(anext(lines), 5))["error"]["code"] == 14


async def test_a_client_that_leaves_an_http_stream_ends_the_engines_stream(bridge: Bridge, engine: FakeEngine) -> None:
    path = f"/v1/orders/{engine.place([PLACED]).order.order_id}/stream"
    async with bridge.http.stream("GET", path, headers=EVENTS) as response:
        await anext(response.aiter_lines())
    await asyncio.wait_for(engine.stream_closed.wait(), 5)


async def test_websocket_frames(bridge: Bridge, engine: FakeEngine) -> None:
    order_id = engine.place(SUCCESS).order.order_id
    async with connect(url(bridge, order_id, "?afterSequence=2"), proxy=None) as socket:
        frames = [json.loads(frame) for frame in await everything(socket)]
        assert socket.close_code == 1000
    assert [frame["result"]["sequence"] for frame in frames] == ["3", "4", "5"]


@pytest.mark.parametrize(("query", "code"), [("", 4404), ("?afterSequence=x", 4400), ("?nonsense=1", 4400)])
async def test_websocket_refusals_say_why(bridge: Bridge, query: str, code: int) -> None:
    async with connect(url(bridge, str(uuid4()), query), proxy=None) as socket:
        (frame,) = await everything(socket)
        assert socket.close_code == code
    assert set(json.loads(frame)["error"]) == {"code", "message", "details"}


async def test_a_broken_engine_closes_websockets_with_1012(bridge: Bridge, engine: FakeEngine) -> None:
    engine.break_stream_after = 2
    async with connect(url(bridge, engine.place(SUCCESS).order.order_id), proxy=None) as socket:
        assert len(await everything(socket)) == 3
        assert socket.close_code == 1012


async def test_credentials_and_metadata_are_forwarded(bridge: Bridge, engine: FakeEngine) -> None:
    order_id = engine.place(SUCCESS).order.order_id
    headers = {"Authorization": "Bearer one", "Grpc-Metadata-Trace": "t1", "Grpc-Metadata-X-Owner-Id": "root"}
    await bridge.http.get(f"/v1/orders/{order_id}", headers=headers)
    assert engine.metadata["authorization"] == "Bearer one"
    assert engine.metadata["trace"] == "t1"
    assert "x-owner-id" not in engine.metadata
    protocols = [Subprotocol("Bearer"), Subprotocol("two")]
    async with connect(url(bridge, order_id), proxy=None, subprotocols=protocols) as socket:
        await everything(socket)
        assert socket.subprotocol == "Bearer"
    assert engine.metadata["authorization"] == "Bearer two"


@pytest.mark.parametrize("header", [{"Grpc-Timeout": "soon"}, {"Authorization": "Bearer ü"}])
async def test_headers_that_grpc_cannot_carry_are_refused(bridge: Bridge, header: dict[str, str]) -> None:
    encoded = httpx.Headers(header, encoding="latin-1")
    assert (await bridge.http.get(f"/v1/orders/{uuid4()}", headers=encoded)).status_code == 400


async def test_the_clients_deadline_is_honoured(bridge: Bridge, engine: FakeEngine) -> None:
    await bridge.http.get("/v1/tokens/SOL")
    engine.deaf = True
    response = await bridge.http.get(f"/v1/orders/{uuid4()}", headers={"Grpc-Timeout": "50m"})
    assert (response.status_code, response.json()["code"]) == (504, 4)


async def test_a_rate_limit_says_when_to_come_back(bridge: Bridge, engine: FakeEngine) -> None:
    engine.refuse_submit = refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    response = await bridge.http.post("/v1/orders", json=ORDER)
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
