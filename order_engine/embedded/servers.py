"""A real PostgreSQL and a real Valkey for one state directory: no installation, no container, loopback only."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from order_engine.embedded.child import ChildSpec
from order_engine.embedded.errors import StartError
from order_engine.embedded.postgres import PostgresServer
from order_engine.embedded.server import EmbeddedServer
from order_engine.embedded.state import StateLock, server_password
from order_engine.embedded.valkey import ValkeyServer


class EmbeddedServers:
    """The servers that `postgres` and `redis` ask for, on ports chosen when this is made and kept until it is gone.

    As a context manager it locks the state directory and starts them, in the calling thread, which must outlive them.
    Otherwise hand `children()` to a Supervisor on the same state directory.
    Without `durable` nothing is synced to disk, and Valkey forgets all when it dies: for tests.
    """

    def __init__(self, state_dir: Path, *, durable: bool = True, postgres: bool = True, redis: bool = True) -> None:
        self._state_dir = state_dir.resolve()
        self._durable = durable
        self._lock = StateLock(self._state_dir)
        password = server_password(self._state_dir)
        self._postgres = PostgresServer(self._state_dir, password=password, durable=durable) if postgres else None
        self._redis = ValkeyServer(self._state_dir, password=password, durable=durable) if redis else None

    @property
    def postgres(self) -> PostgresServer:
        if self._postgres is None:
            raise StartError("this run has no embedded PostgreSQL")
        return self._postgres

    @property
    def redis(self) -> ValkeyServer:
        if self._redis is None:
            raise StartError("this run has no embedded Redis")
        return self._redis

    @property
    def database_url(self) -> str:
        return self.postgres.url

    @property
    def redis_url(self) -> str:
        return self.redis.url

    def children(self) -> Sequence[ChildSpec]:
        """Return them for a supervisor; their names are `postgres` and `redis`."""
        return [server.child() for server in self._all()]

    def start(self) -> None:
        """Lock the state directory and return when all serve requests.

        Raises:
            AlreadyRunning: another process has the directory.
            StartError: one did not start; none is left running.
        """
        self._lock.acquire()
        try:
            for server in self._all():
                server.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop them, give up the directory."""
        for server in self._all():
            server.stop()
        if not self._durable and self._postgres is not None:
            self._postgres.remove_home()
        self._lock.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _all(self) -> list[EmbeddedServer]:
        return [server for server in (self._postgres, self._redis) if server is not None]
