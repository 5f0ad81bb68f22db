"""A TCP link that can be hurt: silent, reset, late or slow, from one moment to the next."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final, Literal

Weather = Literal["fair", "refused", "black_hole", "late", "trickle"]
BLOCK: Final = 64 * 1024
LATE_SECONDS: Final = 0.5
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER that turns close into a reset


class Link:
    """Forwards from a port of its own to a target. What is open when the weather changes feels it too."""

    def __init__(self, name: str, target_port: int, *, port: int) -> None:
        self.name, self.port = name, port
        self._target_port = target_port
        self._weather: Weather = "fair"
        self._changed = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def set_weather(self, weather: Weather) -> None:
        self._weather = weather
        self._changed.set()
        self._changed = asyncio.Event()
        if weather == "refused":
            self.reset()

    def reset(self) -> None:
        """Reset every open connection, on both sides."""
        for writer in self._writers:
            sock: socket.socket = writer.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            if self._weather == "refused":
                return
            near_side, far = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._writers.add(far)
            await asyncio.gather(self._pump(reader, far), self._pump(near_side, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for one in filter(None, (writer, far)):
                self._writers.discard(one)
                one.transport.abort() if one.transport.is_closing() else one.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(BLOCK):
            await self._forward(data, writer)
        if writer.can_write_eof():
            writer.write_eof()

    async def _forward(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        if self._weather == "late":
            await asyncio.sleep(LATE_SECONDS)
        while self._weather == "black_hole":
            await self._changed.wait()
        while self._weather == "trickle" and data and not writer.is_closing():
            writer.write(data[:1])
            data = data[1:]
            await self._changed_within(1.0)
        if writer.is_closing():
            raise ConnectionResetError
        writer.write(data)
        await writer.drain()

    async def _changed_within(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
