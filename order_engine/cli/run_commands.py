"""The commands that run a process. Each imports what it runs when it runs: `papernet` need not wait for gRPC."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from order_engine.cli.exits import BAD_USAGE, FAILED, UNREACHABLE, fail


def up(
    sample: Annotated[bool, typer.Option(help="Execute one order on the paper network to show that it works.")] = True,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Worker processes. (env WORKERS)")] = None,
    stop_with_parent: Annotated[
        bool, typer.Option("--stop-with-parent", help="Stop when the process that started this one ends, however.")
    ] = False,
) -> None:
    """Start everything on this machine and serve until Ctrl-C.

    PostgreSQL, Redis and the paper network are embedded, unless DATABASE_URL, REDIS_URL or SOLANA_RPC_URL name others.
    """
    from order_engine.cli import running
    from order_engine.cli.up import run
    from order_engine.embedded.parent import terminate_with_parent
    from order_engine.settings import Settings

    if stop_with_parent:
        terminate_with_parent()
    settings = running.read(Settings)
    if workers is not None:
        settings = settings.model_copy(update={"workers": workers})
    papernet_settings = running.read_papernet()
    running.log(settings)
    raise typer.Exit(running.run(run(settings, papernet_settings, sample=sample)))


def api() -> None:
    """Serve gRPC. Any number may run.

    Needs DATABASE_URL, REDIS_URL and SOLANA_RPC_URL.
    """
    from order_engine.bootstrap import serve_api
    from order_engine.cli import running
    from order_engine.settings import Settings

    settings = running.read(Settings)
    running.log(settings)
    running.serve(serve_api(settings))


def worker() -> None:
    """Work on orders. Any number may run.

    Needs DATABASE_URL, REDIS_URL, SOLANA_RPC_URL and the wallet.
    """
    from order_engine.bootstrap import serve_worker
    from order_engine.cli import running
    from order_engine.settings import Settings

    settings = running.read(Settings)
    running.log(settings)
    running.serve(serve_worker(settings))


def gateway(context: typer.Context) -> None:
    """Serve HTTP, WebSocket and SSE in front of gRPC.

    The same as `python -m gateway`, which takes over this process and all its options.
    """
    command = [sys.executable, "-m", "gateway", *context.args]
    os.execv(sys.executable, command)  # noqa: S606 - our own module, in this interpreter


def migrate() -> None:
    """Bring the schema of DATABASE_URL up to date.

    Safe to run twice, and at once.
    """
    from order_engine.adapters.postgres.migrate import migrate as run_migrations
    from order_engine.cli import running
    from order_engine.domain.errors import Unavailable
    from order_engine.settings import Settings

    settings = running.read(Settings)
    if not settings.database_url:
        fail("DATABASE_URL must be set", BAD_USAGE)
    try:
        run_migrations(settings.database_url)
    except Unavailable as error:
        fail(error.message, UNREACHABLE)
    except ValueError:
        fail("DATABASE_URL is no URL: write postgresql://USER:PASSWORD@HOST:5432/DATABASE", BAD_USAGE)
    typer.echo("the schema is up to date")


def papernet(
    fund: Annotated[list[str] | None, typer.Option(help="Wallet that gets SOL and tokens; repeatable.")] = None,
    program: Annotated[
        list[str] | None,
        typer.Option(help="PROGRAM_ID=FILE.so: run this bytecode instead of our own maths; repeatable."),
    ] = None,
    account_dir: Annotated[
        Path | None,
        typer.Option(help="Accounts to start with: JSON of `solana account --output json`.", file_okay=False),
    ] = None,
) -> None:
    """Serve Solana JSON-RPC on a virtual machine of our own.

    With pools, prices that move, and faults if asked for.
    """
    from order_engine.cli import running
    from order_engine.cli.papernet import serve_papernet
    from order_engine.papernet.journal import JournalLocked
    from order_engine.settings import Settings

    settings, papernet_settings = running.read(Settings), running.read_papernet()
    running.log(settings)
    try:
        serve_papernet(settings, papernet_settings, fund or [], program or [], account_dir)
    except ValueError as error:
        fail(str(error), BAD_USAGE)
    except (OSError, JournalLocked) as error:
        fail(str(error), FAILED)
