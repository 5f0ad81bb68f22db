"""A metrics port in use stops a process that was told to have it, and nothing else."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from order_engine.adapters.solana.wallet import load_or_create_keypair

NOWHERE = {
    "DATABASE_URL": "postgresql://127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1",
    "SOLANA_RPC_URL": "http://127.0.0.1:1",
    "GRPC_PORT": "0",
    "PAPERNET_PORT": "0",
    "LOG_FORMAT": "json",
}


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def start(command: str, state_dir: Path, **environment: str) -> asyncio.subprocess.Process:
    load_or_create_keypair(state_dir / "wallet.json")
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "order_engine",
        command,
        env={**os.environ, **NOWHERE, "STATE_DIR": str(state_dir), **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("command", ["api", "worker", "papernet"])
async def test_a_process_told_to_have_the_port_says_so_and_fails(command: str, tmp_path: Path, taken: int) -> None:
    process = await start(command, tmp_path, METRICS_PORT=str(taken), METRICS_REQUIRED="true")
    _, errors = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 1
    assert f"METRICS_PORT: cannot listen on 127.0.0.1:{taken}" in errors.decode()
    assert "Traceback" not in errors.decode()


@pytest.mark.parametrize("command", ["api", "worker", "papernet"])
async def test_a_process_that_need_not_have_it_warns_and_goes_on(command: str, tmp_path: Path, taken: int) -> None:
    process = await start(command, tmp_path, METRICS_PORT=str(taken), METRICS_REQUIRED="false")
    assert process.stderr is not None
    try:
        async with asyncio.timeout(40):
            while b"metrics_not_served" not in (line := await process.stderr.readline()):
                assert line, "the process ended"
        assert process.returncode is None
    finally:
        process.kill()
        await process.communicate()
