"""One engine for the tests that leave it whole; those that break it start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.live import LiveEngine, live_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveEngine]:
    with live_engine(tmp_path_factory.mktemp("engine") / "state") as running:
        yield running


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"
