"""What clients and the engine do is counted, by route and code, and served on a port of its own."""

import asyncio
import re
import signal
import socket
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.eventually import eventually
from tests.gateway.conftest import Bridge, running_bridge, settings_for
from tests.gateway.fake_engine import FakeEngine
from tests.gateway.lives import PLACED, SUCCESS
from tests.gateway.test_process import start

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ORDER, CLASSIC_STREAM = "/api/orders/{orderId}", "/api/orders/{orderId}/stream"
STREAM = "/v1/orders/{order_id}/stream"


def value(bridge: Bridge, name: str, **labels: str) -> float:
    return bridge.server.metrics.registry.get_sample_value(f"order_engine_gateway_{name}", labels) or 0


def requests(bridge: Bridge, method: str, route: str, status: str) -> float:
    return value(bridge, "http_requests_total", method=method, route=route, status=status)


async def test_requests_are_counted_by_route_template_and_status(bridge: Bridge, engine: FakeEngine) -> None:
    for _ in range(2):
        assert (await bridge.http.get(f"/api/orders/{engine.place(SUCCESS).order.order_id}")).status_code == 200
    assert (await bridge.http.get(f"/api/orders/{UNKNOWN}")).status_code == 404
    assert requests(bridge, "GET", ORDER, "200") == 2
    assert requests(bridge, "GET", ORDER, "404") == 1
    assert value(bridge, "http_request_seconds_count", method="GET", route=ORDER) == 3


async def test_what_no_route_matches_shares_one_label(bridge: Bridge) -> None:
    for path in ("/a", "/b"):
        await bridge.http.get(path)
    await bridge.http.request("PURGE", "/coffee")
    assert requests(bridge, "GET", "none", "404") == 2
    assert requests(bridge, "OTHER", "none", "404") == 1
    refused = await bridge.http.get("/healthz", headers={"origin": "https://evil.example"})
    assert refused.status_code == 403
    assert requests(bridge, "GET", "none", "403") == 1


async def test_websockets_are_open_until_they_close(bridge: Bridge, engine: FakeEngine) -> None:
    life = engine.place([PLACED])
    async with bridge.stream(life.order.order_id) as socket:
        await socket.recv()
        assert value(bridge, "websockets_open", route=CLASSIC_STREAM) == 1
        life.happen(*SUCCESS[1:])
        async for _ in socket:
            pass
    await eventually(lambda: value(bridge, "websocket_closes_total", code="1000") == 1)
    assert value(bridge, "websockets_open", route=CLASSIC_STREAM) == 0
    assert requests(bridge, "WEBSOCKET", CLASSIC_STREAM, "101") == 1


async def test_a_client_that_leaves_is_gone(bridge: Bridge, engine: FakeEngine) -> None:
    async with bridge.stream(engine.place([PLACED]).order.order_id) as socket:
        await socket.recv()
    await eventually(lambda: value(bridge, "websocket_closes_total", code="gone") == 1)
    assert value(bridge, "websockets_open", route=CLASSIC_STREAM) == 0


async def test_a_refused_handshake_never_was_open(bridge: Bridge) -> None:
    with pytest.raises(InvalidStatus):
        async with bridge.stream(UNKNOWN):
            pass
    assert requests(bridge, "WEBSOCKET", CLASSIC_STREAM, "404") == 1
    assert value(bridge, "websockets_open", route=CLASSIC_STREAM) == 0


async def test_http_streams_are_open_while_they_last(bridge: Bridge, engine: FakeEngine) -> None:
    path = f"/v1/orders/{engine.place([PLACED]).order.order_id}/stream"
    async with bridge.http.stream("GET", path, headers={"accept": "text/event-stream"}) as answer:
        await anext(answer.aiter_lines())
        assert value(bridge, "http_streams_open", route=STREAM) == 1
    await eventually(lambda: value(bridge, "http_streams_open", route=STREAM) == 0)
    assert requests(bridge, "GET", STREAM, "200") == 1


async def test_the_engines_answers_are_counted_by_code(bridge: Bridge, engine: FakeEngine) -> None:
    await bridge.http.get(f"/v1/orders/{engine.place(SUCCESS).order.order_id}")
    await bridge.http.get(f"/v1/orders/{UNKNOWN}")
    method = "order_engine.v1.OrderService/GetOrder"
    assert value(bridge, "engine_calls_total", method=method, code="OK") == 1
    assert value(bridge, "engine_calls_total", method=method, code="NOT_FOUND") == 1
    assert value(bridge, "engine_call_seconds_count", method=method) == 2


