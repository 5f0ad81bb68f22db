"""Who is calling: the address that quotas are counted by."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import unquote

from order_engine.api.interceptors.behavior import Context

FORWARDED_FOR: Final = "x-forwarded-for"
LOCAL: Final = "local"  # a Unix socket, or an address that nobody can read
_FORWARDED_CHARACTERS: Final = 256
_REMEMBERED: Final = 4096
_ONE_SUBSCRIBER: Final = 64  # bits: whoever has an IPv6 address has this whole network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Clients:
    """Names the real client of a call.

    `x-forwarded-for` counts only when it comes from this machine or from a trusted proxy, and is read from the right:
    each proxy adds the address it saw, so only what trusted ones added can be believed.
    """

    def __init__(self, trusted_proxies: Sequence[Network] = ()) -> None:
        self._trusted = tuple(trusted_proxies)
        self._named = lru_cache(maxsize=_REMEMBERED)(self._name)

    def of(self, context: Context) -> str:
        """Return the client's IPv4 address, IPv6 network of 64 bits, or LOCAL."""
        forwarded = ",".join(str(value) for key, value in context.invocation_metadata() or () if key == FORWARDED_FOR)
        return self._named(context.peer().rpartition(":")[0], forwarded[-_FORWARDED_CHARACTERS:])

    def _name(self, peer: str, forwarded: str) -> str:
        address = _address(unquote(peer).partition(":")[2].strip("[]"))
        for hop in reversed(forwarded.split(",")):
            before = _address(hop.strip())
            if before is None or not self._trusts(address):
                break
            address = before
        return LOCAL if address is None else _subscriber(address)

    def _trusts(self, address: Address | None) -> bool:
        """Trust this machine (no address: a Unix socket) and the proxies that were named."""
        if address is None or address.is_loopback:
            return True
        return any(address in network for network in self._trusted)


def networks(text: str) -> tuple[Network, ...]:
    """Read a comma-separated list of addresses and networks.

    Raises:
        ValueError: one of them is neither.
    """
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _subscriber(address: Address) -> str:
    if isinstance(address, IPv4Address) or address.is_loopback:
        return str(address)
    return str(ip_network((int(address), _ONE_SUBSCRIBER), strict=False))
