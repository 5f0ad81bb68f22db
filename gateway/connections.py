"""How many connections there may be: in all, and from one address."""

import asyncio
from collections import Counter

from gateway.client_address import Proxies


class Connections:
    def __init__(self, *, at_most: int, per_client: int, proxies: Proxies) -> None:
        """0 per client = unlimited. Named proxies speak for many clients, and have no limit of their own."""
        self._at_most = at_most
        self._per_client = per_client
        self._proxies = proxies
        self._hosts: dict[asyncio.BaseTransport, str] = {}
        self._open: Counter[str] = Counter()

    def take(self, transport: asyncio.BaseTransport) -> int | None:
        """Count a connection. None when it may stay, else the HTTP status to refuse it with: it is not counted."""
        peer: tuple[str, int] | str | None = transport.get_extra_info("peername")
        host = str(peer[0]) if isinstance(peer, tuple) else ""
        if len(self._hosts) >= self._at_most:
            return 503
        if self._per_client and self._open[host] >= self._per_client and not self._proxies.named(host):
            return 429
        self._hosts[transport] = host
        self._open[host] += 1
        return None

    def give_back(self, transport: asyncio.BaseTransport) -> None:
        """Forget a connection that has ended; one that was refused, or is forgotten already, changes nothing."""
        host = self._hosts.pop(transport, None)
        if host is None:
            return
        self._open[host] -= 1
        if not self._open[host]:
            del self._open[host]

    def __len__(self) -> int:
        return len(self._hosts)
