"""An API server in this process on a free port, over memory adapters, and what its tests say to it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.pubkey import Pubkey
from solders.signature import Signature

from order_engine.adapters.memory.order_signals import MemoryOrderSignals
from order_engine.adapters.memory.order_store import MemoryOrderStore
from order_engine.adapters.memory.task_queue import MemoryTaskQueue
from order_engine.adapters.observer import LoggingObserver
from order_engine.adapters.system import RandomIdentifiers, SystemClock
from order_engine.api.interceptors.limits import Limits
from order_engine.api.interceptors.quotas import Quotas
from order_engine.api.server import ApiServer
from order_engine.api.services import Services
from order_engine.domain.errors import Unavailable
from order_engine.domain.market import MarketView, Pair
from order_engine.domain.order import (
    AttemptStarted,
    EventId,
    Fact,
    Fill,
    Order,
    OrderEvent,
    OrderId,
    RouteChosen,
    TransactionConfirmed,
    TransactionSigned,
)
from order_engine.domain.pool import Account, AccountSnapshot, Pool
from order_engine.domain.route import Route
from order_engine.usecases.cancel_order import CancelOrder
from order_engine.usecases.explain_order import ExplainOrder
from order_engine.usecases.find_route import FindRoute
from order_engine.usecases.get_order import GetOrder
from order_engine.usecases.get_quote import GetQuote
from order_engine.usecases.get_token import GetToken
from order_engine.usecases.list_orders import ListOrders
from order_engine.usecases.list_tokens import ListTokens
from order_engine.usecases.read_wallet import ReadWallet
from order_engine.usecases.stream_order_status import StreamOrderStatus
from order_engine.usecases.submit_order import SubmitOrder
from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as pb_grpc

SIGNATURE = Signature.new_unique()
ROUTE = Route(legs=(), amount_in=10, max_amount_in=10, amount_out=20, min_amount_out=19, price_impact_bps=3, slot=5)
FILL = Fill(signature=SIGNATURE, slot=9, amount_in=10, amount_out=20, fee_lamports=5000)
LIFE: Sequence[Fact] = (
    AttemptStarted(),
    RouteChosen(ROUTE, ()),
    TransactionSigned(SIGNATURE, b"raw", 300),
    TransactionConfirmed(FILL),
)


class Store(MemoryOrderStore):
    """Fails and stalls on demand."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.down = False  # every call fails, as when the database is away
        self.failure: Exception | None = None
        self.stall: asyncio.Event | None = None  # when set, creating an order waits for it
        self.entered = asyncio.Event()  # set when an order is being created

    @property
    def orders(self) -> list[Order]:
        return [record.order for record in self.records.values()]

    async def create(self, order: Order) -> Order:
        self.entered.set()
        if self.stall is not None:
            await self.stall.wait()
        self._check()
        return await super().create(order)

    async def get(self, order_id: OrderId, owner: str | None = None) -> Order:
        self._check()
        return await super().get(order_id, owner)

    async def events(self, order_id: OrderId, after_sequence: int) -> Sequence[OrderEvent]:
        self._check()
        return await super().events(order_id, after_sequence)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure
        if self.down:
            raise Unavailable("the database cannot be reached")


class Chain:
    """Knows the accounts it is given."""

    def __init__(self) -> None:
        self.known: dict[Pubkey, Account] = {}

    async def accounts(self, addresses: Sequence[Pubkey]) -> AccountSnapshot:
        found = {address: self.known[address] for address in addresses if address in self.known}
        return AccountSnapshot(slot=1, unix_timestamp=0, epoch=0, accounts=found)


class NoPools:
    async def view(self, pairs: Collection[Pair]) -> MarketView:
        return MarketView(slot=5, pools=())

    async def read(self, pools: Mapping[Pubkey, str]) -> Mapping[Pubkey, Pool]:
        return {}

    async def current(self) -> Sequence[AddressLookupTableAccount]:
        return ()


