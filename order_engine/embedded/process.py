"""One child process that cannot outlive us.

It runs in a session of its own, so that Ctrl-C reaches only its parent, and the kernel signals it when the parent dies.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from order_engine.embedded.errors import StartError

LEASH = Path(__file__).with_name("leash.py")
LOG_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to run a command. `environment` is added to ours; `user` is both its uid and gid."""

    arguments: Sequence[str]
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    user: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL


class Process:
    """A running command. Make it in a thread that lives as long as it should: the kernel watches that thread.

    Raises:
        StartError: the command cannot be run.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        launch.log_path.parent.mkdir(parents=True, exist_ok=True)
        _rotate(launch.log_path)
        with launch.log_path.open("ab") as log:
            self._log_start = log.tell()
            self._popen = _open(launch, log)

    @property
    def log_path(self) -> Path:
        return self._launch.log_path

    @property
    def pid(self) -> int:
        return self._popen.pid

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        return self._popen.poll()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False when it still runs after `seconds`."""
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def ask_to_stop(self) -> None:
        self._popen.send_signal(self._launch.stop_signal)

    def kill(self) -> None:
        """Kill it together with whatever it started, and reap it."""
        if self._popen.poll() is None:
            os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()

    def stop(self, within_seconds: float) -> None:
        """Ask, wait, then kill."""
        self.ask_to_stop()
        if not self.wait(within_seconds):
            self.kill()

    def last_lines(self, count: int = 20) -> str:
        """Return the end of what this run wrote."""
        with self._launch.log_path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, size - 64 * 1024))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])


def describe_exit(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def leashed(command: Sequence[str], orphan_signal: signal.Signals, user: int | None = None) -> list[str]:
    """Return the command as one that runs as `user` and is signalled when the calling thread is gone.

    Where the kernel cannot watch parents, that is the plain command as ourselves.

    Raises:
        StartError: there is no such program.
    """
    program = shutil.which(command[0])
    if program is None:
        raise StartError(f"cannot run {command[0]}: no such program")
    if sys.platform != "linux":
        return [program, *command[1:]]
    leash = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), str(int(orphan_signal))]
    return [*leash, "" if user is None else str(user), program, *command[1:]]


def _open(launch: Launch, log: BinaryIO) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - the commands are our own
        leashed(launch.arguments, launch.orphan_signal, launch.user),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, **launch.environment},
        start_new_session=True,
    )


def _rotate(log_path: Path) -> None:
    if log_path.exists() and log_path.stat().st_size > LOG_LIMIT_BYTES:
        log_path.replace(log_path.with_name(f"{log_path.name}.1"))
