"""The composition root: the only file that names every adapter. It builds each process out of its settings."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from prometheus_client import CollectorRegistry
from solders.pubkey import Pubkey
from sqlalchemy.ext.asyncio import AsyncEngine

from order_engine.adapters.metrics.backlog import BacklogMetrics
from order_engine.adapters.metrics.broker import HintCounter
from order_engine.adapters.metrics.chain import ChainMetrics
from order_engine.adapters.metrics.database import DatabaseMetrics
from order_engine.adapters.metrics.orders import OrderMetrics
from order_engine.adapters.metrics.ports import MeteredOrderClaims, MeteredOrderStore, MeteredTaskQueue
from order_engine.adapters.metrics.process import new_registry
from order_engine.adapters.metrics.rpc import RpcMetrics
from order_engine.adapters.metrics.server import Refresh, serving_metrics
from order_engine.adapters.observer import LoggingObserver, Observers
from order_engine.adapters.postgres.backlog import read_backlog
from order_engine.adapters.postgres.database import is_reachable, open_database
from order_engine.adapters.postgres.order_claims import PostgresOrderClaims
from order_engine.adapters.postgres.order_store import PostgresOrderStore
from order_engine.adapters.redis.broker import HintBroker
from order_engine.adapters.redis.order_signals import RedisOrderSignals
from order_engine.adapters.redis.task_queue import RedisTaskQueue
from order_engine.adapters.solana.chain import ForeignEndpoint, SolanaChain, open_chain
from order_engine.adapters.solana.endpoints import prove_patiently, take_in_late_endpoints
from order_engine.adapters.solana.lookup_tables import ChainLookupTables
from order_engine.adapters.solana.market import SolanaMarket
from order_engine.adapters.solana.pool_index import DiscoveredPools, ListedPools
from order_engine.adapters.solana.wallet import KeypairWallet, load_keypair
from order_engine.adapters.system import RandomIdentifiers, SystemClock
from order_engine.api.interceptors.clients import Clients, networks
from order_engine.api.interceptors.quotas import QuotaLimits, Quotas
from order_engine.api.server import serve
from order_engine.api.services import Services
from order_engine.domain.errors import EngineError
from order_engine.domain.paper import is_paper_network
from order_engine.fault_points import FaultPoints
from order_engine.settings import API_METRICS, WORKER_METRICS, Settings
from order_engine.usecases.cancel_order import CancelOrder
from order_engine.usecases.execute_order import ExecuteOrder, ExecutionPolicy
from order_engine.usecases.explain_order import ExplainOrder
from order_engine.usecases.find_route import FindRoute
from order_engine.usecases.get_order import GetOrder
from order_engine.usecases.get_quote import GetQuote
from order_engine.usecases.get_token import GetToken
from order_engine.usecases.list_orders import ListOrders
from order_engine.usecases.list_tokens import ListTokens
from order_engine.usecases.ports import AdmissionLimits, LookupTables, Market, OrderClaims, OrderObserver, OrderStore
from order_engine.usecases.read_wallet import ReadWallet
from order_engine.usecases.stream_order_status import StreamOrderStatus
from order_engine.usecases.submit_order import SubmitOrder
from order_engine.venues import VENUES
from order_engine.worker.run import WorkerPolicy, run_worker


class MissingSetting(EngineError):
    """A process was started without what it needs; the message names the setting."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the API and the workers have in common."""

    database: AsyncEngine
    store: OrderStore
    observer: OrderObserver
    signals: RedisOrderSignals
    chain: SolanaChain
    market: Market
    lookup_tables: LookupTables
    registry: CollectorRegistry
    faults: FaultPoints


