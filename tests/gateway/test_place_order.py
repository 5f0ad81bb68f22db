"""POST /api/orders/execute with good input."""

from uuid import UUID

import grpc
import pytest

from gateway.classic.numbers import U64_MAX
from tests.gateway.conftest import Bridge
from tests.gateway.fake_engine import FakeEngine, refusal
from tests.gateway.lives import SOL, UNLISTED, USDC

ORDER = {"orderType": "market", "tokenIn": "SOL", "tokenOut": "USDC", "amountIn": 1, "slippage": 0.01}


async def test_an_order_is_answered_exactly_as_the_classic_api_answers(bridge: Bridge, engine: FakeEngine) -> None:
    response = await bridge.http.post("/api/orders/execute", json=ORDER)
    order_id = next(iter(engine.lives))
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.json() == {
        "orderId": order_id,
        "message": "Order created successfully",
        "websocketUrl": f"/api/orders/{order_id}/stream",
        "instructions": "Connect to WebSocket URL to receive real-time status updates",
    }
    assert UUID(order_id)


async def test_whole_tokens_and_fractions_become_base_units_and_bps(bridge: Bridge, engine: FakeEngine) -> None:
    await bridge.http.post("/api/orders/execute", json=ORDER)
    (sent,) = engine.submitted
    assert (sent.token_in, sent.token_out) == (SOL, USDC)
    assert (sent.amount_in, sent.slippage_bps, sent.request_id) == (1_000_000_000, 100, "")


@pytest.mark.parametrize(
    ("amount", "base_units"),
    [
        ("1", 10**9),
        ("1.0", 10**9),
        ("1.0000000000000", 10**9),
        ("0.000000001", 1),
        ("1e-9", 1),
        ("1E2", 10**11),
        ('"0.1"', 10**8),
        ('"+2"', 2 * 10**9),
        ("0.3", 300_000_000),
        ("1.1", 1_100_000_000),
        ("9007199.254740993", 9_007_199_254_740_993),
        ("18446744073.709551615", U64_MAX),
    ],
)
async def test_amounts_are_decimals_never_floats(
    bridge: Bridge, engine: FakeEngine, amount: str, base_units: int
) -> None:
    body = f'{{"tokenIn":"SOL","tokenOut":"USDC","amountIn":{amount}}}'
    assert (await bridge.http.post("/api/orders/execute", content=body)).status_code == 201
    assert engine.submitted[0].amount_in == base_units


@pytest.mark.parametrize(
    ("slippage", "bps"),
    [("0", 0), ("-0", 0), ("0e999", 0), ("0.0001", 1), ("0.5", 5000), ('"0.25"', 2500), ("5e-1", 5000)],
)
async def test_slippage_is_a_fraction(bridge: Bridge, engine: FakeEngine, slippage: str, bps: int) -> None:
    body = f'{{"tokenIn":"SOL","tokenOut":"USDC","amountIn":1,"slippage":{slippage}}}'
    assert (await bridge.http.post("/api/orders/execute", content=body)).status_code == 201
    assert engine.submitted[0].HasField("slippage_bps")
    assert engine.submitted[0].slippage_bps == bps


async def test_slippage_and_order_type_may_be_left_out(bridge: Bridge, engine: FakeEngine) -> None:
    order = {"tokenIn": SOL, "tokenOut": UNLISTED, "amountIn": "1", "more": {"ignored": [1, None]}}
    assert (await bridge.http.post("/api/orders/execute", json=order)).status_code == 201
    assert not engine.submitted[0].HasField("slippage_bps")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_the_content_type_does_not_matter(bridge: Bridge, content_type: str) -> None:
    body = b'{"tokenIn":"SOL","tokenOut":"USDC","amountIn":1}'
    response = await bridge.http.post("/api/orders/execute", content=body, headers={"content-type": content_type})
    assert response.status_code == 201


async def test_an_idempotency_key_returns_the_first_order(bridge: Bridge, engine: FakeEngine) -> None:
    headers = {"Idempotency-Key": "order-1.A_b:c"}
    first = await bridge.http.post("/api/orders/execute", json=ORDER, headers=headers)
    again = await bridge.http.post("/api/orders/execute", json=ORDER, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert engine.submitted[0].request_id == "order-1.A_b:c"


async def test_an_idempotency_key_of_another_order_is_a_conflict(bridge: Bridge) -> None:
    headers = {"Idempotency-Key": "order-1"}
    await bridge.http.post("/api/orders/execute", json=ORDER, headers=headers)
    other = await bridge.http.post("/api/orders/execute", json={**ORDER, "amountIn": 2}, headers=headers)
    assert other.status_code == 409
    assert "Idempotency-Key" in other.json()["error"]


async def test_listed_tokens_are_asked_for_once_and_others_each_time(bridge: Bridge, engine: FakeEngine) -> None:
    for _ in range(2):
        await bridge.http.post("/api/orders/execute", json={**ORDER, "tokenOut": UNLISTED})
    assert sorted(engine.asked_tokens) == sorted(["SOL", UNLISTED, UNLISTED])


async def test_an_order_waits_for_an_engine_that_is_just_restarting(bridge: Bridge, engine: FakeEngine) -> None:
    await bridge.http.post("/api/orders/execute", json=ORDER)
    await engine.stop()
    assert (await bridge.http.get("/api/health")).status_code == 503
    await engine.start()
    assert (await bridge.http.post("/api/orders/execute", json=ORDER)).status_code == 201


async def test_without_an_engine_the_answer_is_503_without_internals(bridge: Bridge, engine: FakeEngine) -> None:
    await engine.stop()
    response = await bridge.http.post("/api/orders/execute", json=ORDER)
    assert response.status_code == 503
    assert response.json()["error"] == "Failed to create order"
    assert int(response.headers["retry-after"]) >= 1
    assert str(engine.port) not in response.text


async def test_an_internal_error_shows_its_correlation_id_and_nothing_else(bridge: Bridge, engine: FakeEngine) -> None:
    engine.refuse_submit = refusal(grpc.StatusCode.INTERNAL, "INTERNAL", correlation_id="c0ffee")
    response = await bridge.http.post("/api/orders/execute", json=ORDER)
    assert response.status_code == 500
    details = "the order engine met an internal error (correlation id c0ffee)"
    assert response.json() == {"error": "Failed to create order", "details": details}
