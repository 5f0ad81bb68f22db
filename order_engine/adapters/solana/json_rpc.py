"""JSON-RPC over HTTP to one Solana endpoint, with every reply checked.

A public library for this raises BaseExceptions on some error replies, returns plain ints for others, and does not
check response ids; money depends on these answers, so nothing unchecked passes here.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from itertools import count
from typing import Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
import certifi
import orjson
from pydantic import TypeAdapter, ValidationError

from order_engine.domain.errors import ChainUnavailable

T = TypeVar("T")
JsonValue = object
OnCall = Callable[[str, str, str, float], None]  # endpoint; method; ok, refused or unavailable; seconds

REQUESTS_AT_ONCE: Final = 16  # and connections: what waits does so before its time limit runs
MAX_REPLY_BYTES: Final = 64 * 1024 * 1024
_IDLE_SECONDS: Final = 4  # servers commonly close an idle connection after five: a request would meet that
_HEADERS: Final = {"content-type": "application/json", "user-agent": "order-engine"}
_MIN_CONTEXT_SLOT_NOT_REACHED: Final = -32016
_BUSY_CODES: Final = frozenset({-32005, -32429, 429, _MIN_CONTEXT_SLOT_NOT_REACHED})


class RpcError(Exception):
    """The endpoint understood the request and refused it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


def http_session(timeout_seconds: float) -> aiohttp.ClientSession:
    """Return connections for any number of endpoints, to be closed by the caller.

    A POST is never repeated, whatever becomes of its connection. The time limit is that of a whole call. Proxies of the
    environment are not used, cookies are not kept.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, keepalive_timeout=_IDLE_SECONDS, ssl=ssl.create_default_context(cafile=certifi.where())
        ),
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        trust_env=False,
    )


class JsonRpc:
    """One endpoint. Every failure to get a well-formed answer is ChainUnavailable; nothing is ever sent twice."""

    def __init__(self, url: str, session: aiohttp.ClientSession, on_call: OnCall | None = None) -> None:
        self._url = url
        self._session = session
        self._on_call = on_call
        self._ids = count(1)
        self._gate = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self.name = urlsplit(url).netloc.rpartition("@")[2]

    async def call(self, method: str, params: Sequence[JsonValue], reply: TypeAdapter[T]) -> T:
        """Return the checked result.

        Raises:
            RpcError: the endpoint refused the request itself.
            ChainUnavailable: no answer, a busy answer, or one that is not what the method promises.
        """
        started, outcome = time.perf_counter(), "unavailable"
        try:
            result = await self._call(method, params, reply)
            outcome = "ok"
            return result
        except RpcError:
            outcome = "refused"
            raise
        finally:
            if self._on_call is not None:
                self._on_call(self.name, method, outcome, time.perf_counter() - started)

    async def _call(self, method: str, params: Sequence[JsonValue], reply: TypeAdapter[T]) -> T:
        request_id = next(self._ids)
        body = orjson.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
        try:
            async with self._gate:
                status, content = await self._post(body)
        except _TooLarge as error:
            raise ChainUnavailable(f"{self.name} {method}: reply of more than {MAX_REPLY_BYTES} bytes") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ChainUnavailable(f"{self.name} {method}: {type(error).__name__}") from error
        if status != HTTPStatus.OK:
            raise ChainUnavailable(f"{self.name} {method}: HTTP {status}")
        try:
            return reply.validate_python(self._result(method, request_id, content))
        except ValidationError as error:
            raise ChainUnavailable(f"{self.name} {method}: malformed reply") from error

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        """Return status and body; the body is read also where only the status counts, or its connection were lost."""
        async with self._session.post(self._url, data=body, allow_redirects=False) as response:
            chunks, size = [], 0
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > MAX_REPLY_BYTES:
                    raise _TooLarge
                chunks.append(chunk)
            return response.status, b"".join(chunks)

    def _result(self, method: str, request_id: int, content: bytes) -> JsonValue:
        try:
            reply = orjson.loads(content)
        except orjson.JSONDecodeError as error:
            raise ChainUnavailable(f"{self.name} {method}: not JSON") from error
        match reply:
            case {"id": got, "error": {"code": int(code), "message": str(message)}} if got == request_id:
                if code in _BUSY_CODES:
                    raise ChainUnavailable(f"{self.name} {method}: {message} ({code})")
                raise RpcError(code, message)
            case {"id": got, "result": result} if got == request_id:
                return result
            case _:
                raise ChainUnavailable(f"{self.name} {method}: malformed reply")


class _TooLarge(Exception):
    pass
