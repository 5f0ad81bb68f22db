"""The console script `order-engine-gateway`: the same as `python -m gateway`, under the name it was called by."""

import typer

from gateway.__main__ import main


def run() -> None:
    """Parse the command line and serve."""
    app = typer.Typer(add_completion=False)
    app.command()(main)
    app()
