"""`papernet`: the paper network as a process, on the state directory of this engine."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge
from solders.pubkey import Pubkey

from order_engine.adapters.metrics.process import new_registry
from order_engine.adapters.metrics.server import serving_metrics
from order_engine.papernet.network import Network
from order_engine.papernet.server import serve
from order_engine.settings import WORKER_METRICS, PapernetSettings, Settings


def serve_papernet(
    settings: Settings,
    papernet: PapernetSettings,
    fund: Sequence[str],
    programs: Sequence[str],
    account_dir: Path | None,
) -> None:
    """Serve until SIGINT or SIGTERM; the first line of output is the URL.

    Raises:
        ValueError: an option, the fault plan or a dump cannot be used.
        OSError: the port is taken.
    """
    serve(
        papernet,
        state_dir=settings.state_dir / "papernet",
        host=settings.host,
        fund=[_address("--fund", text) for text in fund],
        programs=dict(_program(text) for text in programs),
        account_dir=account_dir,
        ready=_announce,
        beside=partial(_metrics, settings),
    )


@asynccontextmanager
async def _metrics(settings: Settings, network: Network) -> AsyncIterator[None]:
    registry = new_registry()
    watch_network(registry, network)
    port, required = settings.metrics_listener(WORKER_METRICS + settings.workers)
    async with serving_metrics(registry, host=settings.host, port=port, required=required):
        yield


def watch_network(registry: CollectorRegistry, network: Network) -> None:
    """Show the network in the metrics."""
    Gauge("order_engine_papernet_block_height", "Height of the newest block.", registry=registry).set_function(
        lambda: network.head
    )
    Gauge("order_engine_papernet_transactions", "Transactions landed since genesis.", registry=registry).set_function(
        lambda: network.landed.count
    )


def _program(text: str) -> tuple[Pubkey, Path]:
    address, equals, path = text.partition("=")
    if not equals or not Path(path).is_file():
        raise ValueError(f"--program {text}: must be PROGRAM_ID=FILE.so, and the file must exist")
    return _address("--program", address), Path(path)


def _address(option: str, text: str) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError as error:
        raise ValueError(f"{option} {text}: not a base58 address") from error


def _announce(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
