"""Whose request this is: its address bounds its connections here, and goes with every call to the engine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from starlette.types import Scope

from gateway.http import headers_of

FORWARDED_FOR: Final = "x-forwarded-for"
_FORWARDED_CHARACTERS: Final = 256

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_client: ContextVar[str] = ContextVar("client", default="")


class Proxies:
    """The proxies before this bridge that are believed, when they say for whom they ask."""

    def __init__(self, trusted: str) -> None:
        """Read a comma-separated list of addresses and networks.

        Raises:
            ValueError: one of them is neither.
        """
        parts = (part.strip() for part in trusted.split(","))
        self._trusted: Sequence[Network] = [ip_network(part, strict=False) for part in parts if part]

    def named(self, host: str) -> bool:
        """Say whether this address is on the list."""
        address = parsed(host)
        return address is not None and any(address in network for network in self._trusted)

    def client_of(self, scope: Scope) -> str:
        """Return the client's address: the last one in X-Forwarded-For that no trusted proxy has. Empty: unknown.

        This machine is always trusted. What clients themselves wrote into the header stands further left.
        """
        peer = scope.get("client")
        address = parsed(peer[0]) if peer else None
        forwarded = ",".join(headers_of(scope, FORWARDED_FOR.encode()))[-_FORWARDED_CHARACTERS:]
        for hop in reversed(forwarded.split(",")):
            before = parsed(hop.strip())
            if before is None or not self._trusts(address):
                break
            address = before
        return "" if address is None else str(address)

    def _trusts(self, address: Address | None) -> bool:
        if address is None or address.is_loopback:
            return True
        return any(address in network for network in self._trusted)


def parsed(text: str) -> Address | None:
    """Read an address; an IPv4 address that is written as an IPv6 one is the IPv4 address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@contextmanager
def asking_for(client: str) -> Iterator[None]:
    """Make every call to the engine, in this task and in those it starts, a call of this client."""
    token = _client.set(client)
    try:
        yield
    finally:
        _client.reset(token)


def forwarded() -> tuple[tuple[str, str], ...]:
    """Return the metadata that tells the engine whose call it is."""
    client = _client.get()
    return ((FORWARDED_FOR, client),) if client else ()
