"""The real processes, as `up` starts them, with a link that can be hurt on every connection between them."""

import asyncio
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import psutil
from pydantic_settings import BaseSettings

from order_engine.adapters.postgres.migrate import migrate
from order_engine.cli.up import Stack, children, plan
from order_engine.embedded import supervised
from order_engine.embedded.child import ChildSpec
from order_engine.embedded.listening import free_port
from order_engine.embedded.supervised import EventKind
from order_engine.embedded.supervisor import Supervisor
from order_engine.settings import PapernetSettings, Settings
from tests.faults.proxy import Link

SLOT_MS: Final = 50
LEASE_SECONDS: Final = 6.0
START_SECONDS: Final = 3.0  # from a worker's start until it takes orders over, on a busy machine
TUNING: Final = {
    "PAPERNET_SLOT_MS": str(SLOT_MS),
    "PAPERNET_LAND_AFTER_SLOTS_MIN": "2",
    "PAPERNET_LAND_AFTER_SLOTS_MAX": "6",
    "PAPERNET_FAILURE_RATE": "0.02",
    "POLL_INTERVAL_MS": "100",
    "WORKERS": "3",
    "METRICS_PORT": "-1",
    "LOG_FORMAT": "json",
    "HOST": "127.0.0.1",
}
WIDE_LIMITS: Final = {"MAX_STARTS_PER_MINUTE": "300", "MAX_IN_FLIGHT": "40"}
DEFAULT_LIMITS: Final = {name: str(Settings.model_fields[name.lower()].default) for name in WIDE_LIMITS}
NOT_OURS: Final = ("DATABASE_URL", "REDIS_URL", "SOLANA_RPC_URL", "FAULT_POINTS", "WALLET_PATH", "LIVE_TRADING")
WORKERS: Final = ("worker-1", "worker-2", "worker-3")
RPC_LINKS: Final = ("worker-rpc", "worker-rpc-2")  # two endpoints on one chain
LINKS: Final = {  # name: the process that uses it, and the setting that leads it there
    "worker-postgres": ("worker", "DATABASE_URL"),
    "worker-redis": ("worker", "REDIS_URL"),
    **dict.fromkeys(RPC_LINKS, ("worker", "SOLANA_RPC_URL")),
    "api-postgres": ("api", "DATABASE_URL"),
    "api-redis": ("api", "REDIS_URL"),
    "gateway-api": ("gateway", "GRPC_TARGET"),
}
CLIENT_LINK: Final = "client-api"


S = TypeVar("S", bound=BaseSettings)


@dataclass(frozen=True, slots=True)
class Death:
    process: str
    why: str  # the fault that did it; "" when nobody asked for it
    detail: str
    at: float


@dataclass(slots=True)
class Away:
    """When a process was dead, suspended or only just starting."""

    process: str
    began: float
    ended: float = float("inf")


