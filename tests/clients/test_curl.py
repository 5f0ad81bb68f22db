"""The shell examples: curl alone, and buf curl."""

from tests.clients.programs import Break, need, run
from tests.e2e.live import LiveEngine

STATUSES = ["PENDING", "ROUTING", "BUILDING", "SUBMITTED", "CONFIRMED"]


def streamed(lines: list[str], key: str) -> list[str]:
    """Return the statuses of the stream frames that start with `key`."""
    return [status for line in lines if line.startswith(key) for status in STATUSES if f"ORDER_STATUS_{status}" in line]


def test_curl_executes_and_follows_orders_on_both_apis(engine: LiveEngine) -> None:
    need("curl")
    ended = run(["/bin/sh", "examples/curl/order.sh", engine.http])
    assert ended.status == 0, ended.output
    assert streamed(list(ended.lines), '{"result"') == STATUSES
    assert streamed(list(ended.lines), 'data: {"result"') == STATUSES


def test_curl_resumes_when_the_bridge_dies(engine: LiveEngine) -> None:
    need("curl")
    kill = Break(after="ORDER_STATUS_SUBMITTED", how=lambda: engine.kill("-m gateway"))
    ended = run(["/bin/sh", "examples/curl/order.sh", engine.http], breaking=kill)
    assert ended.status == 0, ended.output
    assert "curl: (" in ended.output, "the connection was not broken"
    assert streamed(list(ended.lines), '{"result"') == STATUSES


def test_curl_shows_a_refusal(engine: LiveEngine) -> None:
    need("curl")
    ended = run(["/bin/sh", "-c", f"sed 's/0[.]1}}/0}}/' examples/curl/order.sh | sh -s {engine.http}"])
    assert ended.status == 1, ended.output
    assert '{"error":"Amount must be greater than 0"}' in ended.output


def test_buf_curl_quotes_submits_follows_and_resumes(engine: LiveEngine) -> None:
    ended = run(["/bin/sh", "examples/curl/order-grpc.sh", f"http://127.0.0.1:{engine.grpc_port}"])
    assert ended.status == 0, ended.output
    assert streamed(list(ended.lines), '  "status"') == [*STATUSES, *STATUSES[3:], "CONFIRMED"]
