"""/metrics over real sockets: what it answers, and what a bad client or a taken port costs."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from order_engine.adapters.metrics import server as metrics_server
from order_engine.adapters.metrics.process import new_registry
from order_engine.adapters.metrics.server import OFF, Refresh, serving_metrics


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = new_registry()
    Counter("things", "Things.", registry=registry).inc(3)
    return registry


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@asynccontextmanager
async def served(registry: CollectorRegistry, refresh: Refresh | None = None) -> AsyncIterator[str]:
    async with serving_metrics(registry, host="127.0.0.1", port=0, required=True, refresh=refresh) as port:
        assert port
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def url(registry: CollectorRegistry) -> AsyncIterator[str]:
    async with served(registry) as url:
        yield url


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        yield client


async def test_metrics_are_served_with_those_of_the_process(url: str, http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{url}/metrics?x=1")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"things", "process_resident_memory_bytes", "python_info"} <= names
    assert "things_total 3.0" in answer.text
    assert "_created" not in answer.text


async def test_openmetrics_is_spoken_when_asked_for(url: str, http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{url}/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


async def test_head_has_no_body(url: str, http: httpx.AsyncClient) -> None:
    answer = await http.head(f"{url}/metrics")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("POST", "/metrics", 405)])
async def test_nothing_else_is_served(url: str, http: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    assert (await http.request(method, url + path)).status_code == status


async def test_values_are_refreshed_before_every_answer(registry: CollectorRegistry, http: httpx.AsyncClient) -> None:
    asked = Counter("asked", "Asked.", registry=registry)

    async def refresh() -> None:
        asked.inc()

    async with served(registry, refresh) as url:
        await http.get(f"{url}/metrics")
        assert "asked_total 2.0" in (await http.get(f"{url}/metrics")).text


@pytest.mark.parametrize("sent", [b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"\r\n\r\n", b"x" * 200_000])
async def test_garbage_ends_its_own_connection_only(url: str, http: httpx.AsyncClient, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(url).port)
    writer.write(sent)
    try:
        assert b"200 OK" not in await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        pass
    finally:
        writer.close()
    assert (await http.get(f"{url}/metrics")).status_code == 200


async def test_clients_that_say_nothing_are_dropped(
    url: str, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_server, "_SECONDS", 0.05)
    connections = [await asyncio.open_connection("127.0.0.1", httpx.URL(url).port) for _ in range(40)]
    for reader, writer in connections:
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
    assert (await http.get(f"{url}/metrics")).status_code == 200


async def test_a_required_port_that_is_taken_is_an_error_that_names_the_setting(
    registry: CollectorRegistry, taken: int
) -> None:
    with pytest.raises(OSError, match=f"METRICS_PORT: cannot listen on 127.0.0.1:{taken}"):
        async with serving_metrics(registry, host="127.0.0.1", port=taken, required=True):
            pass


async def test_a_default_port_that_is_taken_is_gone_without(registry: CollectorRegistry, taken: int) -> None:
    async with serving_metrics(registry, host="127.0.0.1", port=taken, required=False) as port:
        assert port is None


async def test_metrics_can_be_switched_off(registry: CollectorRegistry) -> None:
    async with serving_metrics(registry, host="127.0.0.1", port=OFF, required=True) as port:
        assert port is None


async def test_the_port_is_free_again_afterwards(registry: CollectorRegistry) -> None:
    async with served(registry) as url:
        port = httpx.URL(url).port
        assert port
    with socket.create_server(("127.0.0.1", port)):
        pass
