"""What the bridge refuses by itself has the shape that the asked part of the API documents."""

import pytest

from tests.gateway.conftest import Bridge


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, 12),
        ("GET", "/v1/orders/", 404, 12),
        ("GET", "/v1/orders/a%2Fb/c", 404, 12),
        ("OPTIONS", "/v1/nothing", 404, 12),
        ("POST", "/v1/orders/:cancel", 405, 12),
        ("DELETE", "/v1/orders", 405, 12),
    ],
)
async def test_a_path_among_the_rpcs_is_refused_as_an_rpc_is(
    bridge: Bridge, method: str, path: str, status: int, code: int
) -> None:
    response = await bridge.http.request(method, path)
    assert response.status_code == status
    assert response.json() == {"code": code, "message": response.json()["message"], "details": []}
    assert ("allow" in response.headers) is (status == 405)


async def test_a_body_too_large_names_the_body(bridge: Bridge) -> None:
    response = await bridge.http.post("/v1/orders", content=b"x" * 70_000)
    assert (response.status_code, response.json()["code"]) == (400, 3)
    assert response.json()["details"][1]["fieldViolations"][0]["field"] == "body"


async def test_an_origin_that_is_not_allowed(bridge: Bridge) -> None:
    response = await bridge.http.get("/v1/tokens", headers={"origin": "https://elsewhere.example"})
    assert (response.status_code, response.json()["code"]) == (403, 7)


@pytest.mark.parametrize("path", ["/", "/api/nothing", "/api/orders/a/b/c", "/v1nothing", "/v2/orders"])
async def test_every_other_path_keeps_the_classic_shape(bridge: Bridge, path: str) -> None:
    response = await bridge.http.get(path)
    assert (response.status_code, response.json()) == (404, {"error": "Not found"})