@asynccontextmanager
async def _shared(settings: Settings, application_name: str) -> AsyncIterator[Shared]:
    _require(settings, "database_url", "redis_url", "solana_rpc_url")
    async with AsyncExitStack() as stack:
        database = open_database(settings.database_url, settings.database_pool_size, application_name)
        stack.push_async_callback(database.dispose)
        faults = FaultPoints(settings.fault_points)
        registry = new_registry()
        DatabaseMetrics(registry, database.sync_engine)
        orders = OrderMetrics(registry)
        store = faults.around("store", MeteredOrderStore(PostgresOrderStore(database), orders))
        signals = RedisOrderSignals(
            settings.redis_url,
            latest_sequences=store.latest_sequences,
            poll_interval=timedelta(seconds=settings.watch_poll_seconds),
            namespace=settings.redis_namespace,
        )
        calls = ChainMetrics(registry).called
        chain = await stack.enter_async_context(open_chain(settings.rpc_endpoints, on_call=calls))
        watched = faults.around("chain", chain)
        yield Shared(
            database,
            store,
            Observers(LoggingObserver(), orders),
            faults.around("signals", await stack.enter_async_context(signals)),
            watched,
            _market(settings, watched),
            ChainLookupTables(watched, settings.tables),
            registry,
            faults,
        )


@asynccontextmanager
async def _metrics(
    settings: Settings, shared: Shared, place: int, refresh: Refresh | None = None
) -> AsyncIterator[None]:
    port, required = settings.metrics_listener(place)
    async with serving_metrics(shared.registry, host=settings.host, port=port, required=required, refresh=refresh):
        yield


@asynccontextmanager
async def _backlog(shared: Shared) -> AsyncIterator[Refresh]:
    backlog = BacklogMetrics(shared.registry, partial(read_backlog, shared.database))
    try:
        yield backlog.refresh
    finally:
        await backlog.aclose()


async def serve_api(settings: Settings) -> None:
    """Run the gRPC server until it is told to stop.

    Raises:
        MissingSetting: DATABASE_URL, REDIS_URL or SOLANA_RPC_URL is not set.
        OSError: the port is in use.
    """
    async with (
        _shared(settings, "order_engine_api") as shared,
        RedisTaskQueue(settings.redis_url, namespace=settings.redis_namespace) as queue,
        _backlog(shared) as refresh,
        _metrics(settings, shared, API_METRICS, refresh),
    ):
        await serve(
            _services(settings, shared, queue),
            host=settings.host,
            port=settings.grpc_port,
            drain_seconds=settings.drain_seconds,
            check_ready=partial(is_reachable, shared.database),
            on_ready=lambda port: None,
            outermost=(RpcMetrics(shared.registry),),
            quotas=_quotas(settings),
            max_connections=settings.max_connections,
        )


def _quotas(settings: Settings) -> Quotas:
    streams, rate, burst = settings.max_streams_per_client, settings.max_requests_per_second, settings.max_request_burst
    limits = QuotaLimits(max_streams=streams, requests_per_second=rate, burst=burst)
    return Quotas(limits, Clients(networks(settings.trusted_proxies)))


def _services(settings: Settings, shared: Shared, queue: RedisTaskQueue) -> Services:
    store, signals, identifiers = shared.store, shared.signals, RandomIdentifiers()
    return Services(
        submit_order=SubmitOrder(
            store=store,
            queue=shared.faults.around("queue", MeteredTaskQueue(queue, shared.registry)),
            signals=signals,
            identifiers=identifiers,
            clock=shared.faults.around("clock", SystemClock()),
            default_slippage_bps=settings.default_slippage_bps,
            max_attempts=settings.max_attempts,
        ),
        get_order=GetOrder(store=store),
        list_orders=ListOrders(store),
        cancel_order=CancelOrder(store, signals, shared.observer, identifiers),
        explain_order=ExplainOrder(store),
        stream_order_status=StreamOrderStatus(
            store=store, signals=signals, reread_every=timedelta(seconds=30 * settings.watch_poll_seconds)
        ),
        get_quote=GetQuote(
            find_route=_find_route(settings, shared),
            read_wallet=_read_wallet(settings, shared.chain, settings.quoted_wallet),
            default_slippage_bps=settings.default_slippage_bps,
        ),
        get_token=GetToken(chain=shared.chain),
        list_tokens=ListTokens(),
    )


