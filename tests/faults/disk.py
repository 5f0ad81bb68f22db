"""A full disk for running processes: what they write beyond a size is refused, as the kernel refuses it."""

import asyncio
import resource
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Final

import psutil

from tests.faults.stack import Processes

AGAIN_SECONDS: Final = 0.05


async def fill_disk(processes: Processes, names: Collection[str], most_bytes: int, seconds: float) -> None:
    """Refuse all writes of these processes beyond `most_bytes` of any file, also of those that are started anew."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        _limit(processes, names, most_bytes)
        await asyncio.sleep(AGAIN_SECONDS)
    _limit(processes, names, resource.RLIM_INFINITY)


def _limit(processes: Processes, names: Collection[str], most_bytes: int) -> None:
    for name in names:
        with suppress(psutil.Error, ProcessLookupError):
            top = psutil.Process(processes.pid(name) or 0)
            for process in (top, *top.children(recursive=True)):
                _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most_bytes, hard))
