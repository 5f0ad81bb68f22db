"""Lets this process end with the one that started it: a killed `make` must not leave a whole engine behind."""

import ctypes
import signal
import sys

from order_engine.embedded.leash import PR_SET_PDEATHSIG


def terminate_with_parent() -> None:
    """Ask the kernel for a SIGTERM when the parent dies. Only Linux can; elsewhere nothing changes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
