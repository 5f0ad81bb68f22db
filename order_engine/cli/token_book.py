"""What the engine knows of tokens: to read amounts as people write them, and to write them as people read them."""

from __future__ import annotations  # the async stub exists for the type checker only

import grpc

from order_engine.cli.amounts import in_tokens, trimmed
from order_engine.cli.engine import Engine
from protos.order_engine.v1 import order_service_pb2 as pb

_SHORT = 8


class TokenBook:
    """Tokens are learnt from the engine; one that it does not know is shown by its mint and in base units."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._by_name: dict[str, pb.Token] = {}

    async def find(self, name: str) -> pb.Token:
        """Return the token of a symbol or mint.

        Raises:
            AioRpcError: the engine does not know it.
        """
        if name not in self._by_name:
            token = await self._engine.tokens.GetToken(pb.GetTokenRequest(token=name), timeout=self._engine.timeout)
            self._by_name[name] = self._by_name[token.mint] = token
        return self._by_name[name]

    async def learn(self, *names: str) -> None:
        """Look up those that the engine knows."""
        for name in dict.fromkeys(names):
            try:
                await self.find(name)
            except grpc.aio.AioRpcError as error:
                if error.code() not in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT):
                    raise

    def symbol(self, mint: str) -> str:
        token = self._by_name.get(mint)
        return (token.symbol if token else "") or f"{mint[:_SHORT]}…"

    def number(self, units: int, mint: str) -> str:
        """Return base units in whole tokens with all decimals, so that columns line up."""
        token = self._by_name.get(mint)
        return in_tokens(units, token.decimals) if token else str(units)

    def amount(self, units: int, mint: str) -> str:
        """Return "1.5 SOL"."""
        if mint not in self._by_name:
            return f"{units} base units of {self.symbol(mint)}"
        return f"{trimmed(self.number(units, mint))} {self.symbol(mint)}"
