"""An HTTP server on this machine that answers as a test says, and remembers what arrived."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

HANG_UP: Final = b""  # as a part of an answer: the connection is closed instead of saying more
Answer = Callable[[int], AsyncIterator[bytes]]  # takes the request's id, yields the HTTP response in parts


@dataclass(slots=True)
class CannedEndpoint:
    """Connections are kept alive, as real endpoints do."""

    answer: Answer
    port: int = 0
    requests: list[str] = field(default_factory=list)  # the method of each
    accepted: int = 0  # connections
    _readers: set[asyncio.StreamReader] = field(default_factory=set)

    @property
    def open(self) -> int:
        """How many connections neither side has closed."""
        return sum(not reader.at_eof() for reader in self._readers)

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.name}"

    def forget(self) -> list[str]:
        """Return the requests until now, and begin anew."""
        requests, self.requests = self.requests, []
        return requests

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._readers.add(reader)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._answer_one(reader, writer):
                    pass
        finally:
            self._readers.remove(reader)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        request = json.loads(await reader.readexactly(length))
        self.requests.append(request["method"])
        async for part in self.answer(request["id"]):
            if part == HANG_UP:
                return False
            writer.write(part)
            await writer.drain()
        return True


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[CannedEndpoint]:
    endpoint = CannedEndpoint(answer)
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.ensure_future(endpoint.serve(reader, writer))
        connections.add(connection)
        await connection

    server = await asyncio.start_server(connected, "127.0.0.1")
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections)


def http(body: bytes, status: int = 200, *headers: str) -> bytes:
    """Return a whole response."""
    lines = [f"HTTP/1.1 {status} Canned", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def good(request_id: int, result: object = "abc") -> bytes:
    """Return a whole response that promises what it should."""
    return http(json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result}).encode())


def raw(*parts: bytes) -> Answer:
    """Answer every request with these bytes."""

    async def answer(_: int) -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    return answer


def reply(**members: object) -> Answer:
    """Answer every request in JSON-RPC, with its own id unless `members` has another."""

    async def answer(request_id: int) -> AsyncIterator[bytes]:
        yield http(json.dumps({"jsonrpc": "2.0", "id": request_id, **members}).encode())

    return answer
