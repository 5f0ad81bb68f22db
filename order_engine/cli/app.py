"""The command line. Exit status: 0 done, 1 it failed, 2 bad usage, 3 something could not be reached."""

import asyncio
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from order_engine.logs import configure_logging
from order_engine.settings import PapernetSettings, Settings

# Each command imports what it runs when it runs: `papernet` need not wait for gRPC, nor `--help` for anything.

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Takes a swap order on Solana and executes it exactly once, at the best price, in full view.",
    epilog="Settings are environment variables, see docs/configuration.md. `up` needs none of them.",
)

FAILED, BAD_USAGE, UNREACHABLE = 1, 2, 3
S = TypeVar("S", bound=BaseSettings)


@app.command()
def up(
    sample: Annotated[bool, typer.Option(help="Execute one order on the paper network to show that it works.")] = True,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Worker processes. (env WORKERS)")] = None,
) -> None:
    """Start everything on this machine under one supervisor and keep serving until Ctrl-C.

    PostgreSQL, Redis and the paper network are embedded, unless DATABASE_URL, REDIS_URL or SOLANA_RPC_URL name others.
    """
    from order_engine.cli.up import run

    settings = _settings(Settings)
    if workers is not None:
        settings = settings.model_copy(update={"workers": workers})
    _log(settings)
    raise typer.Exit(_run(run(settings, _settings(PapernetSettings), sample=sample)))


@app.command()
def api() -> None:
    """Serve gRPC. Needs DATABASE_URL, REDIS_URL and SOLANA_RPC_URL. Any number may run."""
    from order_engine.bootstrap import serve_api

    settings = _settings(Settings)
    _log(settings)
    _serve(serve_api(settings))


@app.command()
def worker() -> None:
    """Work on orders. Needs DATABASE_URL, REDIS_URL, SOLANA_RPC_URL and the wallet. Any number may run."""
    from order_engine.bootstrap import serve_worker

    settings = _settings(Settings)
    _log(settings)
    _serve(serve_worker(settings))


@app.command()
def migrate() -> None:
    """Bring the schema of DATABASE_URL up to date. Safe to run twice, and at once."""
    from order_engine.adapters.postgres.migrate import migrate as run_migrations

    settings = _settings(Settings)
    if not settings.database_url:
        _fail("DATABASE_URL must be set", BAD_USAGE)
    try:
        run_migrations(settings.database_url)
    except OSError as error:
        _fail(str(error), UNREACHABLE)
    typer.echo("the schema is up to date")


@app.command()
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
    """Serve Solana JSON-RPC on a virtual machine of our own, with pools, prices that move, and faults if asked for."""
    from order_engine.cli.papernet import serve_papernet
    from order_engine.papernet.journal import JournalLocked

    settings = _settings(Settings)
    _log(settings)
    try:
        serve_papernet(settings, _settings(PapernetSettings), fund or [], program or [], account_dir)
    except ValueError as error:
        _fail(str(error), BAD_USAGE)
    except (OSError, JournalLocked) as error:
        _fail(str(error), FAILED)


@app.command()
def vectors(
    files: Annotated[
        list[Path], typer.Argument(help="Vector files, JSON or gzipped JSON.", exists=True, dir_okay=False)
    ],
) -> None:
    """Replay recorded swaps through the venues' maths and the paper network's programs, to the unit."""
    from order_engine.papernet.replay import replay_file

    passed = failed = 0
    for path in files:
        report = replay_file(path)
        for failure in report.failures:
            typer.echo(f"{path.name}: {failure}")
        passed, failed = passed + report.passed, failed + len(report.failures)
    typer.echo(f"{passed} passed, {failed} failed")
    raise typer.Exit(FAILED if failed else 0)


def _settings(kind: type[S]) -> S:
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        for problem in error.errors():
            name = (prefix + "_".join(str(part) for part in problem["loc"])).upper()
            typer.echo(f"{name}: {problem['msg']}", err=True)
        raise typer.Exit(BAD_USAGE) from None


def _log(settings: Settings) -> None:
    configure_logging(settings.log_level, settings.log_format)


def _serve(serving: Awaitable[None]) -> None:
    from order_engine.adapters.solana.wallet import WalletFileError
    from order_engine.domain.errors import EngineError, Unavailable

    try:
        _run(serving)
    except Unavailable as error:
        _fail(error.message, UNREACHABLE)
    except EngineError as error:
        _fail(error.message, BAD_USAGE)
    except (OSError, WalletFileError) as error:
        _fail(str(error), FAILED)


R = TypeVar("R")


def _run(work: Awaitable[R]) -> R:
    """Run on uvloop where there is one: a fifth less processor time for each call."""

    async def main() -> R:
        return await work

    if sys.platform == "win32":
        return asyncio.run(main())
    import uvloop

    return uvloop.run(main())


def _fail(message: str, status: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(status)
