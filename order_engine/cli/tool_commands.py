"""The commands that look after an installation."""

from pathlib import Path
from typing import Annotated

import typer

from order_engine.cli.exits import FAILED

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
    """Replay recorded swaps through venues and paper network, to the unit."""
    import orjson

    from order_engine.papernet.replay import replay_file

    passed, failures = 0, []
    for path in files:
        report = replay_file(path)
        passed += report.passed
        failures += [f"{path.name}: {failure}" for failure in report.failures]
    if json:
        typer.echo(orjson.dumps({"passed": passed, "failed": len(failures), "failures": failures}).decode())
    else:
        for failure in failures:
            typer.echo(failure)
        typer.echo(f"{passed} passed, {len(failures)} failed")
    raise typer.Exit(FAILED if failures else 0)


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
