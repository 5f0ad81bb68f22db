"""The lines that people paste from the README, from docs/clients.md and from what `up` prints: each is run as it is."""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from order_engine.embedded.listening import free_port
from protos.order_engine.v1 import order_service_pb2 as pb
from tests.clients.programs import ROOT, Ended, need, run
from tests.e2e.live import LiveEngine

# What a line does: a word that tells the line, and what its output must hold.
PROMISES: Final = (
    ("OrderService/SubmitOrder", '"orderId"'),
    ("OrderService/StreamOrderStatus", "ORDER_STATUS_CONFIRMED"),
    ("/api/orders/execute", '"Order created successfully"'),
    ("npx wscat", '"status":"confirmed"'),
    (":explain", '"attempts":[{'),
    ("/v1/quote", '"netAmountOut"'),
    ("/stream", "ORDER_STATUS_CONFIRMED"),
    ("curl -s http://127.0.0.1:3000/v1/orders -H", '"orderId"'),
    ("npm install", ""),
    ("examples/python/submit_and_watch_async.py", "3 of 3 executed"),
    ("examples/python/submit_and_watch.py", "confirmed"),
    ("examples/node-grpc/", "confirmed"),
    ("examples/curl/", "ORDER_STATUS_CONFIRMED"),
    ("scripts/classic_clients.sh", "every promise of the classic API held"),
)


def fenced(markdown: str) -> list[str]:
    """Return the commands of the `sh` blocks, continued lines joined, comments left out."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", markdown, flags=re.DOTALL | re.MULTILINE)
    joined = "".join(blocks).replace("\\\n", " ")
    return [line.split("  #")[0].strip() for line in joined.splitlines() if line and not line.startswith("#")]


def section(path: Path, heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert found, f"{path.name} has no section {heading!r}"
    return found[1]


def run_all(engine: LiveEngine, lines: Sequence[str]) -> None:
    """Run the lines one after the other. ID stands for the order of the latest line that made one."""
    order_id = ""
    for line in lines:
        done = run_one(engine, line, order_id)
        made = re.findall(r'"orderId": ?"([0-9a-f-]{36})"', done.output)
        order_id = made[-1] if made else order_id


def run_one(engine: LiveEngine, line: str, order_id: str) -> Ended:
    promised = next((output for word, output in PROMISES if word in line), None)
    assert promised is not None, f"nothing says what this line should do: {line}"
    there = line.replace("127.0.0.1:50051", f"127.0.0.1:{engine.grpc_port}").replace(
        "127.0.0.1:3000", f"127.0.0.1:{engine.http_port}"
    )
    done = run(["/bin/sh", "-c", re.sub(r"\b(ORDER_)?ID\b", order_id, there)])
    assert done.status == 0, f"{line}\n{done.output}"
    assert promised in done.output, f"{line}\n{done.output}"
    return done


def test_the_quick_start_of_the_readme(engine: LiveEngine) -> None:
    need("curl", "npx", "make")
    lines = fenced(section(ROOT / "README.md", "Quick start"))
    makes = [line for line in lines if line.startswith("make ")]
    rest = [line for line in lines if line not in makes]
    assert makes == ["make run", "make test"]
    assert len(rest) >= 3
    for line in makes:
        assert run([*line.split(), "--dry-run"]).status == 0, line
    run_all(engine, rest)


def test_the_lines_that_up_prints(engine: LiveEngine) -> None:
    need("curl", "npx")
    printed = (engine.state_dir / "up.log").read_text().split("\ntry\n")[1]
    lines = [line.strip() for line in printed.splitlines() if line.startswith("  ")]
    [grpcurl] = [line for line in lines if line.startswith("grpcurl")]
    lines.remove(grpcurl)
    assert len(lines) >= 4
    run_all(engine, lines)
    check_grpcurl(engine, grpcurl)


def check_grpcurl(engine: LiveEngine, line: str) -> None:
    """Check it word by word: grpcurl itself comes from no package registry."""
    name, plaintext, data_flag, data, target, method = shlex.split(line)
    assert (name, plaintext, data_flag) == ("grpcurl", "-plaintext", "-d")
    assert target == f"127.0.0.1:{engine.grpc_port}"
    service, rpc = method.split("/")
    found = pb.DESCRIPTOR.services_by_name[service.removeprefix("order_engine.v1.")].methods_by_name[rpc]
    assert set(json.loads(data)) <= {field.name for field in found.input_type.fields}


def test_the_lines_of_the_clients_page(engine: LiveEngine) -> None:
    need("curl", "npm", "node")
    lines = fenced((ROOT / "docs" / "clients.md").read_text())
    [server] = [line for line in lines if "http.server" in line]
    lines.remove(server)
    assert len(lines) >= 10
    run_all(engine, lines)


def test_the_static_server_of_the_clients_page_serves_the_page() -> None:
    need("curl", "python3")
    [line] = [line for line in fenced((ROOT / "docs" / "clients.md").read_text()) if "http.server" in line]
    port = free_port()
    serve = f"{line.replace('8080', str(port))} >/dev/null 2>&1 & trap 'kill $!' EXIT; "
    fetch = f"curl -s --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:{port}/"
    done = run(["/bin/sh", "-c", serve + fetch])
    assert done.status == 0, done.output
    assert "<title>Order engine" in done.output
