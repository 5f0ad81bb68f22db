"""Bodies that a lenient JSON reader takes, and refusals before any RPC: named, in the shape the document promises."""

import pytest

from tests.gateway.conftest import Bridge
from tests.gateway.fake_engine import FakeEngine

pytestmark = pytest.mark.parametrize("field", ["orderType", "amountIn", "tokenIn", "slippageBps"])


@pytest.mark.parametrize(
    "value",
    [
        *("Infinity", "-Infinity", "NaN", "1e309", "-1e309", "1e9999999999999999999", "1e-9999999999999999999"),
        *("1.00000000000000000001", "1e40", '"\\ud800"', '["\\udc00\\ud800"]', '{"\\ud800":1}'),
    ],
)
async def test_what_is_no_json_value_is_the_callers_mistake(
    bridge: Bridge, engine: FakeEngine, field: str, value: str
) -> None:
    response = await bridge.http.post("/v1/orders", content=f'{{"{field}":{value}}}')
    assert (response.status_code, response.json()["code"]) == (400, 3)
    assert response.json()["message"].startswith((field, "body: not valid JSON"))
    assert engine.submitted == []


async def test_a_whole_surrogate_pair_is_text(bridge: Bridge, field: str) -> None:
    response = await bridge.http.post("/v1/orders", content=f'{{"{field}":"\\ud83d\\ude00","clientOrderId":"\\u0061"}}')
    assert response.json().get("message") != "body: not valid JSON"
