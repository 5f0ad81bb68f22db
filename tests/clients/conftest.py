"""One engine for all clients, on a chain that takes its time: orders are on their way for seconds, so streams break."""

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest

from tests.clients.programs import ROOT
from tests.e2e.live import LiveEngine, live_engine

LISTED_HOST: Final = "pages.test"
_SLOTS_TO_LAND: Final = "10"
_SLOW_CHAIN: Final = {
    "PAPERNET_SLOT_MS": "400",
    "PAPERNET_LAND_AFTER_SLOTS_MIN": _SLOTS_TO_LAND,
    "PAPERNET_LAND_AFTER_SLOTS_MAX": _SLOTS_TO_LAND,
}


@pytest.fixture(scope="session")
def pages_port() -> Iterator[int]:
    """Serve the browser example as any static server would; return the port."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(ROOT / "examples" / "browser"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory, pages_port: int) -> Iterator[LiveEngine]:
    state_dir: Path = tmp_path_factory.mktemp("clients") / "state"
    listed = {"ALLOWED_ORIGINS": f"http://{LISTED_HOST}:{pages_port}"}
    with live_engine(state_dir, **_SLOW_CHAIN, **listed) as running:
        yield running
