"""However many ask for a route at once, nobody else has to wait for all of them."""

import asyncio

import pytest

from order_engine.domain.route import Candidate, SwapTerms
from order_engine.usecases import find_route as module
from order_engine.usecases.find_route import FindRoute
from tests.unit.usecases.paper_world import IN, OUT, PaperMarket, World

TERMS = SwapTerms(token_in=IN, token_out=OUT, amount=10, slippage_bps=50)


async def test_between_two_decisions_others_get_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    turns_of_others, decided_at = 0, []
    world = World()
    find_route = FindRoute(
        market=PaperMarket(world), lookup_tables=world, hubs=(), max_hops=1, compute_unit_price_micro_lamports=0
    )

    def decide(*_: object) -> tuple[Candidate, ...]:
        decided_at.append(turns_of_others)
        return ()

    async def work_on_something_else() -> None:
        nonlocal turns_of_others
        while True:
            turns_of_others += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(module, "find_candidates", decide)
    others = asyncio.create_task(work_on_something_else())
    await asyncio.gather(*(find_route(TERMS, {}) for _ in range(5)))
    others.cancel()
    assert len(set(decided_at)) == 5
