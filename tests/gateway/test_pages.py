"""The OpenAPI document covers every RPC of the contract, so that none is forgotten; the page needs no net."""

import re

from protos.order_engine.v1 import order_service_pb2 as pb
from tests.gateway.conftest import Bridge


async def test_the_document_has_every_rpc_with_its_route_and_comment(bridge: Bridge) -> None:
    document = (await bridge.http.get("/openapi.json")).json()
    operations = {one["operationId"]: one for path in document["paths"].values() for one in path.values()}
    rpcs = {
        f"{service.name}_{rpc.name}" for service in pb.DESCRIPTOR.services_by_name.values() for rpc in service.methods
    }
    assert set(operations) == rpcs
    assert "Stores the order durably" in operations["OrderService_SubmitOrder"]["description"]
    body = operations["OrderService_SubmitOrder"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["amountIn"]["type"] == "string"


async def test_every_reference_resolves_and_every_path_parameter_is_declared(bridge: Bridge) -> None:
    answer = await bridge.http.get("/openapi.json")
    document = answer.json()
    for name in re.findall(r"#/components/schemas/(\w+)", answer.text):
        assert name in document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            declared = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert declared == set(re.findall(r"\{(\w+)\}", path))


async def test_the_docs_page_loads_nothing_from_elsewhere(bridge: Bridge) -> None:
    page = await bridge.http.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.findall(r"(?:src|href)=\"https?://", page.text)
