"""`up`: everything on this machine, under one supervisor, with one order executed to show that it works."""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

from order_engine.adapters.postgres.migrate import migrate
from order_engine.adapters.solana.chain import ForeignEndpoint, open_chain
from order_engine.adapters.solana.wallet import WalletFileError, load_keypair, load_or_create_keypair
from order_engine.cli.doors import doors
from order_engine.cli.engine import Unreachable
from order_engine.cli.metrics_ports import with_metrics
from order_engine.cli.sample_order import submit_sample_order
from order_engine.domain.errors import ChainUnavailable, Unavailable
from order_engine.domain.paper import is_paper_network
from order_engine.embedded.child import ChildSpec, Ready, http_ready, tcp_ready
from order_engine.embedded.errors import StartError, StartInterrupted
from order_engine.embedded.listening import Listen
from order_engine.embedded.servers import EmbeddedServers
from order_engine.embedded.supervised import EventKind
from order_engine.embedded.supervisor import Supervisor
from order_engine.papernet.genesis import genesis_hash, lookup_table_address
from order_engine.settings import PapernetSettings, Settings


@dataclass(slots=True)
class Progress:
    """Tells what happens, with the time since the start."""

    began: float = field(default_factory=time.monotonic)
    database_up: asyncio.Event = field(default_factory=asyncio.Event)
    api_up: asyncio.Event = field(default_factory=asyncio.Event)
    all_up: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def on_event(self, name: str, kind: EventKind, detail: str) -> None:
        if kind == "ready" and name == "postgres":
            self.database_up.set()
        if kind == "ready" and name == "api":
            self.api_up.set()
        if kind != "started":
            self.say(f"[{time.monotonic() - self.began:6.1f} s] {name} {kind} {detail}")


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs, and where it answers."""

    settings: Settings
    papernet: PapernetSettings
    database_url: str
    redis_url: str
    embedded: EmbeddedServers
    wallet: str

    @property
    def connect_host(self) -> str:
        """An address that clients on this machine can use: 0.0.0.0 is only good for listening."""
        return "127.0.0.1" if self.settings.host in ("0.0.0.0", "::") else self.settings.host  # noqa: S104

    @property
    def grpc_target(self) -> str:
        return f"{self.connect_host}:{self.settings.grpc_port}"

    @property
    def rpc_url(self) -> str:
        return self.settings.solana_rpc_url or f"http://127.0.0.1:{self.papernet.port}"

    @property
    def own_papernet(self) -> bool:
        return not self.settings.solana_rpc_url

    @property
    def lookup_tables(self) -> str:
        own = self.own_papernet and not self.settings.lookup_tables
        return str(lookup_table_address(genesis_hash(self.papernet.seed))) if own else self.settings.lookup_tables

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "SOLANA_RPC_URL": self.rpc_url,
            "STATE_DIR": str(self.settings.state_dir.resolve()),
            "GRPC_TARGET": self.grpc_target,
            "WALLET_ADDRESS": self.wallet,
            "LOOKUP_TABLES": self.lookup_tables,
        }


def plan(settings: Settings, papernet: PapernetSettings) -> Stack:
    """Choose what is embedded and make the paper wallet if there is none.

    Raises:
        WalletFileError: the wallet cannot be used.
    """
    state_dir = settings.state_dir
    embedded = EmbeddedServers(state_dir, postgres=not settings.database_url, redis=not settings.redis_url)
    own = settings.wallet_path is None
    keypair = load_or_create_keypair(settings.wallet_file) if own else load_keypair(settings.wallet_file)
    return Stack(
        settings=settings,
        papernet=papernet,
        database_url=settings.database_url or embedded.database_url,
        redis_url=settings.redis_url or embedded.redis_url,
        embedded=embedded,
        wallet=str(keypair.pubkey()),
    )


def children(stack: Stack) -> Sequence[ChildSpec]:
    """Return every process. The API starts at once, beside the servers it waits for; the others follow it."""
    settings = stack.settings
    servers = tuple(child.name for child in stack.embedded.children())
    paper = [_papernet(stack)] if stack.own_papernet else []
    stop_within = settings.drain_seconds + 5
    api = ChildSpec(
        name="api",
        command=_ours("api"),
        env=stack.environment,
        outlived_by=servers,
        listens=(Listen(host=settings.host, port=settings.grpc_port, setting="GRPC_PORT"),),
        ready=grpc_ready(stack.grpc_target),
        ready_within=60,
        stop_within=stop_within,
    )
    gateway = ChildSpec(
        name="gateway",
        command=[sys.executable, "-m", "gateway"],
        env=stack.environment,
        after=("api",),
        listens=(Listen(host=settings.host, port=settings.port, setting="PORT"),),
        ready=tcp_ready(stack.connect_host, settings.port),
        stop_within=stop_within,
    )
    workers = [
        ChildSpec(
            name=f"worker-{number}",
            command=_ours("worker"),
            env=stack.environment,
            after=("api", *(child.name for child in paper)),
            outlived_by=servers,
            stop_within=stop_within,
        )
        for number in range(1, settings.workers + 1)
    ]
    return [*stack.embedded.children(), *with_metrics(settings, [api, gateway, *workers, *paper])]


def grpc_ready(target: str) -> Ready:
    """Ready when its health says SERVING: it listens, the database answers, and the schema is there."""

    async def ready() -> bool:
        async with grpc.aio.insecure_channel(target) as channel:
            try:
                reply = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=2)
            except grpc.aio.AioRpcError:
                return False
        return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)

    return ready


def _papernet(stack: Stack) -> ChildSpec:
    return ChildSpec(
        name="papernet",
        command=[*_ours("papernet"), "--fund", stack.wallet],
        env={**stack.environment, "HOST": "127.0.0.1"},
        listens=(Listen(host="127.0.0.1", port=stack.papernet.port, setting="PAPERNET_PORT"),),
        ready=http_ready(f"{stack.rpc_url}/health"),
    )


def _ours(command: str) -> list[str]:
    return [sys.executable, "-m", "order_engine", command]


async def run(settings: Settings, papernet: PapernetSettings, *, sample: bool) -> int:
    """Start everything, show one order, serve until stopped. Returns the exit status."""
    progress = Progress()
    progress.say("order engine: starting (Ctrl-C stops everything)")
    try:
        stack = plan(settings, papernet)
    except (WalletFileError, StartError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"STATE_DIR: cannot use {settings.state_dir}: {error.strerror}\n")
        return 2
    if (why := await _not_to_be_traded_on(stack)) is not None:
        sys.stderr.write(f"{why}\n")
        return 2
    supervisor = Supervisor(children(stack), state_dir=settings.state_dir, on_event=progress.on_event)
    showing = asyncio.create_task(_show(stack, progress, sample=sample))
    try:
        await _start(stack, supervisor, progress)
        progress.all_up.set()
        await supervisor.run_until_stopped()
    except StartInterrupted:
        return 0
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
    progress.say("stopped")
    return 0


async def _start(stack: Stack, supervisor: Supervisor, progress: Progress) -> None:
    """Start everything, and bring the schema up to date as soon as there is a database.

    Raises:
        StartError: whichever of the two failed first; nothing is left running.
    """
    starting = asyncio.create_task(supervisor.start())
    migrating = asyncio.create_task(_migrate(stack, progress))
    await asyncio.wait({starting, migrating}, return_when=asyncio.FIRST_EXCEPTION)
    if migrating.done() and (error := migrating.exception()) is not None:
        supervisor.request_stop()
        await asyncio.gather(starting, return_exceptions=True)
        await supervisor.stop()
        raise error
    migrating.cancel()
    await starting


async def _migrate(stack: Stack, progress: Progress) -> None:
    if not stack.settings.database_url:
        await progress.database_up.wait()
    try:
        await asyncio.to_thread(migrate, stack.database_url)
    except Unavailable as error:
        raise StartError(error.message) from error


async def _show(stack: Stack, progress: Progress, *, sample: bool) -> None:
    await progress.api_up.wait()
    try:
        if sample and (stack.own_papernet or not stack.settings.live_trading):
            progress.say("")
            await submit_sample_order(stack.grpc_target, progress.say)
        elif sample:
            progress.say("no sample order: LIVE_TRADING is set")
    except grpc.aio.AioRpcError as error:
        progress.say(f"the sample order could not be followed: {error.code().name} {error.details()}")
    except Unreachable as error:
        progress.say(f"the sample order could not be submitted: {error}")
    await progress.all_up.wait()
    settings = stack.settings
    http = f"{stack.connect_host}:{settings.port}"
    progress.say(doors(stack.grpc_target, http, stack.rpc_url, settings.state_dir / "logs"))


async def _not_to_be_traded_on(stack: Stack) -> str | None:
    """Say why workers would refuse the chain of SOLANA_RPC_URL, before anything is started."""
    if stack.own_papernet or stack.settings.live_trading:
        return None
    try:
        async with open_chain(stack.settings.rpc_endpoints) as chain:
            genesis = await chain.prove_endpoints()
    except (ChainUnavailable, ForeignEndpoint) as error:
        return f"SOLANA_RPC_URL cannot be used: {error.message}"
    if is_paper_network(genesis):
        return None
    return (
        f"SOLANA_RPC_URL is the chain with genesis hash {genesis}, not our paper network: "
        "set LIVE_TRADING=true to sign with real money"
    )
