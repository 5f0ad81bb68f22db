"""Every port call waits at a gate until the explorer lets it happen: between any two of them anyone else may run."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum, auto

from order_engine.domain.errors import Unavailable
from order_engine.domain.order import Fact, Order, OrderId


class Fate(Enum):
    HAPPENS = auto()
    IS_LOST = auto()  # nothing happens, and the caller hears so
    ANSWER_IS_LOST = auto()  # it happens, and the caller does not hear so


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a port: `order` and `fact` are what the caller passes."""

    port: str
    order_id: OrderId
    order: Order | None = None
    fact: Fact | None = None
    attempt: int = 0


class Actor:
    """A worker with an order in hand, or a caller of CancelOrder: one task, stopped at one call."""

    def __init__(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        self.name = name
        self.known: Order | None = None  # what it was last told of its order
        self.call: Call | None = None
        self._stopped = asyncio.Event()
        self._permit: asyncio.Future[Fate] | None = None
        self.task = asyncio.create_task(self._run(work))
        self.task.add_done_callback(lambda _: self._stopped.set())

    async def _run(self, work: Callable[[], Awaitable[object]]) -> object:
        ACTING.set(self)
        return await work()

    async def stop_at(self, call: Call) -> Fate:
        self.call = call
        self._permit = asyncio.get_running_loop().create_future()
        self._stopped.set()
        return await self._permit

    async def settle(self) -> None:
        """Return when it has come to its next call, or to its end."""
        await self._stopped.wait()

    async def go_on(self, fate: Fate) -> None:
        """Let its call meet its fate, and return when it has come to the next one, or to its end."""
        self._stopped.clear()
        self.call = None
        if self._permit is not None:
            self._permit.set_result(fate)
        await self.settle()

    async def die(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


ACTING: ContextVar[Actor | None] = ContextVar("ACTING", default=None)


async def at_gate(call: Call) -> Fate:
    """Wait until the call may go on. Calls of nobody in particular happen at once."""
    actor = ACTING.get()
    return await actor.stop_at(call) if actor else Fate.HAPPENS


async def through_gate(call: Call, act: Callable[[], Awaitable[Order | None]]) -> None:
    """Carry out a call of the store, unless it is lost; the caller then knows the order as it was told.

    Raises:
        Unavailable: it did not happen, or it is not known whether it did.
    """
    fate = await at_gate(call)
    if fate is Fate.IS_LOST:
        raise Unavailable("the connection broke before the statement")
    known = await act()
    if fate is Fate.ANSWER_IS_LOST:
        raise Unavailable("the connection broke before the answer")
    actor = ACTING.get()
    if actor and known:
        actor.known = known
