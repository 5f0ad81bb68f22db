"""grpc.health.v1: whether new work is welcome. SERVING depends on the store alone; Redis only carries hints."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

from order_engine.api.interceptors.behavior import Context
from order_engine.api.refusals import UnknownService

CheckReady = Callable[[], Awaitable[bool]]

CHECK_EVERY: Final = timedelta(seconds=1)
CHECK_AT_MOST: Final = timedelta(seconds=2)

_log = structlog.get_logger(__name__)
_Reply = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    def __init__(self, services: Sequence[str], check_ready: CheckReady) -> None:
        self._services = frozenset(services) | {""}
        self._check_ready = check_ready
        self._serving = False
        self._draining = False
        self._changed = asyncio.Event()  # a new one for each change

    async def watch_readiness(self) -> None:
        """Ask `check_ready` for ever."""
        while True:
            await self.check_once()
            await asyncio.sleep(CHECK_EVERY.total_seconds())

    async def check_once(self) -> None:
        serving = await self._ready()
        if serving != self._serving:
            self._serving = serving
            self._tell_watchers()
            if serving:
                _log.info("serving")
            else:
                _log.warning("not_serving")

    def drain(self) -> None:
        """Answer NOT_SERVING from now on, and end the watches with it."""
        self._draining = True
        self._tell_watchers()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> object:
        if request.service not in self._services:
            raise UnknownService("no such service")
        return _Reply(status=self._status(request.service))

    async def List(self, request: health_pb2.HealthListRequest, context: Context) -> object:
        statuses = {service: _Reply(status=self._status(service)) for service in self._services}
        return health_pb2.HealthListResponse(statuses=statuses)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> AsyncIterator[object]:
        last = None
        while True:
            changed, draining = self._changed, self._draining  # as told below: both may change while it is written
            status = self._status(request.service)
            if status != last:
                last = status
                yield _Reply(status=status)
            if draining:
                return
            await changed.wait()

    def _status(self, service: str) -> int:
        if service not in self._services:
            return int(_Reply.SERVICE_UNKNOWN)
        return int(_Reply.SERVING if self._serving and not self._draining else _Reply.NOT_SERVING)

    def _tell_watchers(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _ready(self) -> bool:
        try:
            async with asyncio.timeout(CHECK_AT_MOST.total_seconds()):
                return await self._check_ready()
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the answer is no
            _log.debug("readiness_check_failed", error=repr(error))
            return False
