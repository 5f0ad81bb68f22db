import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from order_engine.worker.leases import LeaseKeeper
from tests.due_orders import DueOrderClaims
from tests.eventually import eventually

LEASE = timedelta(milliseconds=30)


class Hands:
    def __init__(self, *claim_ids: UUID) -> None:
        self.claim_ids = list(claim_ids)
        self.lost: list[UUID] = []

    def keeper(self, claims: DueOrderClaims) -> LeaseKeeper:
        return LeaseKeeper(claims, LEASE, in_hand=lambda: self.claim_ids, lost=self.lost.append)


async def test_all_claims_are_renewed_in_one_call() -> None:
    claims, hands = DueOrderClaims(), Hands(uuid4(), uuid4())
    await hands.keeper(claims).renew()
    assert claims.renewed == [tuple(hands.claim_ids)]
    assert hands.lost == []


async def test_nothing_in_hand_costs_no_call() -> None:
    claims = DueOrderClaims()
    await Hands().keeper(claims).renew()
    assert claims.renewed == []


async def test_a_claim_missing_twice_is_lost_and_missing_once_is_not() -> None:
    kept, taken = uuid4(), uuid4()
    claims, hands = DueOrderClaims(), Hands(kept, taken)
    claims.taken = {taken}
    keeper = hands.keeper(claims)
    await keeper.renew()
    assert hands.lost == []
    await keeper.renew()
    assert hands.lost == [taken]


async def test_a_claim_that_is_found_again_starts_afresh() -> None:
    claim_id = uuid4()
    claims, hands = DueOrderClaims(), Hands(claim_id)
    keeper = hands.keeper(claims)
    for taken in ({claim_id}, set[UUID](), {claim_id}):
        claims.taken = taken
        await keeper.renew()
    assert hands.lost == []


async def test_claims_are_renewed_again_once_the_store_is_back() -> None:
    claims, hands = DueOrderClaims(), Hands(uuid4())
    claims.down = True
    running = asyncio.create_task(hands.keeper(claims).run())
    await asyncio.sleep(LEASE.total_seconds() * 2)
    assert claims.renewed == []
    claims.down = False
    await eventually(lambda: len(claims.renewed) >= 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert hands.lost == []
