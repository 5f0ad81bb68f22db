"""The command line against a running engine, as a person or a script uses it."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from order_engine.embedded.listening import free_port
from tests.e2e.live import LiveEngine, live_engine


def order_engine(engine: LiveEngine, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "order_engine", *arguments],
        env={**engine.environment, **variables},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def submitted(engine: LiveEngine, *arguments: str) -> str:
    done = order_engine(engine, "submit", "SOL", "USDC", "0.1", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["orderId"])


def test_submit_and_watch_shows_an_order_to_its_end(engine: LiveEngine) -> None:
    done = order_engine(engine, "submit", "SOL", "USDC", "0.1", "--slippage", "5%", "--watch")
    assert done.returncode == 0, done.stdout + done.stderr
    words = done.stdout.split()
    for word in (
        "pending",
        "routing",
        "building",
        "submitted",
        "confirmed",
        "raydium_cpmm",
        "meteora_damm_v2",
        "chosen",
    ):
        assert word in words
    assert "accepted: 0.1 SOL to USDC" in done.stdout


def test_twenty_orders_are_watched_at_once(engine: LiveEngine) -> None:
    done = order_engine(
        engine, "submit", "SOL", "USDC", "0.01", "--slippage", "5%", "--count", "20", "--watch", "--json"
    )
    assert done.returncode == 0, done.stderr
    updates = [json.loads(line) for line in done.stdout.splitlines()]
    ended = {one["orderId"] for one in updates if one["status"] == "ORDER_STATUS_CONFIRMED"}
    assert len(ended) == 20


def test_an_order_that_fails_exits_1_and_says_why(engine: LiveEngine) -> None:
    done = order_engine(engine, "submit", "SOL", "USDC", "999999", "--watch")
    assert done.returncode == 1
    assert "INSUFFICIENT_FUNDS" in done.stdout


def test_the_same_request_id_is_the_same_order(engine: LiveEngine) -> None:
    first = submitted(engine, "--request-id", "cli-once")
    assert submitted(engine, "--request-id", "cli-once") == first
    other = order_engine(engine, "submit", "SOL", "USDC", "0.2", "--request-id", "cli-once")
    assert other.returncode == 1
    assert other.stderr.startswith("already exists: ")


def test_an_ended_order_can_be_watched_explained_and_no_longer_cancelled(engine: LiveEngine) -> None:
    order_id = submitted(engine, "--slippage", "5%")
    watched = order_engine(engine, "watch", order_id, "--json")
    updates = [json.loads(line) for line in watched.stdout.splitlines()]
    assert [int(one["sequence"]) for one in updates] == list(range(1, len(updates) + 1))
    rest = order_engine(engine, "watch", order_id, "--after", "2", "--json")
    assert [json.loads(line) for line in rest.stdout.splitlines()] == updates[2:]
    explained = order_engine(engine, "explain", order_id)
    assert explained.returncode == 0
    for part in ("Attempt 1 of 3", "✓", "Timeline", "confirmed", updates[-1]["fill"]["signature"]):
        assert part in explained.stdout
    cancelled = order_engine(engine, "cancel", order_id)
    assert cancelled.returncode == 1
    assert "had already ended: confirmed" in cancelled.stdout


def test_a_quote_compares_the_venues_and_buys_nothing(engine: LiveEngine) -> None:
    done = order_engine(engine, "quote", "SOL", "USDC", "1", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert {one["route"]["legs"][0]["venue"] for one in answer["candidates"]} >= {"raydium_cpmm", "meteora_damm_v2"}
    assert answer["route"]["amountOut"] == answer["candidates"][0]["route"]["amountOut"]
    assert "1 SOL buys" in order_engine(engine, "quote", "SOL", "USDC", "1").stdout


def test_orders_finds_an_order_by_its_mark(engine: LiveEngine) -> None:
    order_id = submitted(engine, "--client-order-id", "cli-mark")
    submitted(engine)
    for filters in (
        ["--client-order-id", "cli-mark"],
        ["--client-order-id", "cli-mark", "--from", "SOL", "--since", "1h"],
    ):
        found = json.loads(order_engine(engine, "orders", *filters, "--json").stdout)
        assert [one["orderId"] for one in found["orders"]] == [order_id]
    assert order_id in order_engine(engine, "orders", "--limit", "500").stdout
    assert order_engine(engine, "orders", "--until", "30d").stdout == "no orders\n"


def test_every_bad_field_is_named_on_its_own_line(engine: LiveEngine) -> None:
    done = order_engine(
        engine, "submit", "NOPE", "ALSO", "0", "--base-units", "--slippage-bps", "5001", "--request-id", "bad id"
    )
    assert done.returncode == 2
    fields = {line.partition(":")[0] for line in done.stderr.splitlines()}
    assert fields == {"request_id", "token_in", "token_out", "amount_in", "slippage_bps"}
    unknown = order_engine(engine, "watch", "00000000-0000-0000-0000-000000000000")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("not found: ")


def test_nobody_there_exits_3(engine: LiveEngine) -> None:
    for command in (["quote", "SOL", "USDC", "1"], ["watch", "ID"], ["cancel", "ID"]):
        done = order_engine(engine, *command, "--timeout", "0.3", GRPC_TARGET=f"127.0.0.1:{free_port()}")
        assert done.returncode == 3
        assert "no order engine answers" in done.stderr


def test_the_doctor_finds_a_running_engine_healthy(engine: LiveEngine) -> None:
    done = order_engine(engine, "doctor", "--json")
    checks = json.loads(done.stdout)["checks"]
    assert done.returncode == 0, [check for check in checks if check["verdict"] == "bad"]
    assert {check["name"] for check in checks if check["verdict"] == "good"} >= {
        "database", "durability", "schema", "clock", "redis", "redis memory", "redis durability",
        "chain", "chain kind", "wallet", "wallet balance", "gRPC", "HTTP bridge",
    }  # fmt: skip
    urls = {"DATABASE_URL": engine.database_url, "REDIS_URL": engine.redis_url, "SOLANA_RPC_URL": engine.rpc_url}
    named = order_engine(engine, "doctor", "--target", f"127.0.0.1:{engine.grpc_port}", **urls)
    assert named.returncode == 0, named.stdout


def test_the_doctor_finds_what_is_wrong_with_the_servers(engine: LiveEngine, tmp_path: Path) -> None:
    empty = engine.database_url.rpartition("/")[0] + "/postgres"
    wallet = tmp_path / "empty-wallet.json"
    made = order_engine(engine, "wallet", "--create", WALLET_PATH=str(wallet))
    done = order_engine(engine, "doctor", DATABASE_URL=empty, WALLET_PATH=str(wallet), SOLANA_RPC_URL=engine.rpc_url)
    assert done.returncode == 1
    assert "order-engine migrate" in done.stdout
    assert f"--fund {made.stdout.strip()}" in done.stdout
    assert "2 checks did not hold" in done.stdout


def test_a_cancel_after_sending_says_that_it_is_undecided(slow_engine: LiveEngine) -> None:
    order_id = submitted(slow_engine)
    with watching(slow_engine, order_id) as lines:
        read_until(lines, "submitted")
        answer = json.loads(order_engine(slow_engine, "cancel", order_id, "--json").stdout)
        assert answer["verdict"] == "CANCEL_VERDICT_PENDING"
        again = order_engine(slow_engine, "cancel", order_id)
        assert again.returncode == 0
        assert f"by block height {answer['decidedByBlockHeight']}" in again.stdout


def test_a_watch_survives_the_death_of_the_api(slow_engine: LiveEngine) -> None:
    with watching(slow_engine, submitted(slow_engine, "--slippage", "5%")) as lines:
        read_until(lines, "submitted")
        slow_engine.kill("order_engine", "api")
        rest = list(lines)
    assert "connection lost, resuming after update 4" in rest[0]
    assert "confirmed" in rest[-1]


def test_control_c_ends_a_live_view_quietly(slow_engine: LiveEngine) -> None:
    terminal, inside = pty.openpty()
    order_id = submitted(slow_engine)
    command = [sys.executable, "-m", "order_engine", "watch", order_id]
    process = subprocess.Popen(
        command, env={**slow_engine.environment, "TERM": "xterm"}, stdout=inside, stderr=inside, stdin=inside
    )
    os.close(inside)
    shown = ""
    while "waiting for the chain" not in shown:
        shown += os.read(terminal, 4096).decode(errors="replace")
    process.send_signal(signal.SIGINT)
    try:
        while piece := os.read(terminal, 4096):
            shown += piece.decode(errors="replace")
    except OSError:  # Linux: the other side is closed
        pass
    assert process.wait(10) == 130
    assert "Traceback" not in shown
    assert "Error" not in shown
    os.close(terminal)


@pytest.fixture(scope="module")
def slow_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveEngine]:
    """Transactions take five seconds to land: time to do something in between."""
    slow = {"PAPERNET_LAND_AFTER_SLOTS_MIN": "100", "PAPERNET_LAND_AFTER_SLOTS_MAX": "100", "DRAIN_SECONDS": "1"}
    with live_engine(tmp_path_factory.mktemp("slow") / "state", **slow) as running:
        yield running


@contextmanager
def watching(engine: LiveEngine, order_id: str) -> Iterator[Iterator[str]]:
    """Watch the order in a process of its own; its lines, as they come."""
    command = [sys.executable, "-m", "order_engine", "watch", order_id]
    with subprocess.Popen(command, env=engine.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield iter(process.stdout)
        finally:
            process.kill()


def read_until(lines: Iterator[str], word: str) -> None:
    assert any(word in line for line in lines), f"{word} was never seen"
