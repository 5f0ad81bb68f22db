"""Which web pages may place and watch orders."""

import pytest
from websockets.exceptions import InvalidStatus

from gateway.settings import GatewaySettings
from tests.gateway.conftest import Bridge, everything, running_bridge, settings_for
from tests.gateway.fake_engine import FakeEngine
from tests.gateway.lives import SUCCESS


@pytest.mark.parametrize(
    "origin", ["http://localhost:8080", "https://127.0.0.1", "http://[::1]:3000", "http://app.localhost", None]
)
async def test_pages_of_this_machine_and_programs_may_watch(
    bridge: Bridge, engine: FakeEngine, origin: str | None
) -> None:
    order_id = engine.place(SUCCESS).order.order_id
    async with bridge.stream(order_id, **({"origin": origin} if origin else {})) as socket:
        assert len(await everything(socket)) == 5


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "http://[",
        "x",
    ],
)
async def test_foreign_pages_are_refused_before_the_upgrade(bridge: Bridge, engine: FakeEngine, origin: str) -> None:
    order_id = engine.place(SUCCESS).order.order_id
    with pytest.raises(InvalidStatus) as refused:
        await bridge.stream(order_id, additional_headers={"Origin": origin})
    assert refused.value.response.status_code == 403
    assert engine.resumed_after == []


async def test_listed_origins_may_watch(engine: FakeEngine) -> None:
    order_id = engine.place(SUCCESS).order.order_id
    listed = settings_for(engine).model_copy(update={"allowed_origins": "https://a.example, https://app.example/"})
    async with running_bridge(listed) as bridge, bridge.stream(order_id, origin="https://app.example") as socket:
        assert len(await everything(socket)) == 5


def test_origins_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_ORIGINS", "https://A.example/,,http://b:1")
    assert GatewaySettings().origins == {"https://a.example", "http://b:1"}


async def test_a_page_of_this_machine_may_place_orders(bridge: Bridge) -> None:
    origin = {"Origin": "http://localhost:5173"}
    preflight = await bridge.http.options("/api/orders/execute", headers=origin)
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]
    order = {"tokenIn": "SOL", "tokenOut": "USDC", "amountIn": 1}
    response = await bridge.http.post("/api/orders/execute", json=order, headers=origin)
    assert response.status_code == 201
    assert response.headers["access-control-allow-origin"] == origin["Origin"]


async def test_a_foreign_page_may_not_place_orders(bridge: Bridge, engine: FakeEngine) -> None:
    order = {"tokenIn": "SOL", "tokenOut": "USDC", "amountIn": 1}
    response = await bridge.http.post("/api/orders/execute", json=order, headers={"Origin": "http://evil.example"})
    assert response.status_code == 403
    assert engine.submitted == []


async def test_a_page_that_points_its_own_name_here_may_not_place_orders(bridge: Bridge, engine: FakeEngine) -> None:
    headers = {"Origin": "http://rebound.example", "Host": "rebound.example"}
    order = {"tokenIn": "SOL", "tokenOut": "USDC", "amountIn": 1}
    assert (await bridge.http.post("/api/orders/execute", json=order, headers=headers)).status_code == 403
    assert engine.submitted == []


async def test_a_page_of_this_machine_may_read_event_streams(bridge: Bridge, engine: FakeEngine) -> None:
    path = f"/v1/orders/{engine.place(SUCCESS).order.order_id}/stream"
    headers = {"Origin": "http://localhost:5173", "Accept": "text/event-stream"}
    response = await bridge.http.get(path, headers=headers)
    assert response.text.startswith("id: 1\n")
    assert response.headers["access-control-allow-origin"] == headers["Origin"]
