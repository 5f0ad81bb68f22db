"""Becomes another command that the kernel signals when the parent dies: `leash.py PARENT SIGNAL USER COMMAND...`.

A program of its own, because code between fork and exec is not safe in a parent that has threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, orphan_signal: int, user: str, command: list[str]) -> None:
    if user:
        os.setgroups([])
        os.setgid(int(user))
        os.setuid(int(user))  # before the request: a change of user would drop it
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, orphan_signal)
    if os.getppid() == parent:  # otherwise it died before the kernel was told to watch
        os.execvp(command[0], command)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
