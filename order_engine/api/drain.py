"""Stopping gracefully: unary calls in progress finish, streams end themselves, nothing new is taken."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

from order_engine.api.refusals import Draining

T = TypeVar("T")


class Drain:
    def __init__(self) -> None:
        self._begun = False
        self._waiting: set[asyncio.Timeout] = set()

    def begin(self) -> None:
        """Interrupt every stream that is waiting for its next item."""
        if self._begun:
            return
        self._begun = True
        now = asyncio.get_running_loop().time()
        for scope in self._waiting:
            scope.reschedule(now)

    def check(self) -> None:
        """Raise Draining once the drain has begun."""
        if self._begun:
            raise Draining("the server is stopping")

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
