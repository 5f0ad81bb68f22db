"""Help that teaches, usage errors, and a server that is not there."""

import subprocess
import sys
from pathlib import Path

import pytest

from order_engine.cli.app import app
from order_engine.embedded.listening import free_port
from tests.unit.cli.conftest import Cli

COMMANDS = (
    "up", "api", "worker", "papernet", "gateway", "migrate",
    "submit", "watch", "orders", "explain", "quote", "cancel", "doctor", "wallet", "vectors",
)  # fmt: skip
ROOT = Path(__file__).parents[3]


def test_help_names_every_command_and_the_exit_statuses(cli: Cli) -> None:
    shown = cli("--help").stdout
    assert [one for one in COMMANDS if one not in shown] == []
    for part in ("Run", "Use a running engine", "Tools", "Examples", "3 the server could not be reached"):
        assert part in shown
    assert len(app.registered_commands) == len(COMMANDS)


@pytest.mark.parametrize("command", [one for one in COMMANDS if one != "gateway"])
def test_each_command_explains_itself(cli: Cli, command: str) -> None:
    shown = cli(command, "--help")
    assert shown.exit_code == 0
    assert "Examples" in shown.stdout
    assert f"order-engine {command}" in shown.stdout
    assert "Exit status" in shown.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["submit", "SOL", "USDC"],
        ["submit", "SOL", "USDC", "1", "--receive", "1"],
        ["quote", "SOL", "USDC"],
        ["quote", "SOL", "USDC", "1", "--receive", "1"],
        ["submit", "SOL", "USDC", "1", "--max-price-impact", "1"],
        ["submit", "SOL", "USDC", "1", "--max-price-impact", "101%"],
        ["submit", "SOL", "USDC", "1", "--max-fee", "5000"],
        ["quote", "SOL", "USDC", "1", "--max-fee", "1SOLS"],
        ["quote", "SOL", "USDC", "1", "--max-quote-age", "-1"],
        ["quote", "SOL", "USDC", "1", "--max-quote-age", "4294967296"],
        ["submit", "SOL", "USDC", "1", "--slippage", "0.5"],
        ["submit", "SOL", "USDC", "1", "--slippage", "1%", "--slippage-bps", "100"],
        ["submit", "SOL", "USDC", "1", "--count", "0"],
        ["quote", "SOL", "USDC", "1", "--slippage", "many"],
        ["watch"],
        ["watch", "ID", "--after", "-1"],
        ["orders", "--status", "lost"],
        ["orders", "--since", "yesterday"],
        ["orders", "--limit", "0"],
        ["vectors", "no-such-file"],
        ["fly"],
        ["migrate"],
    ],
)
def test_bad_usage_exits_2(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "arguments", [["submit", "SOL", "USDC", "1"], ["watch", "ID"], ["orders"], ["explain", "ID"], ["cancel", "ID"]]
)
def test_a_server_that_is_not_there_exits_3(cli: Cli, arguments: list[str]) -> None:
    target = f"127.0.0.1:{free_port()}"
    done = cli(*arguments, "--timeout", "0.2", target=target)
    assert done.exit_code == 3
    assert f"no order engine answers at {target}" in done.stderr


@pytest.mark.parametrize("command", ["papernet", "up"])
def test_a_bad_fault_plan_is_told_by_its_variable(cli: Cli, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("PAPERNET_FAULTS", "drop=2")
    done = cli(command)
    assert done.exit_code == 2
    assert done.stderr.startswith("PAPERNET_FAULTS: ")


def test_a_bad_setting_is_told_by_its_variable(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_PORT", "many")
    done = cli("orders")
    assert done.exit_code == 2
    assert done.stderr.startswith("GRPC_PORT: ")


@pytest.mark.parametrize(
    ("url", "status"),
    [("postgresql://host:many/x", 2), (f"postgresql://u:hidden@127.0.0.1:{free_port()}/x", 3), ("mysql://host/x", 2)],
)
def test_migrate_says_what_is_wrong_with_the_database(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, url: str, status: int
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    done = cli("migrate")
    assert done.exit_code == status
    assert done.stderr.startswith("DATABASE_URL")
    assert "hidden" not in done.output


@pytest.mark.parametrize(
    ("loading", "unneeded"),
    [
        ("import order_engine.cli.app", ("grpc", "pydantic", "sqlalchemy", "redis", "solders", "asyncio")),
        ("import order_engine.cli.papernet", ("grpc", "sqlalchemy", "redis", "dramatiq", "order_engine.bootstrap")),
        ("import order_engine.cli.client", ("sqlalchemy", "redis", "solders", "order_engine.bootstrap")),
        ("import order_engine.bootstrap", ("uvicorn", "order_engine.papernet", "order_engine.cli")),
    ],
)
def test_a_command_imports_only_what_it_runs(loading: str, unneeded: tuple[str, ...]) -> None:
    code = f"{loading}\nimport sys\nprint([name for name in {unneeded!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_gateway_becomes_the_bridge_with_all_its_options() -> None:
    command = [sys.executable, "-m", "order_engine", "gateway", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "python -m gateway" in done.stdout
    assert "--grpc-target" in done.stdout
