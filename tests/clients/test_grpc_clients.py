"""The gRPC examples: Python's two kinds of stub and Node's, whole, broken in the middle, and refused."""

import re
import shutil
import sys
from pathlib import Path
from typing import Final

import grpc
import pytest

from order_engine.embedded.listening import free_port
from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc
from tests.clients.programs import ROOT, Break, Ended, install, run
from tests.e2e.live import LiveEngine

LIFE: Final = ["pending", "routing", "building", "submitted", "confirmed"]


class Client:
    """One example: how it is started."""

    def __init__(self, name: str, *command: str) -> None:
        self.name = name
        self._command = command

    def command(self, target: str, amount: str = "0.1", pay: str = "SOL", buy: str = "USDC") -> list[str]:
        if self.name == "node":
            install(ROOT / "examples" / "node-grpc")
            return [*self._command, target, amount, pay, buy]
        return [*self._command, "--target", target, "--amount", amount, "--pay", pay, "--buy", buy]


CLIENTS: Final = (
    Client("python", sys.executable, "examples/python/submit_and_watch.py"),
    Client("python-async", sys.executable, "examples/python/submit_and_watch_async.py"),
    Client("node", "node", "examples/node-grpc/submit_and_watch.mjs"),
)


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def client(request: pytest.FixtureRequest) -> Client:
    chosen = request.param
    assert isinstance(chosen, Client)
    return chosen


def target_of(engine: LiveEngine) -> str:
    return f"127.0.0.1:{engine.grpc_port}"


def told_life(ended: Ended) -> list[tuple[int, str]]:
    """Return what was printed as (sequence, status)."""
    told = (re.search(r"\s(\d+)  ([a-z]+)\b", line) for line in ended.lines)
    return [(int(found[1]), found[2]) for found in told if found]


def order_count(engine: LiveEngine) -> int:
    with grpc.insecure_channel(target_of(engine)) as channel:
        request = pb.ListOrdersRequest(page_size=1000)
        return len(rpc.OrderServiceStub(channel).ListOrders(request, wait_for_ready=True, timeout=30).orders)


def test_a_client_executes_an_order_and_tells_its_life(engine: LiveEngine, client: Client) -> None:
    ended = run(client.command(target_of(engine)))
    assert ended.status == 0, ended.output
    assert told_life(ended) == list(enumerate(LIFE, start=1))
    assert "0.100000000 SOL for " in ended.output


def test_a_client_names_the_pools_of_each_hop(engine: LiveEngine, client: Client) -> None:
    ended = run(client.command(target_of(engine), amount="500", pay="USDC", buy="BONK"))
    assert ended.status == 0, ended.output
    told = next(line for line in ended.lines if "building" in line)
    hops = re.sub(r".*building +", "", told).split(", then ")
    assert len(hops) in (2, 3), told
    assert all(re.match(r"[a-z0-9_]+( \+ [a-z0-9_]+)*", hop) for hop in hops), told


def test_an_exact_amount_out_is_received(engine: LiveEngine) -> None:
    command = [sys.executable, "examples/python/submit_and_watch.py", "--target", target_of(engine), "--receive", "15"]
    ended = run(command)
    assert ended.status == 0, ended.output
    assert " SOL at most, 15.000000 USDC at least" in ended.output
    assert " for 15.000000 USDC, fee " in ended.output


def test_a_client_resumes_when_the_engine_dies_under_its_stream(engine: LiveEngine, client: Client) -> None:
    kill = Break(after="submitted", how=lambda: engine.kill("order_engine", "api"))
    ended = run(client.command(target_of(engine)), breaking=kill)
    assert ended.status == 0, ended.output
    assert "resuming after 4" in ended.output
    assert told_life(ended) == list(enumerate(LIFE, start=1))


def test_a_client_that_starts_before_the_engine_is_back_submits_one_order(engine: LiveEngine, client: Client) -> None:
    command = client.command(target_of(engine))
    before = order_count(engine)
    engine.kill("order_engine", "api")
    ended = run(command)
    assert ended.status == 0, ended.output
    assert "asking again" in ended.output
    assert order_count(engine) == before + 1


def test_a_client_says_why_it_was_refused(engine: LiveEngine, client: Client) -> None:
    ended = run(client.command(target_of(engine), amount="0"))
    assert ended.status == 1
    assert ended.lines[-1] == "INVALID_ARGUMENT: amount_in: must be greater than 0"


def test_a_python_client_needs_only_the_protos_folder(engine: LiveEngine, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    shutil.copytree(ROOT / "examples" / "python", tmp_path / "bot")
    ended = run([sys.executable, "bot/submit_and_watch.py", "--target", target_of(engine)], cwd=tmp_path)
    assert ended.status == 0, ended.output
    assert "confirmed" in ended.output


def test_several_orders_are_watched_at_once(engine: LiveEngine) -> None:
    command = [
        sys.executable,
        "examples/python/submit_and_watch_async.py",
        "--target",
        target_of(engine),
        "--count",
        "3",
    ]
    ended = run(command)
    assert ended.status == 0, ended.output
    assert ended.lines[-1] == "3 of 3 executed"


def test_an_engine_that_stays_away_is_given_up() -> None:
    impatient = "import sys; sys.path.insert(0, 'examples/python'); import submit_and_watch as bot"
    code = f"{impatient}; bot.PATIENCE_SECONDS = 1.0; sys.exit(bot.main())"
    ended = run([sys.executable, "-c", code, "--target", f"127.0.0.1:{free_port()}"])
    assert ended.status == 3, ended.output
    assert "UNAVAILABLE" in ended.lines[-1]
