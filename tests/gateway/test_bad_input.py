"""Everything a client can get wrong about an order: a 400 that names it, and nothing reaches the engine."""

import json
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from tests.gateway.conftest import Bridge, running_bridge, running_engine, settings_for
from tests.gateway.fake_engine import FakeEngine, refusal
from tests.gateway.lives import SOL, UNLISTED

pytestmark = pytest.mark.asyncio(loop_scope="module")

MISSING = "Missing required fields: tokenIn, tokenOut, amountIn"
ONLY_MARKET = "Only market orders are supported in this implementation"
NOT_POSITIVE = "Amount must be greater than 0"
GOOD = {"orderType": '"market"', "tokenIn": '"SOL"', "tokenOut": '"USDC"', "amountIn": "1", "slippage": "0.01"}


def body(**changed: str | None) -> str:
    """Return a good body with some fields' JSON text replaced, or left out (None)."""
    fields = {**GOOD, **changed}
    return "{" + ",".join(f'"{name}":{text}' for name, text in fields.items() if text is not None) + "}"


EXACT = [
    *((body(**{name: text}), MISSING) for name in ("tokenIn", "tokenOut", "amountIn") for text in (None, "null", '""')),
    ("{}", MISSING),
    (body(orderType='"limit"', tokenIn=None), MISSING),
    *((body(orderType=f'"{kind}"'), ONLY_MARKET) for kind in ("limit", "sniper", "MARKET", "", "market ")),
    (body(orderType='"limit"', amountIn="0"), ONLY_MARKET),
    *((body(amountIn=text), NOT_POSITIVE) for text in ("0", "0.0", "-0", "-1", "-1e-9", '"0"', '"-5"', "-1e309")),
    (body(amountIn="0", tokenIn='"NOPE"'), NOT_POSITIVE),
]

NOT_NUMBERS = ["NaN", "Infinity", "-Infinity", "true", "false", "[]", "[1]", "{}", '{"a":1}', '"NaN"', '"abc"', '"1,5"']
NOT_NUMBERS += [
    '" 1"',
    '"1 "',
    '"0x10"',
    '"1_000"',
    '"\\u0661"',
    '"1\\u0000"',
    '"1e99999"',
    f'"{"9" * 300}"',
    "9" * 5000,
]
NOT_TOKENS = ["true", "false", "1", "0", "1.5", "NaN", "[]", '["SOL"]', "{}", f'"{"A" * 300}"', '"SO\\u0000L"']
NOT_TOKENS += ['"\\u0000"', '"SÖL"', '" "', '"SOL "', '"\\ud800"', '"NOPE"', '"0OIl"', f'"{UNLISTED[:-1]}x"', '"../x"']

