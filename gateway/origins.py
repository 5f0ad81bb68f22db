"""Which web pages may talk to the bridge. A browser names the page's origin; whoever names none is no browser."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import Scope

from gateway.http import HttpError, headers_of


@dataclass(frozen=True, slots=True)
class OriginPolicy:
    """Allows loopback pages, this server's own pages when it is reached by address, and the origins listed.

    Reached by a name that is not listed, "the same origin" proves nothing: any page can point its own name here.
    """

    listed: frozenset[str]

    def check(self, scope: Scope) -> str | None:
        """Return the request's origin, or None when it names none.

        Raises:
            HttpError: the origin is not allowed (403).
        """
        origins = headers_of(scope, b"origin")
        if not origins:
            return None
        if len(origins) == 1 and self._allows(origins[0].lower(), scope):
            return origins[0]
        raise HttpError(403, {"error": "Origin not allowed"})

    def _allows(self, origin: str, scope: Scope) -> bool:
        if "*" in self.listed or origin in self.listed:
            return True
        try:
            parts = urlsplit(origin)
            host = parts.hostname or ""
        except ValueError:
            return False
        if parts.scheme not in {"http", "https"}:
            return False
        if _is_loopback(host):
            return True
        return _is_address(host) and [parts.netloc] == [value.lower() for value in headers_of(scope, b"host")]


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost") or (_is_address(host) and ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
