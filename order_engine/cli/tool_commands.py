"""The commands that look after an installation."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]


def doctor(
    target: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Engine to check. (env GRPC_TARGET, default 127.0.0.1:GRPC_PORT)"),
    ] = None,
    http: Annotated[
        str | None, typer.Option(metavar="URL", help="Bridge to check, default this machine's PORT.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=60.0, metavar="SECONDS", help="For each check.")] = 3.0,
    json: Json = False,
) -> None:
    """Check everything the engine depends on, and say how to mend it.

    Checks what is configured, and what `up` would use for the rest. Changes nothing.
    """
    from order_engine.cli import running
    from order_engine.cli.doctor.examination import Subject
    from order_engine.cli.doctor.report import report
    from order_engine.settings import ClientSettings, PapernetSettings, Settings

    subject = Subject(
        settings=running.read(Settings),
        papernet=running.read(PapernetSettings),
        client=running.read(ClientSettings),
        target=target,
        http=http,
        timeout_seconds=timeout,
    )
    raise typer.Exit(report(subject, json=json))


def vectors(
    files: Annotated[
        list[Path],
        typer.Argument(help="Vector files, JSON or gzipped JSON.", exists=True, dir_okay=False, show_default=False),
    ],
    json: Json = False,
) -> None:
    """Replay what was recorded of the real programs, to the unit.

    A file holds swaps with the pools they met, instructions, program addresses, tables of prices and fees, or signed
    transactions: which of them, its content says. Swaps go through the paper network's programs and the engine's
    quotes, the others through the engine's own builders and formulae. Every vector that comes out otherwise is one
    line: file, vector, what was expected, what came. The last line is the total.

    Status 1: a vector failed. Status 2: a file cannot be used; the others are replayed all the same.
    """
    from order_engine.cli.vectors import replay_files

    raise typer.Exit(replay_files(files, json=json))


def wallet(
    create: Annotated[bool, typer.Option("--create", help="Make the key file, mode 0600, if there is none.")] = False,
    json: Json = False,
) -> None:
    """Print the wallet's address. The secret never leaves its file.

    The key file is WALLET_PATH, or STATE_DIR/wallet.json.
    """
    from order_engine.cli import running
    from order_engine.cli.wallet import show_wallet
    from order_engine.settings import Settings

    show_wallet(running.read(Settings).wallet_file, create=create, json=json)
