"""GET /healthz[?service=]: the engine's own health, for probes that speak HTTP."""

from urllib.parse import parse_qs

from gateway.http import Reply, Request
from gateway.upstream import Upstream

_HTTP_STATUS = {"SERVING": 200, "SERVICE_UNKNOWN": 404}


class HealthProbe:
    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def check(self, request: Request) -> Reply:
        query = parse_qs(request.scope["query_string"].decode("latin-1"))
        status = await self._upstream.health(query.get("service", [""])[0])
        return Reply(_HTTP_STATUS.get(status, 503), {"status": status})