async def test_the_end_of_the_engines_streams_is_counted(bridge: Bridge, engine: FakeEngine) -> None:
    await bridge.frames(engine.place(SUCCESS).order.order_id)
    await bridge.http.get(f"/v1/orders/{UNKNOWN}/stream")
    method = "order_engine.v1.OrderService/StreamOrderStatus"

    def ended(code: str) -> float:
        return value(bridge, "engine_calls_total", method=method, code=code)

    await eventually(lambda: ended("NOT_FOUND") == 1 and ended("OK") + ended("CANCELLED") == 1)


async def test_an_engine_that_is_away_is_counted(engine: FakeEngine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        target = f"127.0.0.1:{closed.getsockname()[1]}"
    settings = settings_for(engine).model_copy(update={"grpc_target": target, "grpc_timeout_seconds": 0.2})
    async with running_bridge(settings) as bridge:
        assert (await bridge.http.get(f"/v1/orders/{UNKNOWN}")).status_code == 503
        assert value(bridge, "engine_away_total") == 1


async def test_no_label_is_a_clients_text(bridge: Bridge, engine: FakeEngine) -> None:
    order_id = engine.place(SUCCESS).order.order_id
    await bridge.http.get(f"/api/orders/{order_id}?secret=1")
    await bridge.http.get("/secret", headers={"x-secret": "secret"})
    await bridge.http.request("GET", "/healthz?service=secret")
    families = bridge.server.metrics.registry.collect()
    labels = {label for family in families for one in family.samples for label in one.labels.values()}
    assert ORDER in labels
    assert not [label for label in labels if "secret" in label.lower() or order_id in label]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def served(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """Return what the bridge logs about its metrics, and the port it listens on."""
    assert process.stderr is not None
    log = b""
    async with asyncio.timeout(20):
        while b"gateway_listening" not in log:
            line = await process.stderr.readline()
            assert line, log
            log += line
    return log.decode(), port_in(log.decode(), "gateway_listening")


def port_in(log: str, event: str) -> str:
    line = next(line for line in log.splitlines() if event in line)
    found = re.search(r'"port": (\d+)', line)
    assert found, line
    return found[1]


async def stopped(process: asyncio.subprocess.Process) -> int | None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 20)
    return process.returncode


async def test_the_process_serves_its_metrics(engine: FakeEngine) -> None:
    process = await start(
        "--port", "0", GRPC_PORT=str(engine.port), METRICS_PORT="0", LOG_FORMAT="json", DRAIN_SECONDS="1"
    )
    try:
        log, port = await served(process)
        metrics_port = port_in(log, "metrics_served")
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"http://127.0.0.1:{port}/api/health")).status_code == 200
            scraped = await http.get(f"http://127.0.0.1:{metrics_port}/metrics")
            assert (await http.get(f"http://127.0.0.1:{port}/metrics")).status_code == 404
        health = 'order_engine_gateway_http_requests_total{method="GET",route="/api/health",status="200"} 1.0'
        assert health in scraped.text
        assert "process_cpu_seconds_total" in scraped.text
    finally:
        assert await stopped(process) == 0


async def test_a_required_metrics_port_that_is_taken_stops_the_bridge(engine: FakeEngine, taken: int) -> None:
    process = await start("--port", "0", GRPC_PORT=str(engine.port), METRICS_PORT=str(taken))
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert f"METRICS_PORT: cannot listen on 127.0.0.1:{taken}".encode() in errors
    assert b"Traceback" not in errors


async def test_a_metrics_port_that_is_not_required_does_not(engine: FakeEngine, taken: int) -> None:
    environment = {"METRICS_PORT": str(taken), "METRICS_REQUIRED": "false", "LOG_FORMAT": "json", "DRAIN_SECONDS": "1"}
    process = await start("--port", "0", GRPC_PORT=str(engine.port), **environment)
    try:
        log, _ = await served(process)
        assert "metrics_not_served" in log
    finally:
        assert await stopped(process) == 0
