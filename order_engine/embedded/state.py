"""The state directory: one run at a time, and the secret that keeps other local users out of its servers."""

import fcntl
import os
import secrets
from pathlib import Path
from types import TracebackType

from order_engine.embedded.errors import AlreadyRunning, StartError


class StateLock:
    """Held while a run uses the directory. The kernel drops it with the process, whatever ends the process."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock, creating the directory if needed.

        Raises:
            AlreadyRunning: another process has it.
            StartError: the directory is not ours to write.
        """
        try:
            self._state_dir.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(f"cannot use {self._state_dir} ({error.strerror}): remove it or set STATE_DIR") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunning(self._state_dir) from None
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def server_password(state_dir: Path) -> str:
    """Return the password of this directory's servers, made once. Written whole before it has its name."""
    path = state_dir / "password"
    if not path.exists():
        state_dir.mkdir(parents=True, exist_ok=True)
        draft = state_dir / f"password.{os.getpid()}.{secrets.token_hex(4)}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(24))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: theirs counts
        finally:
            draft.unlink()
    return path.read_text()
