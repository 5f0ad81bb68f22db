"""What the transport does and does not do by itself, against a server on this machine."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable
from itertools import repeat

import pytest

from order_engine.adapters.solana import json_rpc, replies
from order_engine.adapters.solana.chain import open_chain
from order_engine.adapters.solana.json_rpc import REQUESTS_AT_ONCE, JsonRpc, http_session
from order_engine.domain.errors import ChainUnavailable
from tests.eventually import eventually
from tests.unit.adapters.canned_endpoint import HANG_UP, Answer, good, http, raw, reply, serving

HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
LIMIT = 1000
LONG = b"HTTP/1.1 200 OK\r\ncontent-length: 3000\r\n\r\n" + bytes(2 * LIMIT)


def in_turn(*parts: bytes) -> Answer:
    """Answer the first request well, those after it with these bytes."""

    async def answer(request_id: int) -> AsyncIterator[bytes]:
        if request_id == 1:
            yield good(request_id)
            return
        for part in parts:
            yield part

    return answer


async def forever(part: bytes, pause: float) -> AsyncIterator[bytes]:
    for same in repeat(part):
        yield same
        await asyncio.sleep(pause)


def text(rpc: JsonRpc) -> Awaitable[str]:
    return rpc.call("sendTransaction", [], replies.TEXT)


@pytest.mark.parametrize("before", [(), (b"HTTP/1.1 20",), (HALF,)], ids=["nothing", "half a head", "half a body"])
async def test_a_kept_connection_that_drops_after_the_request_is_not_tried_again(before: tuple[bytes, ...]) -> None:
    async with serving(in_turn(*before, HANG_UP)) as endpoint, http_session(5.0) as session:
        rpc = JsonRpc(endpoint.url, session)
        await text(rpc)
        with pytest.raises(ChainUnavailable):
            await text(rpc)
        assert endpoint.accepted == 1, "the first connection was to be used again"
        assert len(endpoint.requests) == 2


async def test_a_connection_that_the_server_closed_while_idle_is_not_used() -> None:
    async def answer(request_id: int) -> AsyncIterator[bytes]:
        yield good(request_id)
        yield HANG_UP

    async with serving(answer) as endpoint, http_session(5.0) as session:
        rpc = JsonRpc(endpoint.url, session)
        await text(rpc)
        await eventually(lambda: endpoint.open == 0)
        await asyncio.sleep(0.01)  # until it has been heard of here
        assert await text(rpc) == "abc"


async def test_a_redirect_is_not_followed() -> None:
    async with serving(reply(result="abc")) as other, http_session(5.0) as session:
        async with serving(raw(http(b"", 307, f"location: {other.url}"))) as endpoint:
            with pytest.raises(ChainUnavailable, match="HTTP 307"):
                await text(JsonRpc(endpoint.url, session))
        assert other.requests == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(raw(HANG_UP)) as proxy, serving(reply(result="abc")) as endpoint:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        async with http_session(5.0) as session:
            assert await text(JsonRpc(endpoint.url, session)) == "abc"


@pytest.mark.parametrize("dripping", [b"x", b""], ids=["bytes keep coming", "silence"])
async def test_the_time_limit_is_that_of_the_whole_call(dripping: bytes) -> None:
    async def answer(_: int) -> AsyncIterator[bytes]:
        if not dripping:
            await asyncio.Event().wait()
        yield b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"
        async for part in forever(dripping, 0.02):
            yield part

    async with serving(answer) as endpoint, http_session(0.2) as session:
        with pytest.raises(ChainUnavailable, match="TimeoutError"):
            async with asyncio.timeout(3):
                await text(JsonRpc(endpoint.url, session))
        await eventually(lambda: endpoint.open == 0)


@pytest.mark.parametrize("start", [LONG, CHUNKED], ids=["some of it", "endless"])
async def test_a_reply_is_read_no_further_than_the_limit(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rpc, "MAX_REPLY_BYTES", LIMIT)

    async def answer(_: int) -> AsyncIterator[bytes]:
        yield start
        if start == CHUNKED:
            async for part in forever(b"a\r\n0123456789\r\n", 0):
                yield part
        await asyncio.Event().wait()

    async with serving(answer) as endpoint, http_session(5.0) as session:
        with pytest.raises(ChainUnavailable, match="more than 1000 bytes"):
            await text(JsonRpc(endpoint.url, session))
        await eventually(lambda: endpoint.open == 0)


async def test_the_limit_is_that_of_the_unpacked_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rpc, "MAX_REPLY_BYTES", LIMIT)
    bomb = http(gzip.compress(bytes(50 * LIMIT)), 200, "content-encoding: gzip")
    async with serving(raw(bomb)) as endpoint, http_session(5.0) as session:
        with pytest.raises(ChainUnavailable, match="more than 1000 bytes"):
            await text(JsonRpc(endpoint.url, session))


async def test_a_reply_of_the_limit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"id": 1, "result": "abc"}'
    monkeypatch.setattr(json_rpc, "MAX_REPLY_BYTES", len(body))
    async with serving(raw(http(body))) as endpoint, http_session(5.0) as session:
        assert await text(JsonRpc(endpoint.url, session)) == "abc"


async def test_only_so_many_requests_are_under_way_at_once() -> None:
    let_go = asyncio.Event()

    async def answer(request_id: int) -> AsyncIterator[bytes]:
        await let_go.wait()
        yield good(request_id)

    async with serving(answer) as endpoint, http_session(5.0) as session:
        rpc = JsonRpc(endpoint.url, session)
        calls = [asyncio.ensure_future(text(rpc)) for _ in range(3 * REQUESTS_AT_ONCE)]
        await eventually(lambda: len(endpoint.requests) == REQUESTS_AT_ONCE)
        await asyncio.sleep(0.02)
        assert len(endpoint.requests) == endpoint.open == REQUESTS_AT_ONCE
        let_go.set()
        assert await asyncio.gather(*calls) == ["abc"] * len(calls)
        assert endpoint.accepted == REQUESTS_AT_ONCE


@pytest.mark.parametrize("begun", [(), (HALF,)], ids=["before the reply", "in the middle of the reply"])
async def test_a_cancelled_call_takes_its_connection_along(begun: tuple[bytes, ...]) -> None:
    reading = asyncio.Event()

    async def answer(request_id: int) -> AsyncIterator[bytes]:
        if request_id > 1:
            yield good(request_id, "second")
            return
        for part in begun:
            yield part
        reading.set()
        await asyncio.Event().wait()

    async with serving(answer) as endpoint, http_session(5.0) as session:
        rpc = JsonRpc(endpoint.url, session)
        first = asyncio.ensure_future(text(rpc))
        await reading.wait()
        await asyncio.sleep(0.01)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await text(rpc) == "second"
        assert endpoint.accepted == 2
        await eventually(lambda: endpoint.open == 1)


async def test_cancelled_calls_make_room_for_others() -> None:
    async def answer(request_id: int) -> AsyncIterator[bytes]:
        if request_id <= 2 * REQUESTS_AT_ONCE:
            await asyncio.Event().wait()
        yield good(request_id)

    async with serving(answer) as endpoint, http_session(5.0) as session:
        rpc = JsonRpc(endpoint.url, session)
        calls = [asyncio.ensure_future(text(rpc)) for _ in range(2 * REQUESTS_AT_ONCE)]
        await eventually(lambda: len(endpoint.requests) == REQUESTS_AT_ONCE)
        for call in calls:
            call.cancel()
        assert await asyncio.wait_for(text(rpc), 2) == "abc"


async def test_a_busy_answer_does_not_cost_its_connection() -> None:
    async with serving(raw(http(b"x" * 100_000, 429))) as endpoint, http_session(5.0) as session:
        rpc = JsonRpc(endpoint.url, session)
        for _ in range(3):
            with pytest.raises(ChainUnavailable, match="HTTP 429"):
                await text(rpc)
        assert (endpoint.accepted, len(endpoint.requests)) == (1, 3)


async def test_closing_the_chain_closes_its_connections() -> None:
    async with serving(reply(result="11111111111111111111111111111111")) as endpoint:
        async with open_chain([endpoint.url]) as chain:
            await chain.prove_endpoints()
            assert endpoint.open == 1
        await eventually(lambda: endpoint.open == 0)
