import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from order_engine.domain.errors import StaleOrder
from order_engine.domain.order import (
    AttemptStarted,
    CancelRequested,
    Fact,
    Order,
    OrderId,
    OrderStatus,
)
from order_engine.usecases.ports import Claim, OrderClaims, OrderStore
from tests.contract.conftest import LEASE, Orders
from tests.contract.order_samples import (
    attempt_failed,
    claim_id,
    confirmed,
    drive,
    event_id,
    new_order,
    placed,
    route_chosen,
    signed,
    submitted,
)

MINUTE = timedelta(seconds=60)


async def start(claims: OrderClaims, order: Order, claim: UUID | None = None) -> Claim | None:
    started = await claims.start(order.order_id, claim or claim_id(), event_id())
    return started[0] if started else None


async def queue(store: OrderStore, length: int) -> Sequence[Order]:
    return [await store.create(new_order()) for _ in range(length)]


def ids(orders: Sequence[Order]) -> list[OrderId]:
    return [order.order_id for order in orders]


async def test_a_start_is_an_attempt_and_a_claim(orders: Orders) -> None:
    store, claims, claim = orders.store(), orders.claims(), claim_id()
    order = await store.create(new_order())
    started = await claims.start(order.order_id, claim, event_id())
    assert started is not None
    (held, event) = started
    assert (held.order.status, held.order.attempt, held.takeovers) == (OrderStatus.ROUTING, 1, 0)
    assert (event.fact, event.event_time) == (AttemptStarted(), held.order.update_time)
    assert await store.get(order.order_id) == held.order
    assert list(await store.events(order.order_id, 1)) == [event]
    assert await claims.reload(order.order_id, claim) == held
    assert await claims.reload(order.order_id, claim_id()) is None


async def test_only_orders_that_exist_and_wait_are_started(orders: Orders) -> None:
    store, claims = orders.store(), orders.claims()
    running, ended = await placed(store, AttemptStarted()), await placed(store, CancelRequested())
    for order in (new_order(), running, ended):
        assert await start(claims, order) is None


async def test_of_16_concurrent_starts_one_wins(orders: Orders) -> None:
    store = orders.store()
    order = await store.create(new_order())
    processes = [orders.claims() for _ in range(4)]
    answers = await asyncio.gather(*(start(processes[index % 4], order) for index in range(16)))
    assert sum(answer is not None for answer in answers) == 1
    assert await store.latest_sequences([order.order_id]) == {order.order_id: 2}


async def test_a_start_whose_answer_was_lost_is_answered_again(orders: Orders) -> None:
    claims, claim, identity = orders.claims(max_in_flight=1), claim_id(), event_id()
    order = await orders.store().create(new_order())
    first = await claims.start(order.order_id, claim, identity)
    assert first is not None
    assert await claims.start(order.order_id, claim, identity) == first
    assert await claims.start(order.order_id, claim_id(), event_id()) is None


async def test_no_more_than_the_limit_are_in_flight_over_all_processes(orders: Orders) -> None:
    waiting = await queue(orders.store(), 24)
    processes = [orders.claims(max_in_flight=10) for _ in range(4)]
    for _ in range(3):
        await asyncio.gather(*(start(processes[index % 4], order) for index, order in enumerate(waiting)))
    sequences = await orders.store().latest_sequences(ids(waiting))
    assert [order.order_id for order in waiting if sequences[order.order_id] == 2] == ids(waiting[:10])


async def test_a_slot_is_free_again_whichever_way_the_order_leaves(orders: Orders) -> None:
    store, claims = orders.store(), orders.claims(max_in_flight=1)
    waiting = await queue(store, 4)
    signing = signed()
    landing: tuple[Fact, ...] = (route_chosen(), signing, confirmed(signing.signature))
    ways: list[tuple[Fact, ...]] = [(CancelRequested(),), (attempt_failed(),), landing]
    for order, following, way in zip(waiting, waiting[1:], ways, strict=False):
        claim = await start(claims, order)
        assert claim is not None
        assert await start(claims, following) is None
        await drive(store, claim.order, *way)
    assert await start(claims, waiting[3]) is not None


