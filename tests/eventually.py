"""Waiting for what another task, thread or process is about to do."""

import asyncio
import time
from collections.abc import Callable


async def eventually(holds: Callable[[], object], within_seconds: float = 10.0) -> None:
    """Return as soon as `holds()` is true; fail when it is not in time."""
    deadline = time.monotonic() + within_seconds
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.005)
