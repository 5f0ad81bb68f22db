"""Runs one paper network for a test: settings as JSON, then prints its URL. Dies with its parent."""

import ctypes
import json
import signal
import sys
from pathlib import Path

from solders.pubkey import Pubkey

from order_engine.papernet.server import serve
from order_engine.settings import PapernetSettings

_PR_SET_PDEATHSIG = 1


def main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    state_dir, settings, fund = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
    serve(
        PapernetSettings(_env_file=None, **settings),
        state_dir=state_dir,
        fund=tuple(map(Pubkey.from_string, fund)),
        ready=lambda url: print(url, flush=True),  # noqa: T201
    )


main()
