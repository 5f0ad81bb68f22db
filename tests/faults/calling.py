"""A caller who submits all the time, and what is asked of the engine once an outage is over."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

import grpc

from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc
from tests.faults import collect
from tests.faults.collect_chain import ChainReader
from tests.faults.evidence import Holdings
from tests.faults.invariants import BY_THE_CLOCK, check
from tests.faults.run import gather
from tests.faults.stack import CLIENT_LINK, Processes

EVERY_SECONDS: Final = 0.2
ENDS_WITHIN_SECONDS: Final = 30.0
PAIRS: Final = (("SOL", "USDC"), ("BONK", "USDC"), ("SOL", "JUP"))


@dataclass
class Caller:
    """Submits an order every 200 ms and keeps what it was answered, and how fast."""

    processes: Processes
    accepted: list[str] = field(default_factory=list)
    answers: list[tuple[float, str, float]] = field(default_factory=list)  # when, code, after how many seconds
    _stopped: bool = False

    @property
    def refused(self) -> list[tuple[float, str, float]]:
        return [answer for answer in self.answers if answer[1] != "OK"]

    async def run(self, seconds: float = float("inf")) -> None:
        target = f"127.0.0.1:{self.processes.links[CLIENT_LINK].port}"
        ends = time.monotonic() + seconds
        options = [("grpc.max_reconnect_backoff_ms", 500)]
        async with grpc.aio.insecure_channel(target, options=options) as channel, asyncio.TaskGroup() as calls:
            while time.monotonic() < ends and not self._stopped:
                calls.create_task(self._submit(channel, *PAIRS[len(self.answers) % len(PAIRS)]))
                await asyncio.sleep(EVERY_SECONDS)

    def stop(self) -> None:
        self._stopped = True

    async def is_served_again(self, within_seconds: float, calls: int = 5) -> None:
        """Return when some more calls were answered with OK.

        Raises:
            TimeoutError: they were not, within this time.
        """
        wanted = len(self.accepted) + calls
        async with asyncio.timeout(within_seconds):
            while len(self.accepted) < wanted:  # noqa: ASYNC110 - answers do not ring
                await asyncio.sleep(0.05)

    async def _submit(self, channel: grpc.aio.Channel, token_in: str, token_out: str) -> None:
        began, code = time.monotonic(), "OK"
        orders = rpc.OrderServiceStub(channel)
        amount = 10**10 if token_in == "BONK" else 10**7
        request = pb.SubmitOrderRequest(token_in=token_in, token_out=token_out, amount_in=amount)
        try:
            self.accepted.append((await orders.SubmitOrder(request, timeout=15)).order_id)
        except grpc.aio.AioRpcError as error:
            code = error.code().name
        self.answers.append((time.monotonic(), code, time.monotonic() - began))


@dataclass
class Engine:
    """The running processes, and what the wallet held before anything was ordered."""

    processes: Processes
    before: Holdings

    @property
    def database(self) -> collect.Database:
        return collect.Database(self.processes.stack.database_url)

    async def all_end(self, within_seconds: float = ENDS_WITHIN_SECONDS) -> None:
        await until(lambda: not self.database.unsettled(), within_seconds)

    async def ended(self) -> set[str]:
        orders = await asyncio.to_thread(self.database.orders)
        return set(orders) - set(await asyncio.to_thread(self.database.unsettled))

    async def breaches(self, accepted: Collection[str]) -> list[str]:
        """Return what the checker finds in all that was ever done here; other tests may have moved the clock."""
        chain = ChainReader(self.processes.stack.rpc_url, self.processes.stack.wallet)
        acknowledged = [("", order_id) for order_id in accepted]
        evidence = await gather(self.processes, chain, self.before, acknowledged, [])
        return [f"{one.rule}: {one.what}" for one in check(evidence, without=BY_THE_CLOCK)]


async def until(is_so: Callable[[], bool], within_seconds: float) -> None:
    async with asyncio.timeout(within_seconds):
        while not await asyncio.to_thread(is_so):  # noqa: ASYNC110 - rows do not ring
            await asyncio.sleep(0.1)