async def serve_worker(settings: Settings) -> None:
    """Work on orders until told to stop.

    Raises:
        MissingSetting: a setting is missing, or the chain is not our paper network and LIVE_TRADING is not set.
        WalletFileError: the key file cannot be used.
        ChainUnavailable: the chain did not answer for a minute.
    """
    keypair = load_keypair(settings.wallet_file)
    async with _shared(settings, "order_engine_worker") as shared, _metrics(settings, shared, WORKER_METRICS):
        await _check_chain(settings, shared.chain)
        late = asyncio.create_task(take_in_late_endpoints(shared.chain, SystemClock()))
        limits = AdmissionLimits(
            max_in_flight=settings.max_in_flight, max_starts_per_minute=settings.max_starts_per_minute
        )
        lease = timedelta(seconds=settings.lease_seconds)
        claims = shared.faults.around(
            "claims",
            MeteredOrderClaims(PostgresOrderClaims(shared.database, limits=limits, lease=lease), shared.registry),
        )
        broker = HintBroker(settings.redis_url, namespace=settings.redis_namespace)
        broker.add_middleware(HintCounter(shared.registry))
        try:
            await run_worker(
                execute_order=_execute_order(settings, shared, claims, KeypairWallet(keypair, shared.chain)),
                claims=claims,
                identifiers=RandomIdentifiers(),
                broker=broker,
                policy=WorkerPolicy(
                    orders_at_once=settings.orders_per_worker,
                    lease=lease,
                    grace=timedelta(seconds=settings.drain_seconds),
                ),
            )
        finally:
            late.cancel()


def _execute_order(settings: Settings, shared: Shared, claims: OrderClaims, wallet: KeypairWallet) -> ExecuteOrder:
    return ExecuteOrder(
        store=shared.store,
        claims=claims,
        signals=shared.signals,
        observer=shared.observer,
        chain=shared.chain,
        wallet=shared.faults.around("wallet", wallet),
        market=shared.market,
        lookup_tables=shared.lookup_tables,
        read_wallet=_read_wallet(settings, shared.chain, wallet.address),
        find_route=_find_route(settings, shared),
        slippage_errors={
            venue.VENUE: frozenset({venue.SLIPPAGE_ERROR, venue.EXCESS_INPUT_ERROR}) for venue in VENUES.values()
        },
        clock=shared.faults.around("clock", SystemClock()),
        identifiers=RandomIdentifiers(),
        policy=ExecutionPolicy(
            retry_delay=timedelta(milliseconds=settings.retry_delay_ms),
            poll_interval=timedelta(milliseconds=settings.poll_interval_ms),
            compute_unit_price_micro_lamports=settings.compute_unit_price_micro_lamports,
        ),
    )


def _market(settings: Settings, chain: SolanaChain) -> SolanaMarket:
    listed = settings.listed_pools
    return SolanaMarket(
        chain,
        ListedPools(chain, VENUES, listed) if listed else DiscoveredPools(chain, VENUES),
        VENUES,
        refresh=timedelta(milliseconds=settings.market_refresh_ms),
        venue_timeout=timedelta(milliseconds=settings.venue_timeout_ms),
    )


def _find_route(settings: Settings, shared: Shared) -> FindRoute:
    return FindRoute(
        market=shared.market,
        lookup_tables=shared.lookup_tables,
        hubs=settings.hubs,
        max_hops=settings.max_hops,
        compute_unit_price_micro_lamports=settings.compute_unit_price_micro_lamports,
    )


def _read_wallet(settings: Settings, chain: SolanaChain, wallet: Pubkey | None) -> ReadWallet:
    return ReadWallet(chain, wallet, settings.hubs)


async def _check_chain(settings: Settings, chain: SolanaChain) -> None:
    """Sign on our own paper network only, unless live trading was asked for; and never on two chains at once."""
    try:
        genesis = await prove_patiently(chain, SystemClock())
    except ForeignEndpoint as error:
        raise MissingSetting(error.message) from error
    if not settings.live_trading and not is_paper_network(genesis):
        raise MissingSetting(
            f"the chain with genesis hash {genesis} is not our paper network: "
            "set LIVE_TRADING=true to sign with real money"
        )


def _require(settings: Settings, *names: str) -> None:
    missing = [name.upper() for name in names if not getattr(settings, name)]
    if missing:
        raise MissingSetting(f"{' and '.join(missing)} must be set; `{sys.executable} -m order_engine up` sets them")
