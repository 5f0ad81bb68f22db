"""The classic HTTP API with JavaScript clients that nobody here wrote: Node's fetch and the npm package ws."""

from tests.clients.programs import ROOT, need, run
from tests.e2e.live import LiveEngine


def test_node_fetch_and_ws_execute_and_watch_an_order(engine: LiveEngine) -> None:
    need("node", "npm")
    done = run(["/bin/sh", str(ROOT / "scripts" / "classic_clients.sh"), engine.http])
    assert done.status == 0, done.output
    assert done.lines[-1] == "every promise of the classic API held"
