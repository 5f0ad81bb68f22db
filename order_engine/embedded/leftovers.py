"""Processes of an earlier run that still work in a data directory.

A killed run's servers are told to stop by the kernel but need a moment, and a killed PostgreSQL may leave a zombie
whose pid makes the next one refuse to start.
"""

import signal
import time
from pathlib import Path

import psutil

from order_engine.embedded.errors import StartError

ASK_SECONDS = 5.0
KILL_SECONDS = 5.0


def clear_leftovers(data_dir: Path, stop_signal: signal.Signals) -> None:
    """Return when no living process has `data_dir` as its working directory, helping with signals.

    Raises:
        StartError: one could not be ended.
    """
    for seconds, number in ((ASK_SECONDS, stop_signal), (KILL_SECONDS, signal.SIGKILL)):
        deadline = time.monotonic() + seconds
        for process in _working_in(data_dir):
            _send(process, number)
        while _working_in(data_dir):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return
    pids = ", ".join(str(process.pid) for process in _working_in(data_dir))
    raise StartError(f"{data_dir} is still used by process {pids}")


def _working_in(data_dir: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _works_in(process, str(data_dir))]


def _works_in(process: psutil.Process, directory: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.cwd() == directory
    except psutil.Error:  # gone, or another user's
        return False


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
