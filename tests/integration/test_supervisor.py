"""The supervisor on real processes and servers."""

import asyncio
import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import redis

from order_engine.embedded.child import ChildSpec, Ready, http_ready, tcp_ready
from order_engine.embedded.errors import AlreadyRunning, NotReady, PortInUse, StartError, StartInterrupted
from order_engine.embedded.listening import LOOPBACK, Listen, free_port
from order_engine.embedded.servers import EmbeddedServers
from order_engine.embedded.supervisor import Supervisor

AT_MOST = 20
LISTENING = "import socket; s = socket.create_server(('127.0.0.1', {port})); input_ = s.accept\nwhile True: input_()"
SLEEPING = "import time; time.sleep(600)"


class Events:
    """Records what the supervisor tells, and lets a test wait for it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self._changed = asyncio.Event()

    def __call__(self, name: str, kind: str, detail: str) -> None:
        self.seen.append((name, kind))
        self._changed.set()

    async def until(self, name: str, kind: str, times: int = 1) -> None:
        async with asyncio.timeout(AT_MOST):
            while self.seen.count((name, kind)) < times:
                self._changed.clear()
                await self._changed.wait()


def python(name: str, code: str, *, after: tuple[str, ...] = (), ready: Ready | None = None) -> ChildSpec:
    return ChildSpec(name=name, command=[sys.executable, "-S", "-c", code], after=after, ready=ready)


def running_pid(supervisor: Supervisor, name: str) -> int:
    pid = supervisor.pid(name)
    assert pid is not None
    return pid


async def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    port, events = free_port(), Events()
    child = python("api", LISTENING.format(port=port), ready=tcp_ready(LOOPBACK, port))
    supervisor = Supervisor([child], state_dir=tmp_path, on_event=events)
    await supervisor.start()
    try:
        first = running_pid(supervisor, "api")
        os.kill(first, signal.SIGKILL)
        await events.until("api", "restarted")
        assert running_pid(supervisor, "api") != first
        assert await tcp_ready(LOOPBACK, port)()
    finally:
        await supervisor.stop()
    assert [kind for _, kind in events.seen] == [
        *("started", "ready", "died", "started", "ready", "restarted", "stopped"),
    ]


async def test_a_child_that_keeps_dying_is_started_again_later_each_time(tmp_path: Path) -> None:
    details: list[str] = []

    def note(_name: str, kind: str, detail: str) -> None:
        if kind == "died":
            details.append(detail)
        if len(details) == 3:
            supervisor.request_stop()

    doom = tmp_path / "doom"
    code = f"import os, time\nwhile not os.path.exists({str(doom)!r}): time.sleep(0.01)\nraise SystemExit(7)"
    supervisor = Supervisor([python("worker", code)], state_dir=tmp_path, on_event=note)
    await supervisor.start()
    doom.touch()
    async with asyncio.timeout(AT_MOST):
        await supervisor.run_until_stopped()
    assert details[0] == "ended with exit code 7, starting again in 0.2 s"
    assert [detail.rpartition(", ")[2] for detail in details[1:]] == [f"starting again in {n} s" for n in (0.4, 0.8)]


async def test_a_child_that_never_gets_ready_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    code = f"print('looking for my port')\n{SLEEPING}"
    silent = replace(python("api", code, ready=tcp_ready(LOOPBACK, free_port())), ready_within=0.5)
    other = python("worker", SLEEPING)
    events = Events()
    supervisor = Supervisor([other, silent], state_dir=tmp_path, on_event=events)
    with pytest.raises(NotReady, match=r"api is not ready after 0\.5 s.*api\.log.*\nlooking for my port"):
        await supervisor.start()
    assert events.seen[-1] == ("worker", "stopped")
    assert supervisor.pid("api") is None
    assert supervisor.pid("worker") is None


async def test_a_child_that_ends_while_starting_is_an_error_at_once(tmp_path: Path) -> None:
    broken = python("api", "raise SystemExit('no such wallet')", ready=tcp_ready(LOOPBACK, free_port()))
    with pytest.raises(NotReady, match=r"api ended with exit code 1.*\nno such wallet"):
        await Supervisor([broken], state_dir=tmp_path).start()


async def test_a_command_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot run /no/such/program: no such program"):
        await Supervisor([ChildSpec(name="api", command=["/no/such/program"])], state_dir=tmp_path).start()


async def test_children_start_after_and_stop_before_what_they_need(tmp_path: Path) -> None:
    events = Events()
    supervisor = Supervisor(
        [
            python("gateway", SLEEPING, after=("api",)),
            python("api", SLEEPING, after=("migrate", "postgres")),
            replace(python("migrate", "print('done')", after=("postgres",)), once=True),
            python("postgres", SLEEPING),
        ],
        state_dir=tmp_path,
        on_event=events,
    )
    await supervisor.start()
    await supervisor.stop()
    assert events.seen == [
        *((name, kind) for name in ("postgres", "migrate", "api", "gateway") for kind in ("started", "ready")),
        *((name, "stopped") for name in ("gateway", "api", "postgres")),
    ]


async def test_a_failed_step_starts_nothing_that_comes_after_it(tmp_path: Path) -> None:
    events = Events()
    supervisor = Supervisor(
        [
            replace(python("migrate", "raise SystemExit('no such column')"), once=True),
            python("api", SLEEPING, after=("migrate",)),
        ],
        state_dir=tmp_path,
        on_event=events,
    )
    with pytest.raises(NotReady, match=r"migrate ended with exit code 1.*\nno such column"):
        await supervisor.start()
    assert ("api", "started") not in events.seen


@pytest.mark.parametrize(
    "after", [{"a": ("b",), "b": ("a",)}, {"a": ("c",), "b": ()}], ids=["in a circle", "after nobody"]
)
def test_impossible_dependencies_are_refused(tmp_path: Path, after: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(ValueError, match=r"cycle|unknown c"):
        Supervisor([python(name, SLEEPING, after=names) for name, names in after.items()], state_dir=tmp_path)


async def test_a_taken_port_is_an_error_before_anything_starts(tmp_path: Path) -> None:
    events = Events()
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        listens = (Listen(host=LOOPBACK, port=port, setting="GRPC_PORT"),)
        api = replace(python("api", SLEEPING), listens=listens)
        supervisor = Supervisor([python("worker", SLEEPING), api], state_dir=tmp_path, on_event=events)
        with pytest.raises(PortInUse, match=f"port {port} on 127.0.0.1 is already in use.*GRPC_PORT"):
            await supervisor.start()
    assert events.seen == []


async def test_a_stop_during_the_start_stops_what_has_started(tmp_path: Path) -> None:
    events = Events()
    supervisor = Supervisor(
        [python("api", SLEEPING, ready=tcp_ready(LOOPBACK, free_port()))], state_dir=tmp_path, on_event=events
    )
    starting = asyncio.create_task(supervisor.start())
    await events.until("api", "started")
    supervisor.request_stop()
    with pytest.raises(StartInterrupted):
        await starting
    assert events.seen == [("api", "started"), ("api", "stopped")]


async def test_http_ready_is_a_200_and_nothing_else() -> None:
    statuses = iter(["503 Service Unavailable", "200 OK"])

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readline()) == b"GET /health HTTP/1.1\r\n"
        writer.write(f"HTTP/1.1 {next(statuses)}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    port = free_port()
    ready = http_ready(f"http://{LOOPBACK}:{port}/health")
    assert not await ready()
    async with await asyncio.start_server(answer, LOOPBACK, port):
        assert not await ready()
        assert await ready()


async def test_killed_servers_come_back_on_the_same_port_with_their_data(tmp_path: Path) -> None:
    servers, events = EmbeddedServers(tmp_path), Events()
    supervisor = Supervisor(servers.children(), state_dir=tmp_path, on_event=events)
    await supervisor.start()
    try:
        with psycopg.connect(servers.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
        with redis.Redis.from_url(servers.redis_url) as client:
            client.set("kept", "42")
        for name in ("postgres", "redis"):
            os.kill(running_pid(supervisor, name), signal.SIGKILL)
        await events.until("postgres", "restarted")
        await events.until("redis", "restarted")
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT value FROM kept").fetchone() == (42,)
        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.get("kept") == b"42"
    finally:
        await supervisor.stop()


async def test_a_state_directory_serves_one_run_at_a_time(tmp_path: Path) -> None:
    first = Supervisor([python("worker", SLEEPING)], state_dir=tmp_path)
    await first.start()
    try:
        with pytest.raises(AlreadyRunning, match=f"already running from {tmp_path}"):
            await Supervisor([python("worker", SLEEPING)], state_dir=tmp_path).start()
        assert first.pid("worker") is not None
    finally:
        await first.stop()
    second = Supervisor([python("worker", SLEEPING)], state_dir=tmp_path)
    await second.start()
    await second.stop()
