"""Runs a client as its user would: as a program of its own, whose output is read while it runs."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Ended:
    status: int
    lines: Sequence[str]

    @property
    def output(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True, slots=True)
class Break:
    """What is done to the engine when the program prints `after`, once."""

    after: str
    how: Callable[[], object]


def need(*tools: str) -> None:
    """Fail when a program is missing: a client that was not run is not a client that works."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.fail(f"missing: {', '.join(missing)}. As root, `sh scripts/client_tools.sh` installs what can be")


def run(command: Sequence[str], *, cwd: Path = ROOT, breaking: Break | None = None, within: float = 90.0) -> Ended:
    """Run to the end. A program that hangs is killed with its children, and fails by its status."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": ".",
            "PYTHONUNBUFFERED": "1",
            "npm_config_yes": "true",
        },  # a person answers npx with y
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    watchdog = threading.Timer(within, os.killpg, (process.pid, signal.SIGKILL))
    watchdog.start()
    try:
        lines = _read(process, breaking)
        return Ended(process.wait(), lines)
    finally:
        watchdog.cancel()


def _read(process: subprocess.Popen[str], breaking: Break | None) -> list[str]:
    lines: list[str] = []
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if breaking is not None and breaking.after in line:
                breaking.how()
                breaking = None
    assert breaking is None, f"never printed {breaking.after!r}:\n" + "\n".join(lines)
    return lines


@cache
def install(folder: Path) -> None:
    """Install what package.json names; quick when it is there already."""
    need("node", "npm")
    npm = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    done = run(npm, cwd=folder)
    assert done.status == 0, done.output
