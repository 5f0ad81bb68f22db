"""Ports: finding free ones, and noticing taken ones before anything is started."""

import errno
import random
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from order_engine.embedded.errors import PortInUse, StartError

LOOPBACK = "127.0.0.1"
# Below the range from which the kernel serves outgoing connections: a client that hammers the port of a server
# that is down would otherwise be given that port itself, and keep the server from coming back.
SERVER_PORTS = range(20_000, 32_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """An address that a child will listen on, and the setting that moves it."""

    host: str
    port: int
    setting: str


def free_port() -> int:
    """Return a loopback port on which nobody listens."""
    for _ in range(1000):
        port = random.choice(SERVER_PORTS)  # noqa: S311 - not a secret
        if _is_free(LOOPBACK, port):
            return port
    raise StartError(f"no free port between {SERVER_PORTS.start} and {SERVER_PORTS.stop} on {LOOPBACK}")


def ensure_free(addresses: Iterable[Listen]) -> None:
    """Check that the addresses can be listened on; port 0 always can.

    Raises:
        PortInUse: for the first that cannot.
    """
    for address in addresses:
        if not _is_free(address.host, address.port):
            raise PortInUse(address.host, address.port, address.setting)


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is not in use
            probe.bind(address)
            probe.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return True
