"""How a command ends: the exit status is part of the interface."""

from typing import Final, NoReturn

import typer

DONE: Final = 0
FAILED: Final = 1
BAD_USAGE: Final = 2
UNREACHABLE: Final = 3


def fail(message: str, status: int) -> NoReturn:
    """Say why on the error stream and leave."""
    typer.echo(message, err=True)
    raise typer.Exit(status)
