"""A lying, busy or broken endpoint is never believed, and never asked twice by itself."""

from collections.abc import Callable

import httpx
import pytest

from order_engine.adapters.solana import replies
from order_engine.adapters.solana.json_rpc import JsonRpc, RpcError
from order_engine.domain.errors import ChainUnavailable

Answer = Callable[[httpx.Request], httpx.Response]


def answering(answer: Answer) -> JsonRpc:
    return JsonRpc("http://127.0.0.1:1", httpx.AsyncClient(transport=httpx.MockTransport(answer)))


def reply(**parts: object) -> Answer:
    return lambda request: httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, **parts})


async def test_a_good_answer_is_returned() -> None:
    assert await answering(reply(result="abc")).call("getGenesisHash", [], replies.TEXT) == "abc"


@pytest.mark.parametrize(
    "answer",
    [
        reply(result={"absoluteSlot": -1, "blockHeight": 5}),
        reply(result={"absoluteSlot": 1}),
        reply(result={"absoluteSlot": "1", "blockHeight": 5}),
        reply(result={"absoluteSlot": 1.5, "blockHeight": 5}),
        reply(result={"absoluteSlot": 2**64, "blockHeight": 5}),
        reply(result=None),
        reply(id=2, result={"absoluteSlot": 1, "blockHeight": 5}),
        reply(error={"code": -32429, "message": "slow down"}),
        reply(error={"code": -32016, "message": "behind"}),
        reply(error="no"),
        lambda request: httpx.Response(429),
        lambda request: httpx.Response(200, content=b"<html>"),
        lambda request: httpx.Response(200, content=b"[]"),
        lambda request: httpx.Response(200, content=b""),
    ],
)
async def test_anything_but_a_well_formed_answer_is_no_answer(answer: Answer) -> None:
    with pytest.raises(ChainUnavailable):
        await answering(answer).call("getEpochInfo", [], replies.EPOCH_INFO)


@pytest.mark.parametrize("code", [-32000, -32002, -32602, -32099])
async def test_a_refusal_keeps_its_code(code: int) -> None:
    with pytest.raises(RpcError) as refused:
        await answering(reply(error={"code": code, "message": "no"})).call("sendTransaction", [], replies.TEXT)
    assert refused.value.code == code


async def test_a_dropped_connection_is_not_tried_again() -> None:
    calls = 0

    def drop(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        raise httpx.ReadError("dropped", request=request)

    with pytest.raises(ChainUnavailable):
        await answering(drop).call("sendTransaction", [], replies.TEXT)
    assert calls == 1
