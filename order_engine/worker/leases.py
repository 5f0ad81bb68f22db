"""Keeps the claims of the orders in hand alive, and says which ones are gone."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from order_engine.domain.errors import Unavailable
from order_engine.usecases.ports import OrderClaims

RENEWALS_PER_LEASE: Final = 3

logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class LeaseKeeper:
    """Renews all claims in hand in one statement, three times per lease.

    A claim counts as lost when two renewals in a row did not find it. One is not enough: an order in hand has no claim
    yet while it waits to be started, and none any more while its last event is on its way back.
    """

    def __init__(
        self,
        claims: OrderClaims,
        lease: timedelta,
        *,
        in_hand: Callable[[], Sequence[UUID]],
        lost: Callable[[UUID], None],
    ) -> None:
        self._claims = claims
        self._interval = lease / RENEWALS_PER_LEASE
        self._in_hand = in_hand
        self._lost = lost
        self._missing: set[UUID] = set()
        self._failing = False

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._interval.total_seconds())
            try:
                await self.renew()
                self._failing = False
            except Unavailable as error:  # nobody else can take over either
                if not self._failing:
                    logger.warning("leases_not_renewed", error=error.message)
                self._failing = True
            except Exception:
                logger.exception("leases_not_renewed")

    async def renew(self) -> None:
        claim_ids = self._in_hand()
        if not claim_ids:
            self._missing.clear()
            return
        missing = set(claim_ids) - await self._claims.renew(claim_ids)
        for claim_id in missing & self._missing:
            self._lost(claim_id)
        self._missing = missing
