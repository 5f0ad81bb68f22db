"""Endpoints prove at the start that they are on one chain; silent ones are taken in when they answer."""

from datetime import timedelta
from typing import Final

import structlog
from solders.hash import Hash

from order_engine.adapters.solana.chain import ForeignEndpoint, SolanaChain
from order_engine.domain.errors import ChainUnavailable
from order_engine.usecases.ports import Clock

TRIES_AT_START: Final = 60  # one a second: the chain may start later than we do
PROVE_EVERY: Final = timedelta(seconds=1)

log = structlog.get_logger(__name__)


async def prove_patiently(chain: SolanaChain, clock: Clock) -> Hash:
    """Return the chain's genesis hash.

    Raises:
        ChainUnavailable: no endpoint answered for a minute.
        ForeignEndpoint: one is on another chain.
    """
    for _ in range(TRIES_AT_START - 1):
        try:
            return await chain.prove_endpoints()
        except ChainUnavailable:
            await clock.sleep(PROVE_EVERY)
    return await chain.prove_endpoints()


async def take_in_late_endpoints(chain: SolanaChain, clock: Clock) -> None:
    """Use an endpoint that was silent at the start as soon as it proves to be on our chain."""
    while chain.silent_endpoints:
        log.warning("endpoints_silent", endpoints=chain.silent_endpoints)
        await clock.sleep(10 * PROVE_EVERY)
        try:
            await chain.prove_endpoints()
        except ForeignEndpoint as error:
            log.error("endpoint_refused", error=error.message)  # noqa: TRY400 - not ours to debug
