"""What comes before a request's body is bounded in size and in time, and refused in our own words."""

import asyncio
import json

import pytest

from gateway import protocol
from tests.gateway.conftest import Bridge


async def answer_to(bridge: Bridge, *chunks: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    try:
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
        return int(head.split()[1]) if head else 0, body
    except ConnectionError:
        return 0, b""
    finally:
        writer.close()


async def test_an_endless_head_is_refused_and_the_connection_closed(bridge: Bridge) -> None:
    status, _ = await answer_to(bridge, b"GET / HTTP/1.1\r\nx: ", *[b"y" * 65_536] * 40)
    assert status in (431, 0)  # 0: the refusal was lost in the reset that our closing causes
    assert (await bridge.http.get("/api/health")).status_code == 200


async def test_a_head_that_is_never_finished_is_dropped(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    assert await answer_to(bridge, b"GET / HTTP/1.1\r\nx: y\r\n") == (0, b"")


async def test_what_is_not_http_gets_an_error_in_json(bridge: Bridge) -> None:
    status, body = await answer_to(bridge, b"FOO\r\n\r\n")
    assert status == 400
    assert json.loads(body)["error"]


async def test_requests_on_one_connection_are_bounded_each(bridge: Bridge) -> None:
    for _ in range(3):
        reply = await bridge.http.get("/api/health", headers={"x-padding": "y" * 40_000})
        assert reply.status_code == 200


async def test_a_body_that_comes_later_does_not_start_the_clock_of_a_head(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    head = b"POST /api/orders/execute HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nconnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    writer.write(head)
    await writer.drain()
    for byte in b"null":
        await asyncio.sleep(0.15)
        writer.write(bytes([byte]))
    status = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    assert b"400" in status
