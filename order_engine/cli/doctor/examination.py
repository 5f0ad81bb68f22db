"""What is examined, and what a check says."""

import fcntl
import os
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from order_engine.settings import ClientSettings, PapernetSettings, Settings


class Verdict(StrEnum):
    GOOD = "good"
    BAD = "bad"
    IDLE = "idle"  # nothing to check: not configured, or not running


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, what was found, and how to mend what is bad."""

    name: str
    verdict: Verdict
    found: str
    mend: str = ""


def good(name: str, found: str) -> Check:
    return Check(name, Verdict.GOOD, found)


def bad(name: str, found: str, mend: str) -> Check:
    return Check(name, Verdict.BAD, found, mend)


def idle(name: str, found: str) -> Check:
    return Check(name, Verdict.IDLE, found)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The installation: what is configured, and for the rest what `up` runs from its state directory."""

    settings: Settings
    papernet: PapernetSettings
    client: ClientSettings
    target: str | None = None
    http: str | None = None
    timeout_seconds: float = 3.0

    @cached_property
    def is_up(self) -> bool:
        """Whether an `up` holds the state directory now."""
        try:
            descriptor = os.open(self.settings.state_dir / "lock", os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    @property
    def database_url(self) -> str:
        """The configured one, or that of the running embedded server, or nothing."""
        return self.settings.database_url or self._embedded("order_engine", self._postgres_port(), "/order_engine")

    @property
    def redis_url(self) -> str:
        return self.settings.redis_url or self._embedded("", self._redis_port(), "/0", scheme="redis")

    @property
    def rpc_endpoints(self) -> tuple[str, ...]:
        return self.settings.rpc_endpoints or ((f"http://127.0.0.1:{self.papernet.port}",) if self.is_up else ())

    @property
    def grpc_target(self) -> str:
        return self.target or self.client.engine_target

    @property
    def must_answer(self) -> bool:
        """Whether an engine was named, so that its absence is a fault."""
        return bool(self.target or self.client.grpc_target) or self.is_up

    @property
    def http_url(self) -> str:
        return (self.http or f"http://127.0.0.1:{self.settings.port}").rstrip("/")

    def _embedded(self, role: str, port: str, path: str, *, scheme: str = "postgresql") -> str:
        if not port:
            return ""
        return f"{scheme}://{role}:{self._read('password')}@127.0.0.1:{port}{path}"

    def _postgres_port(self) -> str:
        home = self._read("postgres-home") or str(self.settings.state_dir)
        lines = _text(Path(home) / "postgres" / "postmaster.pid").splitlines() if self.is_up else []
        return lines[3] if len(lines) > 3 else ""

    def _redis_port(self) -> str:
        lines = self._read("redis/valkey.conf").splitlines() if self.is_up else []
        return next((line.removeprefix("port ") for line in lines if line.startswith("port ")), "")

    def _read(self, name: str) -> str:
        return _text(self.settings.state_dir / name)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