async def test_no_more_starts_than_the_limit_in_any_minute(orders: Orders) -> None:
    store = orders.store()
    waiting = await queue(store, 12)
    processes = [orders.claims(max_starts_per_minute=3) for _ in range(3)]

    async def everyone_tries() -> list[OrderId]:
        answers = await asyncio.gather(*(start(processes[index % 3], order) for index, order in enumerate(waiting)))
        return [answer.order.order_id for answer in answers if answer]

    assert await everyone_tries() == ids(waiting[:3])
    await orders.pass_time(MINUTE - timedelta(seconds=1))
    assert await everyone_tries() == []
    await orders.pass_time(timedelta(seconds=1))
    assert await everyone_tries() == ids(waiting[3:6])
    order = await store.get(waiting[0].order_id)
    await drive(store, order, attempt_failed(retry_after=timedelta(0)))
    assert await everyone_tries() == []


async def test_waiting_for_a_limit_costs_no_attempt(orders: Orders) -> None:
    store, claims = orders.store(), orders.claims(max_in_flight=1)
    first, second = await queue(store, 2)
    assert await start(claims, first)
    for _ in range(5):
        assert await start(claims, second) is None
    assert await store.get(second.order_id) == second


async def test_the_oldest_due_order_goes_first(orders: Orders) -> None:
    store, claims = orders.store(), orders.claims(max_in_flight=1)
    retried = await placed(store, AttemptStarted(), attempt_failed(retry_after=timedelta(minutes=1)))
    first, second = await queue(store, 2)
    assert await start(claims, second) is None
    assert await start(claims, retried) is None
    claim = await start(claims, first)
    assert claim is not None
    await drive(store, claim.order, CancelRequested())
    await orders.pass_time(timedelta(minutes=1))
    assert await start(claims, retried) is None
    assert await start(claims, second) is not None


async def test_a_retry_starts_when_its_time_has_come_and_not_before(orders: Orders) -> None:
    store, claims = orders.store(), orders.claims()
    order = await placed(store, AttemptStarted(), attempt_failed(retry_after=timedelta(minutes=2)))
    assert await start(claims, order) is None
    await orders.pass_time(timedelta(minutes=2))
    claim = await start(claims, order)
    assert claim is not None
    assert (claim.order.attempt, claim.order.next_attempt_at) == (2, None)


async def test_an_order_is_taken_over_when_its_lease_has_passed(orders: Orders) -> None:
    store, claims, first, second = orders.store(), orders.claims(max_in_flight=1), claim_id(), claim_id()
    order = await store.create(new_order())
    await start(claims, order, first)
    assert await claims.take_over(order.order_id, second) is None
    await orders.pass_time(LEASE)
    taken = await claims.take_over(order.order_id, second)
    assert taken is not None
    assert (taken.order, taken.takeovers) == (await store.get(order.order_id), 1)
    assert await claims.take_over(order.order_id, claim_id()) is None
    assert await claims.renew([first, second]) == {second}
    assert await claims.reload(order.order_id, first) is None
    assert await claims.reload(order.order_id, second) == taken


async def test_of_concurrent_takeovers_one_wins(orders: Orders) -> None:
    order = await placed(orders.store(), AttemptStarted())
    answers = await asyncio.gather(*(orders.claims().take_over(order.order_id, claim_id()) for _ in range(8)))
    assert sum(answer is not None for answer in answers) == 1


async def test_takeovers_count_until_the_transaction_is_recorded(orders: Orders) -> None:
    store, claims = orders.store(), orders.claims()
    order = await placed(store, AttemptStarted())
    for count in (1, 2, 3):
        await orders.pass_time(LEASE)
        taken = await claims.take_over(order.order_id, claim_id())
        assert taken is not None
        assert taken.takeovers == count
    await drive(store, order, route_chosen(), signed())
    await orders.pass_time(LEASE)
    taken = await claims.take_over(order.order_id, claim_id())
    assert taken is not None
    assert taken.takeovers == 0


async def test_takeovers_are_forgotten_with_the_attempt(orders: Orders) -> None:
    store, claims = orders.store(), orders.claims()
    order = await placed(store, AttemptStarted())
    await claims.take_over(order.order_id, claim_id())
    order, _ = await drive(store, order, attempt_failed(retry_after=timedelta(0)))
    claim = await start(claims, order)
    assert claim is not None
    assert claim.takeovers == 0


