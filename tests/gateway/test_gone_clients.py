"""A client that leaves before its answer is its own business: nobody is called to look at a log."""

import asyncio
import logging

import pytest
import uvloop

from tests.gateway.conftest import Bridge, running_bridge, running_engine, settings_for

REQUEST = b"GET /v1/tokens/SOL HTTP/1.1\r\nHost: a\r\n\r\n"
STREAM = b"GET /v1/orders/01890000-0000-7000-8000-000000000000/stream HTTP/1.1\r\nHost: a\r\n\r\n"


async def leave_early(bridge: Bridge, sent: bytes) -> None:
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
        writer.write(sent)
        writer.write_eof()
        await reader.read()
        writer.close()


@pytest.mark.parametrize(
    "sent", [REQUEST, REQUEST * 3, STREAM, STREAM + REQUEST * 2, REQUEST * 2 + b"\x00\r\n\r\n", REQUEST[:-4]]
)
def test_leaving_with_answers_outstanding_is_no_error(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], sent: bytes
) -> None:
    troubles: list[object] = []

    async def main() -> int:  # on the loop of the real bridge: it is the one that refuses to write
        asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
        async with running_engine() as engine, running_bridge(settings_for(engine)) as bridge:
            await leave_early(bridge, sent)
            return (await bridge.http.get("/v1/tokens/SOL")).status_code

    with caplog.at_level(logging.ERROR):
        assert uvloop.run(main()) == 200
    assert [record.getMessage() for record in caplog.records] == []
    assert troubles == []
    assert "request_crashed" not in capsys.readouterr().out