@dataclass(slots=True)
class Processes:
    state_dir: Path
    limits: dict[str, str] = field(default_factory=WIDE_LIMITS.copy)
    links: dict[str, Link] = field(default_factory=dict)
    deaths: list[Death] = field(default_factory=list)
    away: list[Away] = field(default_factory=list)
    points: dict[str, str] = field(default_factory=dict)  # armed in each process since its last start
    next_points: dict[str, str] = field(default_factory=dict)  # armed at its next start
    struck: Counter[str] = field(default_factory=Counter)
    _doomed: dict[str, str] = field(default_factory=dict)
    _environments: dict[str, dict[str, str]] = field(default_factory=dict)
    _supervisor: Supervisor | None = None
    _stack: Stack | None = None
    _stopping: bool = False
    _database_up: asyncio.Event = field(default_factory=asyncio.Event)
    _environment_before: dict[str, str] = field(default_factory=dict)

    @property
    def stack(self) -> Stack:
        assert self._stack is not None
        return self._stack

    async def start(self) -> None:
        self._environment_before = dict(os.environ)
        for name in NOT_OURS:
            os.environ.pop(name, None)
        ports = {name: str(free_port()) for name in ("GRPC_PORT", "PORT", "PAPERNET_PORT")}
        os.environ.update({**TUNING, **self.limits, **ports, "STATE_DIR": str(self.state_dir)})
        supervised.LONGEST_DELAY = 0.5  # faults come faster than in life
        self._stack = await asyncio.to_thread(plan, _settings(Settings), _settings(PapernetSettings))
        specs = [self._with_links(spec) for spec in children(self.stack)]
        self.links[CLIENT_LINK] = Link(CLIENT_LINK, int(ports["GRPC_PORT"]), port=free_port())
        for link in self.links.values():
            await link.open()
        self._supervisor = Supervisor(specs, state_dir=self.state_dir, on_event=self._on_event)
        await asyncio.gather(self._supervisor.start(), self._migrate())

    async def stop(self) -> None:
        self._stopping = True
        for name in self.names():
            self.resume(name)
        if self._supervisor is not None:
            await self._supervisor.stop()
        for link in self.links.values():
            await link.close()
        os.environ.clear()
        os.environ.update(self._environment_before)

    def names(self) -> list[str]:
        return [*WORKERS, "api", "gateway", "papernet", "redis", "postgres"]

    def pid(self, name: str) -> int | None:
        return self._supervisor.pid(name) if self._supervisor is not None else None

    def kill(self, name: str, why: str, number: signal.Signals = signal.SIGKILL) -> bool:
        """End the process; False when it does not run just now."""
        pid = self.pid(name)
        if pid is None:
            return False
        self._doomed[name] = why
        os.kill(pid, number)
        if number == signal.SIGQUIT:
            self.resume(name)
        return True

    def suspend(self, name: str) -> int | None:
        pid = self.pid(name)
        if pid is not None:
            os.kill(pid, signal.SIGSTOP)
            self.away.append(Away(name, time.time()))
        return pid

    def resume(self, name: str, pid: int | None = None) -> None:
        pid = pid or self.pid(name)
        if pid is not None and psutil.pid_exists(pid):
            os.kill(pid, signal.SIGCONT)
            self._is_back(name)

    def is_suspended(self, name: str) -> bool:
        pid = self.pid(name)
        try:
            return pid is not None and psutil.Process(pid).status() == psutil.STATUS_STOPPED
        except psutil.Error:
            return False

    async def _migrate(self) -> None:
        await self._database_up.wait()
        await asyncio.to_thread(migrate, self.stack.database_url)

    async def all_back(self) -> None:
        """Return when everything that was away has had its time to start."""
        while any(one.ended > time.time() for one in self.away):  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.1)

    def _with_links(self, spec: ChildSpec) -> ChildSpec:
        role = spec.name.partition("-")[0]
        environment = {**spec.env, **{name: os.environ[name] for name in (*TUNING, *self.limits)}}
        for setting in {setting for user, setting in LINKS.values() if user == role}:
            names = [name for name, use in LINKS.items() if use == (role, setting)]
            environment[setting] = ",".join(self._through(name, spec.env[setting]) for name in names)
        self._environments[spec.name] = environment
        return replace(spec, env=environment)

    def _through(self, name: str, address: str) -> str:
        parts = urlsplit(address if "//" in address else f"//{address}")
        assert parts.port is not None
        if name not in self.links:
            self.links[name] = Link(name, parts.port, port=free_port())
        port = self.links[name].port
        if "//" not in address:
            return f"127.0.0.1:{port}"
        return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{port}")))

    def _on_event(self, name: str, kind: EventKind, detail: str) -> None:
        if kind == "ready" and name == "postgres":
            self._database_up.set()
        if kind == "restarted":
            self._is_back(name)
        if kind == "died" and not self._stopping:
            self._died(name, detail)

    def _is_back(self, name: str) -> None:
        for one in self.away:
            if one.process == name and one.ended == float("inf"):
                one.ended = time.time() + START_SECONDS

    def _died(self, name: str, detail: str) -> None:
        why = self._doomed.pop(name, "")
        if not why and "SIGKILL" in detail and self.points.get(name):
            why = self.points[name]
            self.struck[why] += 1
        self.deaths.append(Death(name, why, detail, time.time()))
        self._is_back(name)  # in case it had not been for long
        self.away.append(Away(name, time.time()))
        self.points[name] = self.next_points.pop(name, "")
        self._environments[name]["FAULT_POINTS"] = self.points[name]


def _settings(kind: type[S]) -> S:
    return kind()
