"""`up`: everything on this machine, under one supervisor, with one order executed to show that it works."""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from order_engine.adapters.postgres.migrate import migrate
from order_engine.adapters.solana.chain import open_chain
from order_engine.adapters.solana.wallet import WalletFileError, load_keypair, load_or_create_keypair
from order_engine.cli.sample_order import submit_sample_order
from order_engine.domain.errors import ChainUnavailable
from order_engine.domain.paper import is_paper_network
from order_engine.embedded.child import ChildSpec, http_ready, tcp_ready
from order_engine.embedded.errors import StartError, StartInterrupted
from order_engine.embedded.listening import Listen
from order_engine.embedded.servers import EmbeddedServers
from order_engine.embedded.supervised import EventKind
from order_engine.embedded.supervisor import Supervisor
from order_engine.settings import PapernetSettings, Settings


@dataclass(slots=True)
class Progress:
    """Tells what happens, with the time since the start."""

    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def on_event(self, name: str, kind: EventKind, detail: str) -> None:
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
    def environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "SOLANA_RPC_URL": self.rpc_url,
            "STATE_DIR": str(self.settings.state_dir.resolve()),
            "GRPC_TARGET": self.grpc_target,
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
    """Return every process: what has no `after` starts at once."""
    settings, names = stack.settings, {child.name for child in stack.embedded.children()}
    servers = tuple(sorted(names))
    schema = Schema(stack.database_url)
    stop_within = settings.drain_seconds + 5
    listening = Listen(host=settings.host, port=settings.grpc_port, setting="GRPC_PORT")
    api = ChildSpec(
        name="api",
        command=_ours("api"),
        env=stack.environment,
        after=servers,
        listens=(listening,),
        prepare=schema.prepare,
        ready=tcp_ready(stack.connect_host, settings.grpc_port),
        stop_within=stop_within,
    )
    workers = [
        ChildSpec(
            name=f"worker-{number}",
            command=_ours("worker"),
            env=stack.environment,
            after=(*servers, *(("papernet",) if stack.own_papernet else ())),
            prepare=schema.prepare,
            stop_within=stop_within,
        )
        for number in range(1, settings.workers + 1)
    ]
    gateway = ChildSpec(
        name="gateway",
        command=[sys.executable, "-m", "gateway"],
        env=stack.environment,
        listens=(Listen(host=settings.host, port=settings.port, setting="PORT"),),
        ready=tcp_ready(stack.connect_host, settings.port),
        stop_within=stop_within,
    )
    paper = [_papernet(stack)] if stack.own_papernet else []
    return [*stack.embedded.children(), *paper, api, gateway, *workers]


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


class Schema:
    """Brings the schema up to date once, however many processes wait for it."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._migration: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        if self._migration is None:
            self._migration = asyncio.create_task(asyncio.to_thread(migrate, self._database_url))
        await asyncio.shield(self._migration)


async def run(settings: Settings, papernet: PapernetSettings, *, sample: bool) -> int:
    """Start everything, show one order, serve until stopped. Returns the exit status."""
    progress = Progress()
    progress.say("order engine: starting (Ctrl-C stops everything)")
    try:
        stack = plan(settings, papernet)
    except (WalletFileError, StartError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    supervisor = Supervisor(children(stack), state_dir=settings.state_dir, on_event=progress.on_event)
    try:
        await supervisor.start()
    except StartInterrupted:
        return 0
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    showing = asyncio.create_task(_show(stack, progress, sample=sample))
    try:
        await supervisor.run_until_stopped()
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
    progress.say("stopped")
    return 0


async def _show(stack: Stack, progress: Progress, *, sample: bool) -> None:
    try:
        if sample and await _is_our_paper_network(stack):
            progress.say("")
            await submit_sample_order(stack.grpc_target, progress.say)
        elif sample:
            progress.say("no sample order: SOLANA_RPC_URL is not our paper network")
    except grpc.aio.AioRpcError as error:
        progress.say(f"the sample order could not be followed: {error.code().name} {error.details()}")
    progress.say(doors(stack))


async def _is_our_paper_network(stack: Stack) -> bool:
    try:
        async with open_chain(stack.rpc_url.split(",")) as chain:
            return all(is_paper_network(genesis) for genesis in await chain.genesis_hashes())
    except ChainUnavailable:
        return False


def doors(stack: Stack) -> str:
    """Return where everything answers, with lines to paste."""
    target, http = stack.grpc_target, f"{stack.connect_host}:{stack.settings.port}"
    service = "order_engine.v1.OrderService"
    order = '{"token_in":"SOL","token_out":"USDC","amount_in":"1000000000"}'
    classic = '{"orderType":"market","tokenIn":"SOL","tokenOut":"USDC","amountIn":1}'
    buf = Path(sys.executable).with_name("buf")
    return f"""
serving
  gRPC       {target}   (reflection and health are on)
  HTTP       http://{http}
  Solana RPC {stack.rpc_url}
  logs       {stack.settings.state_dir / "logs"}

try
  {_relative(buf)} curl --protocol grpc --http2-prior-knowledge -d '{order}' http://{target}/{service}/SubmitOrder
  {_relative(buf)} curl --protocol grpc --http2-prior-knowledge -d '{{"order_id":"ID"}}' http://{target}/{service}/StreamOrderStatus
  grpcurl -plaintext -d '{order}' {target} {service}/SubmitOrder
  curl -s http://{http}/api/orders/execute -H 'content-type: application/json' -d '{classic}'
  npx wscat -c ws://{http}/api/orders/ID/stream
"""


def _relative(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
