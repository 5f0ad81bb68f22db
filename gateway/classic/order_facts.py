"""What never changes about an order, kept so that watching one that was just placed asks the engine nothing twice."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from gateway.classic.tokens import TokenDirectory
from gateway.upstream import Upstream
from protos.order_engine.v1.order_service_pb2 import Order, Token

_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    token_in: Token | None  # None when no such mint exists: the order can only fail
    token_out: Token | None
    max_attempts: int


class OrderFactsCache:
    def __init__(self, upstream: Upstream, tokens: TokenDirectory) -> None:
        self._upstream = upstream
        self._tokens = tokens
        self._recent: OrderedDict[str, OrderFacts] = OrderedDict()

    async def of(self, order_id: str) -> OrderFacts:
        """Return the facts of an order by id.

        Raises:
            AioRpcError: unknown order, or its tokens could not be asked for.
            EngineAway.
        """
        return self._recent.get(order_id) or await self.of_order(await self._upstream.get_order(order_id))

    async def of_order(self, order: Order) -> OrderFacts:
        """Return the facts of an order at hand.

        Raises:
            AioRpcError: its tokens could not be asked for.
            EngineAway.
        """
        known = self._recent.get(order.order_id)
        if known is not None:
            return known
        token_in, token_out = await asyncio.gather(
            self._tokens.find(order.token_in), self._tokens.find(order.token_out)
        )
        return self.remember(order, token_in, token_out)

    def remember(self, order: Order, token_in: Token | None, token_out: Token | None) -> OrderFacts:
        facts = OrderFacts(token_in=token_in, token_out=token_out, max_attempts=order.max_attempts)
        if token_in and token_out:
            self._recent[order.order_id] = facts
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)
        return facts
