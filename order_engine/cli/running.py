"""What the commands that run a process share: reading settings, logging, and ending with the right status."""

import asyncio
import sys
from collections.abc import Awaitable
from typing import TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from order_engine.cli.exits import BAD_USAGE, FAILED, UNREACHABLE, fail
from order_engine.settings import PapernetSettings, Settings

S = TypeVar("S", bound=BaseSettings)
R = TypeVar("R")


def read(kind: type[S]) -> S:
    """Return the settings; leave with the name of every bad variable."""
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        for problem in error.errors():
            name = (prefix + "_".join(str(part) for part in problem["loc"])).upper() if problem["loc"] else "settings"
            typer.echo(f"{name}: {problem['msg']}", err=True)
        raise typer.Exit(BAD_USAGE) from None


def read_papernet() -> PapernetSettings:
    """Return the paper network's settings, the fault plan checked as well."""
    from order_engine.papernet.faults import FaultPlan, InvalidFaultPlan

    settings = read(PapernetSettings)
    try:
        FaultPlan.parse(settings.faults)
    except InvalidFaultPlan as error:
        fail(f"PAPERNET_FAULTS: {error}", BAD_USAGE)
    return settings


def log(settings: Settings) -> None:
    from order_engine.logs import configure_logging

    configure_logging(settings.log_level, settings.log_format)


def serve(serving: Awaitable[None]) -> None:
    """Run a process of the engine until it is told to stop."""
    from order_engine.adapters.solana.wallet import WalletFileError
    from order_engine.domain.errors import EngineError, Unavailable

    try:
        run(serving)
    except Unavailable as error:
        fail(error.message, UNREACHABLE)
    except EngineError as error:
        fail(error.message, BAD_USAGE)
    except (OSError, WalletFileError) as error:
        fail(str(error), FAILED)


def run(work: Awaitable[R]) -> R:
    """Run on uvloop where there is one: a fifth less processor time for each call."""

    async def main() -> R:
        return await work

    if sys.platform == "win32":
        return asyncio.run(main())
    import uvloop

    return uvloop.run(main())
