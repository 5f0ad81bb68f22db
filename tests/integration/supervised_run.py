"""A run of the supervisor as a process of its own: `python supervised_run.py STATE_DIR KIND`.

Prints `name kind detail` for each event, and `up` when all are ready. A plain child is `quiet`, one that ignores
SIGTERM is `stubborn`, and with KIND `servers` there are the embedded servers too.
"""

import asyncio
import os
import sys
from pathlib import Path

from order_engine.embedded.child import ChildSpec
from order_engine.embedded.errors import StartError
from order_engine.embedded.servers import EmbeddedServers
from order_engine.embedded.supervisor import Supervisor

QUIET = "import time; time.sleep(600)"
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(600)
"""


def children(state_dir: Path, kind: str) -> list[ChildSpec]:
    servers = list(EmbeddedServers(state_dir).children()) if kind == "servers" else []
    names = tuple(server.name for server in servers)
    marker = state_dir / f"deaf-{os.getpid()}"

    async def is_deaf() -> bool:
        return marker.exists()

    return [
        *servers,
        ChildSpec(name="quiet", command=[sys.executable, "-S", "-c", QUIET], after=names),
        ChildSpec(
            name="stubborn",
            command=[sys.executable, "-S", "-c", STUBBORN, str(marker)],
            after=names,
            ready=is_deaf,
            stop_within=0.5 if kind == "bounded" else 60,
        ),
    ]


def tell(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


async def main(state_dir: Path, kind: str) -> None:
    supervisor = Supervisor(children(state_dir, kind), state_dir=state_dir, on_event=tell)
    try:
        await supervisor.start()
    except StartError as error:
        sys.exit(str(error))
    tell("up")
    await supervisor.run_until_stopped()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
