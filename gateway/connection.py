"""What every long-lived connection needs: bounded sends, and noticing at once when the client goes."""

import asyncio
from collections.abc import Awaitable
from typing import Final

from starlette.types import Message

from gateway.http import Request
from gateway.protocol import abort_of

_GONE: Final = frozenset({"http.disconnect", "websocket.disconnect"})


class SlowReader(Exception):
    """The client took nothing for longer than a send may last. Its connection is gone."""


async def send_within(request: Request, message: Message, seconds: float) -> None:
    """Send; drop the connection of a client that does not read, so that memory never grows with it.

    Raises:
        SlowReader.
    """
    try:
        async with asyncio.timeout(seconds):
            await request.send(message)
    except TimeoutError:
        abort = abort_of(request.scope)
        if abort is not None:
            abort()
        raise SlowReader from None


async def while_connected(request: Request, work: Awaitable[None]) -> None:
    """Do the work; when the client goes first, cancel it."""
    working = asyncio.ensure_future(work)
    gone = asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, gone):
            task.cancel()
        await asyncio.wait({working, gone})
    if not working.cancelled():
        working.result()


async def _until_gone(request: Request) -> None:
    """Read on: what a watcher sends means nothing, but pings and closing need a reader."""
    while (await request.receive())["type"] not in _GONE:
        pass
