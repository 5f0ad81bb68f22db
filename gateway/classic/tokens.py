"""What the bridge must know of tokens to show whole amounts: mint, symbol, decimals."""

from typing import Final

from grpc import StatusCode
from grpc.aio import AioRpcError

from gateway.upstream import Upstream
from protos.order_engine.v1.order_service_pb2 import Token

_MAX_KNOWN: Final = 1_000


class TokenDirectory:
    """Asks the engine, and remembers the tokens of its list. Other mints are asked for each time: they may change."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._known: dict[str, Token] = {}

    async def find(self, token: str) -> Token | None:
        """Return a token by symbol or mint, None when neither the list nor the chain has it.

        Raises:
            AioRpcError: it could not be asked.
        """
        known = self._known.get(token)
        if known is not None:
            return known
        try:
            found = await self._upstream.get_token(token)
        except AioRpcError as error:
            if error.code() in {StatusCode.NOT_FOUND, StatusCode.INVALID_ARGUMENT}:
                return None
            raise
        if found.symbol and len(self._known) < _MAX_KNOWN:
            self._known[token] = found
        return found