NAMED = [
    *(("amountIn", body(amountIn=text)) for text in NOT_NUMBERS),
    *(("amountIn", body(amountIn=text)) for text in ("1e309", "1e20", "18446744073.709551616", "1e999", "1e9999")),
    *(("amountIn", body(amountIn=text)) for text in ("0.0000000001", "1e-10", "1e-309", "1.0000000001", '"1e-999"')),
    *(("tokenIn", body(tokenIn=text)) for text in NOT_TOKENS),
    *(("tokenOut", body(tokenOut=text)) for text in NOT_TOKENS),
    ("tokenIn", body(tokenIn='"USDC"')),
    ("tokenIn", body(tokenOut=f'"{SOL}"')),
    *(("slippage", body(slippage=text)) for text in [*NOT_NUMBERS, "null", '""']),
    *(("slippage", body(slippage=text)) for text in ("-0.0001", "0.5001", "1", "1e309", "-1e309", "5e99")),
    *(("slippage", body(slippage=text)) for text in ("0.00001", "0.00015", "1e-5", "1e-309")),
    *(("orderType", body(orderType=text)) for text in ("null", "1", "true", "[]", "{}", '["market"]', "NaN")),
    ("amountIn", '{"amountIn":1,' + body()[1:]),
    *(("body", text) for text in ("", " ", "{", "nul", "null", "[]", "1", '"text"', "NaN", "true", "{'a':1}", "\x00")),
    *(("body", text) for text in (body() + "x", body() + body(), body()[:-1] + ",}", "[" * 30_000, '{"a":' * 10_000)),
    ("body", json.dumps({"pad": "x" * 70_000})),
    ("body", '{"tokenIn":"a\nb"}'),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[tuple[FakeEngine, Bridge]]:
    async with running_engine() as engine, running_bridge(settings_for(engine)) as bridge:
        yield engine, bridge


@pytest.fixture
def engine(shared: tuple[FakeEngine, Bridge]) -> FakeEngine:
    engine, _ = shared
    engine.submitted.clear()
    engine.refuse_submit = None
    return engine


@pytest.fixture
def bridge(shared: tuple[FakeEngine, Bridge], engine: FakeEngine) -> Bridge:
    return shared[1]


@pytest.mark.parametrize(("text", "sentence"), EXACT)
async def test_a_classic_sentence(bridge: Bridge, engine: FakeEngine, text: str, sentence: str) -> None:
    response = await bridge.http.post("/api/orders/execute", content=text)
    assert (response.status_code, response.json()) == (400, {"error": sentence})
    assert engine.submitted == []


@pytest.mark.parametrize(("name", "text"), NAMED, ids=lambda value: value[:60])
async def test_the_wrong_field_is_named(bridge: Bridge, engine: FakeEngine, name: str, text: str) -> None:
    response = await bridge.http.post("/api/orders/execute", content=text)
    assert response.status_code == 400
    assert set(response.json()) == {"error"}
    assert name in response.json()["error"]
    assert engine.submitted == []


@pytest.mark.parametrize("raw", [b"\xff\xfe", b'{"tokenIn":"\xff"}', b"\xef\xbb\xbf{}", body().encode("utf-16")])
async def test_bytes_that_are_no_text(bridge: Bridge, raw: bytes) -> None:
    response = await bridge.http.post("/api/orders/execute", content=raw)
    assert response.status_code == 400
    assert response.json()["error"].startswith("body")


async def test_five_megabytes_are_refused_and_the_bridge_goes_on(bridge: Bridge) -> None:
    response = await bridge.http.post("/api/orders/execute", content=b"x" * 5 * 1024 * 1024)
    assert response.status_code == 400
    assert (await bridge.http.post("/api/orders/execute", content=body())).status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 65, "ключ".encode(), b"\xff", 'quoted"', "a/b"])
async def test_a_bad_idempotency_key(bridge: Bridge, engine: FakeEngine, key: str | bytes) -> None:
    headers = [(b"Idempotency-Key", key if isinstance(key, bytes) else key.encode())]
    response = await bridge.http.post("/api/orders/execute", content=body(), headers=headers)
    assert response.status_code == 400
    assert response.json()["error"].startswith("Idempotency-Key")
    assert engine.submitted == []


async def test_a_repeated_idempotency_key(bridge: Bridge) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    response = await bridge.http.post("/api/orders/execute", content=body(), headers=headers)
    assert response.status_code == 400


async def test_what_only_the_engine_finds_wrong_is_named_in_the_clients_words(
    bridge: Bridge, engine: FakeEngine
) -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(field="token_out", description="is not a mint")
    bad = error_details_pb2.BadRequest(field_violations=[violation])
    engine.refuse_submit = refusal(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", bad)
    response = await bridge.http.post("/api/orders/execute", content=body())
    assert (response.status_code, response.json()) == (400, {"error": "tokenOut: is not a mint"})


async def test_too_many_requests_say_when_to_come_back(bridge: Bridge, engine: FakeEngine) -> None:
    retry = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=6, nanos=1))
    engine.refuse_submit = refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED", retry)
    response = await bridge.http.post("/api/orders/execute", content=body())
    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert "error" in response.json()
