"""JSON-RPC over HTTP to one Solana endpoint, with every reply checked.

A public library for this raises BaseExceptions on some error replies, returns plain ints for others, and does not
check response ids; money depends on these answers, so nothing unchecked passes here.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final, TypeVar

import httpx
import orjson
from pydantic import TypeAdapter, ValidationError

from order_engine.domain.errors import ChainUnavailable

T = TypeVar("T")
JsonValue = object
OnCall = Callable[[str, str, str, float], None]  # endpoint; method; ok, refused or unavailable; seconds

# The transport's bookkeeping grows with requests times connections: what waits does so here, where it costs nothing.
REQUESTS_AT_ONCE: Final = 16
_JSON: Final = {"content-type": "application/json"}
MAX_REPLY_BYTES: Final = 64 * 1024 * 1024
_MIN_CONTEXT_SLOT_NOT_REACHED: Final = -32016
_BUSY_CODES: Final = frozenset({-32005, -32429, 429, _MIN_CONTEXT_SLOT_NOT_REACHED})


class RpcError(Exception):
    """The endpoint understood the request and refused it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code


class JsonRpc:
    """One endpoint. Every failure to get a well-formed answer is ChainUnavailable; nothing is ever sent twice."""

    def __init__(self, url: str, client: httpx.AsyncClient, on_call: OnCall | None = None) -> None:
        self._url = url
        self._client = client
        self._on_call = on_call
        self._ids = count(1)
        self._gate = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self.name = httpx.URL(url).host + (f":{httpx.URL(url).port}" if httpx.URL(url).port else "")

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
                response = await self._client.post(self._url, content=body, headers=_JSON)
        except httpx.HTTPError as error:
            raise ChainUnavailable(f"{self.name} {method}: {type(error).__name__}") from error
        if response.status_code != httpx.codes.OK:
            raise ChainUnavailable(f"{self.name} {method}: HTTP {response.status_code}")
        try:
            return reply.validate_python(self._result(method, request_id, response.content))
        except ValidationError as error:
            raise ChainUnavailable(f"{self.name} {method}: malformed reply") from error

    def _result(self, method: str, request_id: int, content: bytes) -> JsonValue:
        if len(content) > MAX_REPLY_BYTES:
            raise ChainUnavailable(f"{self.name} {method}: reply of {len(content)} bytes")
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
