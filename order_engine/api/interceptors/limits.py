"""Nothing runs for ever: unary calls have a deadline, and a reader that stops reading is cut off."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from order_engine.api.drain import Drain
from order_engine.api.interceptors.behavior import Behavior, Context, Generator
from order_engine.api.refusals import DeadlineExceeded, SlowReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    unary_deadline: timedelta = timedelta(seconds=30)  # when the caller sets none
    blocked_write: timedelta = timedelta(seconds=30)


def with_deadline(behavior: Behavior, at_most: timedelta) -> Behavior:
    """Bound a unary call whose caller set no deadline; the library enforces the others.

    Raises:
        DeadlineExceeded.
    """

    async def call(request: object, context: Context) -> object:
        if context.time_remaining() is not None:
            return await behavior(request, context)
        scope = asyncio.timeout(at_most.total_seconds())
        try:
            async with scope:
                return await behavior(request, context)
        except TimeoutError:
            if scope.expired():
                raise DeadlineExceeded(f"no answer within {at_most.total_seconds():g} s") from None
            raise

    return call


def written(generator: Generator, blocked_at_most: timedelta, drain: Drain) -> Behavior:
    """Write what `generator` yields, one message at a time: what is not yet written is not yet produced.

    Raises:
        SlowReader: one write was blocked for longer, because the caller does not read.
    """

    async def call(request: object, context: Context) -> None:
        items = cast("AsyncGenerator[object, None]", generator(request, context))
        async with aclosing(items):
            async for message in items:
                scope = asyncio.timeout(blocked_at_most.total_seconds())
                try:
                    async with scope:
                        with drain.writing(scope):
                            await context.write(message)
                except TimeoutError:
                    if scope.expired():
                        raise SlowReader("the stream is not being read: resume after the last sequence") from None
                    raise

    return call
