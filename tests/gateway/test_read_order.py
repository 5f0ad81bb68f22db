"""GET /api/orders/{orderId}, the health routes, and everything that is not there."""

from uuid import uuid4

import pytest

from tests.gateway.conftest import Bridge
from tests.gateway.fake_engine import FakeEngine
from tests.gateway.lives import CANCELLED, FAILED, PLACED, RETRIED, SIGNATURE, SUCCESS, UNLISTED


async def test_a_confirmed_order(bridge: Bridge, engine: FakeEngine) -> None:
    order_id = engine.place(SUCCESS).order.order_id
    response = await bridge.http.get(f"/api/orders/{order_id.upper()}")
    assert response.status_code == 200
    assert response.json() == {
        "order_id": order_id,
        "order_type": "market",
        "token_in": "SOL",
        "token_out": "USDC",
        "amount_in": "1.000000000",
        "slippage": "0.0100",
        "status": "confirmed",
        "dex_used": "raydium",
        "executed_price": "151.234567",
        "amount_out": "151.234567",
        "tx_hash": SIGNATURE,
        "error": None,
        "created_at": "2026-09-21T14:13:20.250Z",
        "updated_at": "2026-09-21T14:13:25.250Z",
    }


async def test_what_is_not_set_yet_is_null(bridge: Bridge, engine: FakeEngine) -> None:
    order = (await bridge.http.get(f"/api/orders/{engine.place([PLACED]).order.order_id}")).json()
    unset = {name for name, value in order.items() if value is None}
    assert unset == {"dex_used", "executed_price", "amount_out", "tx_hash", "error"}


@pytest.mark.parametrize(
    ("steps", "status", "error"),
    [
        (FAILED, "failed", "NO_ROUTE: no pool can fill the order"),
        (CANCELLED, "failed", "Order was cancelled"),
        (RETRIED[:5], "pending", "SLIPPAGE_EXCEEDED: the pool paid less than the minimum"),
        (RETRIED, "confirmed", None),
    ],
)
async def test_status_and_error(
    bridge: Bridge, engine: FakeEngine, steps: list[tuple[int, int, None]], status: str, error: str | None
) -> None:
    order = (await bridge.http.get(f"/api/orders/{engine.place(steps).order.order_id}")).json()
    assert (order["status"], order["error"]) == (status, error)


async def test_tokens_that_no_list_knows_show_their_mint(bridge: Bridge, engine: FakeEngine) -> None:
    life = engine.place(SUCCESS, token_in=UNLISTED, token_out="GoneGoneGoneGoneGoneGoneGoneGone")
    order = (await bridge.http.get(f"/api/orders/{life.order.order_id}")).json()
    assert (order["token_in"], order["amount_in"]) == (UNLISTED, "10000000.00")
    assert (order["token_out"], order["amount_out"]) == ("GoneGoneGoneGoneGoneGoneGoneGone", None)


@pytest.mark.parametrize("order_id", [str(uuid4()), "1", "execute", "%00", "%F0%9F%92%A9", "x" * 2000, "a'--"])
async def test_an_unknown_order_is_404(bridge: Bridge, order_id: str) -> None:
    response = await bridge.http.get(f"/api/orders/{order_id}")
    assert (response.status_code, response.json()) == (404, {"error": "Order not found"})


async def test_without_an_engine_reading_is_503(bridge: Bridge, engine: FakeEngine) -> None:
    order_id = engine.place(SUCCESS).order.order_id
    await engine.stop()
    assert (await bridge.http.get(f"/api/orders/{order_id}")).status_code == 503


async def test_health_follows_the_engine(bridge: Bridge, engine: FakeEngine) -> None:
    healthy = await bridge.http.get("/api/health")
    assert healthy.status_code == 200
    assert set(healthy.json()) == {"status", "timestamp", "queue"}
    assert (healthy.json()["status"], healthy.json()["queue"]) == ("ok", {"activeConnections": 0})
    assert (await bridge.http.get("/healthz")).json() == {"status": "SERVING"}
    await engine.set_serving(False)
    degraded = await bridge.http.get("/api/health")
    assert (degraded.status_code, degraded.json()["status"]) == (503, "degraded")
    probe = await bridge.http.get("/healthz")
    assert (probe.status_code, probe.json()) == (503, {"status": "NOT_SERVING"})
    await engine.stop()
    assert (await bridge.http.get("/healthz")).status_code == 503
    assert (await bridge.http.get("/api/health")).status_code == 503


async def test_health_of_a_service_that_does_not_exist(bridge: Bridge) -> None:
    response = await bridge.http.get("/healthz", params={"service": "nobody.v1.Nothing"})
    assert (response.status_code, response.json()) == (404, {"status": "SERVICE_UNKNOWN"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/api/orders", 404),
        ("GET", "/api/health/", 404),
        ("GET", "/api/orders/a/b/c", 404),
        ("DELETE", "/api/orders/execute", 405),
        ("POST", "/api/health", 405),
        ("PUT", f"/api/orders/{uuid4()}", 405),
        ("POST", f"/api/orders/{uuid4()}/stream", 405),
        ("GET", f"/api/orders/{uuid4()}/stream", 426),
    ],
)
async def test_what_is_not_there_answers_json(bridge: Bridge, method: str, path: str, status: int) -> None:
    response = await bridge.http.request(method, path)
    assert response.status_code == status
    assert set(response.json()) == {"error"}
    assert ("allow" in response.headers) == (status == 405)


async def test_head_is_get_without_its_body(bridge: Bridge) -> None:
    response = await bridge.http.head("/api/health")
    assert (response.status_code, response.content) == (200, b"")