@dataclass
class Harness:
    port: int
    server: ApiServer
    services: Services
    channel: grpc.aio.Channel
    store: Store
    signals: MemoryOrderSignals
    hinted: list[OrderId]
    chain: Chain

    @property
    def orders(self) -> "pb_grpc.OrderServiceAsyncStub":
        return pb_grpc.OrderServiceStub(self.channel)

    @property
    def tokens(self) -> "pb_grpc.TokenServiceAsyncStub":
        return pb_grpc.TokenServiceStub(self.channel)

    @property
    def quotes(self) -> "pb_grpc.QuoteServiceAsyncStub":
        return pb_grpc.QuoteServiceStub(self.channel)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def submitted(self, **changes: object) -> str:
        return (await self.orders.SubmitOrder(order_request(**changes))).order_id

    async def record(self, order_id: str, *facts: Fact) -> None:
        for fact in facts:
            order = self.store.records[OrderId(UUID(order_id))].order
            changed, _ = await self.store.append(order, fact, EventId(uuid4()))
            self.signals.publish(changed.order_id, changed.sequence)

    def follow(self, order_id: str, after_sequence: int = 0) -> "grpc.aio.UnaryStreamCall[object, object]":
        return self.orders.StreamOrderStatus(
            pb.StreamOrderStatusRequest(order_id=order_id, after_sequence=after_sequence)
        )

    @property
    def watched(self) -> int:
        """How many subscriptions are open."""
        return len(self.signals._subscriptions.watched)


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until it holds, for 5 s at most."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come to hold")


def order_request(**changes: object) -> pb.SubmitOrderRequest:
    return pb.SubmitOrderRequest(**{"token_in": "SOL", "token_out": "USDC", "amount_in": 1_000_000_000} | changes)


@asynccontextmanager
async def running(
    limits: Limits | None = None,
    services: Callable[[Services], Services] = lambda services: services,
    drain_seconds: float = 1.0,
    channel_options: Sequence[tuple[str, int]] = (),
    outermost: Sequence[grpc.aio.ServerInterceptor] = (),
    quotas: Quotas | None = None,
    max_connections: int = 1_000,
) -> AsyncGenerator[Harness]:
    store, signals, chain = Store(), MemoryOrderSignals(), Chain()
    hinted: list[OrderId] = []

    async def check_ready() -> bool:
        return not store.down

    built = Services(
        submit_order=SubmitOrder(
            store=store,
            queue=MemoryTaskQueue(hinted.append),
            signals=signals,
            identifiers=RandomIdentifiers(),
            clock=SystemClock(),
            default_slippage_bps=50,
            max_attempts=3,
        ),
        get_order=GetOrder(store=store),
        list_orders=ListOrders(store),
        cancel_order=CancelOrder(store, signals, LoggingObserver(), RandomIdentifiers()),
        explain_order=ExplainOrder(store),
        stream_order_status=StreamOrderStatus(store=store, signals=signals, reread_every=timedelta(seconds=1)),
        get_quote=GetQuote(
            read_wallet=ReadWallet(chain, None, ()),
            find_route=FindRoute(
                market=NoPools(), lookup_tables=NoPools(), hubs=(), max_hops=1, compute_unit_price_micro_lamports=0
            ),
            default_slippage_bps=50,
        ),
        get_token=GetToken(chain=chain),
        list_tokens=ListTokens(),
    )
    server = ApiServer(services(built), check_ready, limits, outermost, quotas, max_connections)
    async with AsyncExitStack() as stack:
        port = await server.start("127.0.0.1", 0)
        stack.push_async_callback(server.stop, drain_seconds)
        channel = await stack.enter_async_context(
            grpc.aio.insecure_channel(
                f"127.0.0.1:{port}", options=[*channel_options, ("grpc.use_local_subchannel_pool", 1)]
            )
        )
        yield Harness(port, server, built, channel, store, signals, hinted, chain)


@dataclass(frozen=True)
class Refused:
    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    fields: tuple[str, ...]


async def refusal(call: object) -> Refused:
    """Await a call that must fail, and check what every failure of ours looks like."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return refused(error)
    raise AssertionError("the call succeeded")


def refused(error: grpc.aio.AioRpcError) -> Refused:
    status: status_pb2.Status | None = rpc_status.from_call(error)
    assert status is not None, f"{error.code()} {error.details()} carries no google.rpc.Status"
    infos, fields = [], []
    for packed in status.details:
        info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if packed.Unpack(info):
            infos.append(info)
        elif packed.Unpack(bad_request):
            fields += [violation.field for violation in bad_request.field_violations]
    assert [info.domain for info in infos] == ["order-engine"]
    return Refused(error.code(), status.message, infos[0].reason, dict(infos[0].metadata), tuple(fields))
