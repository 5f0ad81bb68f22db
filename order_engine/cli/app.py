"""The command line: every command by name, with what `--help` teaches about it."""

import inspect
from collections.abc import Callable
from typing import Final

import typer

from order_engine.cli import run_commands, tool_commands, use_commands

EXIT_STATUS: Final = (
    "[bold]Exit status[/]  0 done, 1 the order failed or a check did not hold,\n"
    "             2 bad usage, 3 the server could not be reached"
)
RUN: Final = "Run"
USE: Final = "Use a running engine"
TOOLS: Final = "Tools"
HELP: Final = {"help_option_names": ["-h", "--help"]}


def _epilog(examples: tuple[str, ...], *further: str) -> str:
    return "\n".join(("[bold]Examples[/]", *(f"  {line}" for line in examples), "", EXIT_STATUS, *further))


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings=HELP,
    help="Takes swap orders on Solana and executes each exactly once, at the best price, in full view.",
    epilog=_epilog(
        (
            "order-engine up                            everything, on this machine",
            "order-engine quote SOL USDC 1              which ways are there, at what price?",
            "order-engine submit SOL USDC 1.5 --watch   swap, and see every step",
            "order-engine doctor                        what is wrong here?",
        ),
        "[bold]Settings[/]     environment variables, or lines of .env; `up` needs none",
    ),
)


def _add(panel: str, command: Callable[..., None], *examples: str) -> None:
    app.command(rich_help_panel=panel, help=_flowing(command), epilog=_epilog(examples), context_settings=HELP)(command)


def _flowing(command: Callable[..., None]) -> str:
    """Return the docstring with each paragraph on one line: the terminal decides where it breaks."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)


_add(RUN, run_commands.up, "order-engine up", "order-engine up --workers 4 --no-sample")
_add(RUN, run_commands.api, "order-engine api")
_add(RUN, run_commands.worker, "order-engine worker")
_add(
    RUN,
    run_commands.papernet,
    "order-engine papernet",
    "PAPERNET_FAULTS=drop=0.05,lag=8 order-engine papernet",
)
app.command(
    rich_help_panel=RUN,
    help=_flowing(run_commands.gateway),
    add_help_option=False,  # the bridge has its own
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)(run_commands.gateway)
_add(RUN, run_commands.migrate, "DATABASE_URL=postgresql://… order-engine migrate")

_add(
    USE,
    use_commands.submit,
    "order-engine submit SOL USDC 1.5 --slippage 0.5% --watch",
    "order-engine submit SOL USDC --receive 100 --max-price-impact 1%",
    "order-engine submit SOL USDC 0.1 --count 20 --watch",
    "order-engine submit SOL USDC 1500000000 --base-units --request-id my-7",
    "order-engine submit SOL USDC 1 --json | jq -r .orderId",
)
_add(USE, use_commands.watch, "order-engine watch ID", "order-engine watch ID --after 3 --json")
_add(
    USE,
    use_commands.orders,
    "order-engine orders --status failed --since 24h",
    "order-engine orders --from SOL --to USDC --limit 1000 --json",
)
_add(USE, use_commands.explain, "order-engine explain ID")
_add(
    USE,
    use_commands.quote,
    "order-engine quote SOL USDC 1",
    "order-engine quote USDC SOL 250.75 --slippage 0.1%",
    "order-engine quote SOL JUP --receive 500 --max-fee 0.0005SOL",
)
_add(USE, use_commands.cancel, "order-engine cancel ID")

_add(TOOLS, tool_commands.doctor, "order-engine doctor", "order-engine doctor --target engine:50051")
_add(TOOLS, tool_commands.wallet, "order-engine wallet", "WALLET_PATH=key.json order-engine wallet --create")
_add(
    TOOLS,
    tool_commands.vectors,
    "order-engine vectors swaps.json.gz",
    "order-engine vectors tests/vectors/data/*.json.gz",
)
