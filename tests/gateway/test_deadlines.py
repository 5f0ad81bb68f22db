"""Grpc-Timeout in its whole legal range."""

import pytest

from tests.gateway.conftest import Bridge


@pytest.mark.parametrize("header", ["99999999H", "99999999M", "99999999S", "2562048H", "1H", "05S"])
async def test_a_long_deadline_is_not_one_that_has_passed(bridge: Bridge, header: str) -> None:
    response = await bridge.http.get("/v1/tokens/SOL", headers={"Grpc-Timeout": header})
    assert response.status_code == 200, response.text
