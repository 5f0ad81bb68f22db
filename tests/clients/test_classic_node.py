"""The classic HTTP API with JavaScript clients that nobody here wrote: Node's fetch and the npm package ws."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.live import LiveEngine, live_engine

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveEngine]:
    with live_engine(tmp_path_factory.mktemp("clients") / "state") as running:
        yield running


def test_node_fetch_and_ws_execute_and_watch_an_order(engine: LiveEngine) -> None:
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / "classic_clients.sh"), engine.http],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
