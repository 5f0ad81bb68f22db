"""`python -m gateway` as a user starts and stops it."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from tests.gateway.fake_engine import FakeEngine
from tests.gateway.lives import PLACED

ROOT = Path(__file__).parents[2]


async def start(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        cwd=ROOT,
        env=inherited | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def process(engine: FakeEngine, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await start("--port", str(port), GRPC_PORT=str(engine.port), DRAIN_SECONDS="2")
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while b"listening" not in (line := await process.stderr.readline()):
            assert line, "the bridge ended while starting"
    yield process
    if process.returncode is None:
        process.kill()
        await process.communicate()


async def test_sigterm_closes_streams_with_1012_and_exits_cleanly(
    process: asyncio.subprocess.Process, engine: FakeEngine, port: int
) -> None:
    order_id = engine.place([PLACED]).order.order_id
    async with httpx.AsyncClient(trust_env=False) as http:
        health = await http.get(f"http://127.0.0.1:{port}/api/health")
        assert health.json()["status"] == "ok"
    async with connect(f"ws://127.0.0.1:{port}/api/orders/{order_id}/stream", proxy=None) as watcher:
        assert json.loads(await watcher.recv())["status"] == "pending"
        process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosedError):
            await watcher.recv()
        assert watcher.close_code == 1012
    _, errors = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
    assert b"Traceback" not in errors


async def test_a_port_that_is_taken_is_said_and_fails(
    process: asyncio.subprocess.Process, engine: FakeEngine, port: int
) -> None:
    second = await start("--port", str(port), GRPC_PORT=str(engine.port))
    _, errors = await asyncio.wait_for(second.communicate(), 20)
    assert second.returncode not in (0, None)
    assert b"address already in use" in errors
    assert b"Traceback" not in errors


async def test_a_bad_setting_is_named() -> None:
    process = await start(PORT="high")
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert errors.startswith(b"PORT:")


async def test_help_names_the_options() -> None:
    process = await start("--help")
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    assert all(option in out for option in (b"--host", b"--port", b"--grpc-target"))
