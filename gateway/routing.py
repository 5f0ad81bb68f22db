"""Which handler answers which path. A WebSocket is a method of its own: WEBSOCKET."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.http import HttpError, Reply, Request

Handler = Callable[[Request], Awaitable[Reply | None]]  # None: it has answered by itself

WEBSOCKET: Final = "WEBSOCKET"
ROUTE: Final = "gateway.route"  # in the scope of a request that was matched: the template


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: re.Pattern[str]  # its named groups become the request's params
    handler: Handler


def route(method: str, template: str, handler: Handler) -> Route:
    """Make a route from a template such as /api/orders/{orderId}; a parameter is one path segment."""
    parts = re.split(r"\{(\w+)\}", template)
    pattern = "".join(f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))

    def named(request: Request) -> Awaitable[Reply | None]:
        request.scope[ROUTE] = template
        return handler(request)

    return Route(method, re.compile(pattern, re.DOTALL), named)


class Router:
    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)

    def match(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """Return the first route's handler, and the parameters in the path.

        Raises:
            HttpError: no such path (404), or not with this method (405).
        """
        wanted = "GET" if method == "HEAD" else method
        for candidate in self._routes:
            if candidate.method == wanted and (found := candidate.path.fullmatch(path)):
                return candidate.handler, found.groupdict()
        allowed = self.methods(path)
        if method == WEBSOCKET or not allowed:
            raise HttpError(404, {"error": "Not found"})
        raise HttpError(405, {"error": "Method not allowed"}, {"allow": ", ".join(allowed)})

    def methods(self, path: str) -> list[str]:
        """Return the HTTP methods a path answers."""
        found = {candidate.method for candidate in self._routes if candidate.path.fullmatch(path)}
        return sorted(found - {WEBSOCKET})
