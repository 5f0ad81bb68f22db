"""An engine of canned answers behind real gRPC, and the command line in front of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from order_engine.cli.app import app
from tests.unit.cli.canned_engine import CannedEngine

Cli = Callable[..., Result]


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No .env, no variables of the person who runs the tests, and wide enough that nothing breaks."""
    for name in ("DATABASE_URL", "REDIS_URL", "SOLANA_RPC_URL", "GRPC_TARGET", "WALLET_PATH", "LIVE_TRADING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERMINAL_WIDTH", "200")


@pytest.fixture
def engine() -> Iterator[CannedEngine]:
    with CannedEngine() as running:
        yield running


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Cli:
    runner = CliRunner()

    def run(*arguments: str, target: str = "") -> Result:
        if target:
            monkeypatch.setenv("GRPC_TARGET", target)
        return runner.invoke(app, list(arguments))

    return run