async def test_a_renewed_lease_does_not_pass(orders: Orders) -> None:
    claims, claim = orders.claims(), claim_id()
    order = await orders.store().create(new_order())
    await start(claims, order, claim)
    for _ in range(3):
        await orders.pass_time(LEASE / 2)
        assert await claims.renew([claim, claim_id()]) == {claim}
    assert await claims.take_over(order.order_id, claim_id()) is None
    assert await claims.renew([]) == set()


async def test_a_released_order_is_taken_over_at_once(orders: Orders) -> None:
    claims, claim = orders.claims(), claim_id()
    order = await orders.store().create(new_order())
    await start(claims, order, claim)
    await claims.release([claim])
    assert await claims.renew([claim]) == set()
    assert list((await claims.due(10)).order_ids) == [order.order_id]
    assert await claims.take_over(order.order_id, claim_id()) is not None


async def test_a_claim_lasts_through_the_attempt_and_ends_with_it(orders: Orders) -> None:
    store, claims, claim = orders.store(), orders.claims(), claim_id()
    order = (await placed(store)).order_id
    started = await claims.start(order, claim, event_id())
    assert started is not None
    signing = signed()
    version, _ = await drive(store, started[0].order, route_chosen(), signing)
    held = await claims.reload(order, claim)
    assert held is not None
    assert held.order == version
    await drive(store, version, confirmed(signing.signature))
    assert await claims.reload(order, claim) is None
    assert await claims.renew([claim]) == set()
    await orders.pass_time(LEASE)
    assert await claims.take_over(order, claim_id()) is None


async def test_a_cancel_ends_a_claim_and_the_worker_loses_its_next_fact(orders: Orders) -> None:
    store, claims, claim = orders.store(), orders.claims(), claim_id()
    started = await claims.start((await placed(store)).order_id, claim, event_id())
    assert started is not None
    await drive(store, started[0].order, CancelRequested())
    assert await claims.renew([claim]) == set()
    with pytest.raises(StaleOrder):
        await store.append(started[0].order, route_chosen(), event_id())


async def test_due_orders_are_those_with_a_passed_lease_then_the_oldest_that_fit(orders: Orders) -> None:
    store, claims = orders.store(), orders.claims(max_in_flight=3)
    lost, _ = await submitted(store)
    waiting = await queue(store, 4)
    assert list((await claims.due(10)).order_ids) == ids([lost, *waiting[:2]])
    assert list((await claims.due(1)).order_ids) == ids([lost, waiting[0]])
    assert list((await orders.claims().due(10)).order_ids) == ids([lost, *waiting])
    assert await start(claims, waiting[0])
    assert list((await claims.due(10)).order_ids) == ids([lost, waiting[1]])
    assert await start(claims, waiting[1])
    assert list((await claims.due(10)).order_ids) == [lost.order_id]


async def test_nothing_to_do_has_no_next_time(orders: Orders) -> None:
    await placed(orders.store(), CancelRequested())
    due = await orders.claims(max_in_flight=1, max_starts_per_minute=1).due(10)
    assert (list(due.order_ids), due.next_at) == ([], None)


async def test_the_next_time_is_the_earliest_retry_or_lease(orders: Orders) -> None:
    store, claims = orders.store(), orders.claims()
    await placed(store, AttemptStarted(), attempt_failed(retry_after=timedelta(seconds=20)))
    due = await claims.due(10)
    assert due.order_ids == []
    assert due.next_at is not None
    assert timedelta(seconds=15) < due.next_at <= timedelta(seconds=20)
    await start(claims, await store.create(new_order()))
    soon = (await claims.due(10)).next_at
    assert soon is not None
    assert LEASE - timedelta(seconds=5) < soon <= LEASE


async def test_the_next_time_is_when_the_rate_limit_lets_a_waiting_order_in(orders: Orders) -> None:
    store, claims = orders.store(), orders.claims(max_starts_per_minute=2)
    for order in await queue(store, 2):
        claim = await start(claims, order)
        assert claim is not None
        await drive(store, claim.order, CancelRequested())
        await orders.pass_time(timedelta(seconds=20))
    assert (await claims.due(10)).next_at is None
    await queue(store, 1)
    due = await claims.due(10)
    assert due.order_ids == []
    assert due.next_at is not None
    assert timedelta(seconds=15) < due.next_at <= timedelta(seconds=20)
