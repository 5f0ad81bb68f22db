"""Stopping gracefully: unary calls in progress finish, streams end themselves, nothing new is taken."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from order_engine.api.refusals import Draining

T = TypeVar("T")

_BLOCKED_SECONDS: Final = 1.0  # for a reader that does not read, once the drain has begun


class Drain:
    def __init__(self) -> None:
        self._begun = False
        self._waiting: set[asyncio.Timeout] = set()
        self._writing: set[asyncio.Timeout] = set()
        self._working = 0
        self._settled = asyncio.Event()
        self._settled.set()

    def begin(self) -> None:
        """Interrupt every stream that is waiting for its next item, and hurry those whose reader does not read."""
        if self._begun:
            return
        self._begun = True
        now = asyncio.get_running_loop().time()
        for scope in self._waiting:
            scope.reschedule(now)
        for scope in self._writing:
            _hurry(scope, now)

    def check(self) -> None:
        """Raise Draining once the drain has begun."""
        if self._begun:
            raise Draining("the server is stopping")

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count a call until its answer is known. Delivering the answer is no longer work: that may take for ever."""
        self._working += 1
        self._settled.clear()
        try:
            yield
        finally:
            self._working -= 1
            if not self._working:
                self._settled.set()

    async def settled(self) -> None:
        """Wait until no call is being worked on."""
        await self._settled.wait()

    @contextmanager
    def writing(self, scope: asyncio.Timeout) -> Iterator[None]:
        """Shorten the time that a write may take when the drain begins, or has begun."""
        if self._begun:
            _hurry(scope, asyncio.get_running_loop().time())
        self._writing.add(scope)
        try:
            yield
        finally:
            self._writing.discard(scope)

    async def interrupting(self, items: AsyncIterator[T]) -> AsyncGenerator[T, None]:
        """Yield the items until they end or the drain begins. An item that was taken is always yielded.

        Raises:
            Draining: the drain began before the items ended.
        """
        while True:
            self.check()
            try:
                item = await self._next(items)
            except StopAsyncIteration:
                return
            yield item

    async def _next(self, items: AsyncIterator[T]) -> T:
        try:
            async with asyncio.timeout(None) as scope:
                self._waiting.add(scope)
                try:
                    return await anext(items)
                finally:
                    self._waiting.discard(scope)
        except TimeoutError:
            self.check()
            raise


def _hurry(scope: asyncio.Timeout, now: float) -> None:
    ends, soon = scope.when(), now + _BLOCKED_SECONDS
    if ends is None or ends > soon:
        scope.reschedule(soon)
