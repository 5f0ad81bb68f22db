"""A lying, busy or broken endpoint is never believed, and never asked twice by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from order_engine.adapters.solana import replies
from order_engine.adapters.solana.json_rpc import JsonRpc, RpcError, http_session
from order_engine.domain.errors import ChainUnavailable
from tests.unit.adapters.canned_endpoint import Answer, http, raw, reply, serving


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[JsonRpc]:
    async with serving(answer) as endpoint, http_session(5.0) as session:
        yield JsonRpc(endpoint.url, session)


async def test_a_good_answer_is_returned() -> None:
    async with answering(reply(result="abc")) as rpc:
        assert await rpc.call("getGenesisHash", [], replies.TEXT) == "abc"


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
        raw(http(b'{"id":1,"result":{"absoluteSlot":1,"blockHeight":5}}', 429)),
        raw(http(b'{"id":1,"result":{"absoluteSlot":1,"blockHeight":5}}', 500)),
        raw(http(b'{"id":1,"result":{"absoluteSlot":1,"blockHeight":5}}', 201)),
        raw(http(b"<html>")),
        raw(http(b"[]")),
        raw(http(b"")),
        raw(http(b"not compressed", 200, "content-encoding: gzip")),
        raw(b"SSH-2.0-server\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
        raw(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n"),
    ],
)
async def test_anything_but_a_well_formed_answer_is_no_answer(answer: Answer) -> None:
    async with answering(answer) as rpc:
        with pytest.raises(ChainUnavailable):
            await rpc.call("getEpochInfo", [], replies.EPOCH_INFO)


@pytest.mark.parametrize("code", [-32000, -32002, -32602, -32099])
async def test_a_refusal_keeps_its_code(code: int) -> None:
    async with answering(reply(error={"code": code, "message": "no"})) as rpc:
        with pytest.raises(RpcError) as refused:
            await rpc.call("sendTransaction", [], replies.TEXT)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://rpc.example:8899/secret-key", "rpc.example:8899"),
        ("https://user:secret@rpc.example/?api-key=secret", "rpc.example"),
        ("http://[::1]:8899", "[::1]:8899"),
    ],
)
async def test_an_endpoint_is_called_by_its_host_without_what_is_secret(url: str, name: str) -> None:
    async with http_session(5.0) as session:
        assert JsonRpc(url, session).name == name
