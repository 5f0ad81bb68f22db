import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from order_engine.domain.errors import IllegalTransition, OrderNotFound, RequestIdReused, StaleOrder
from order_engine.domain.order import (
    AttemptStarted,
    CancelRequested,
    Fact,
    OrderCancelled,
    OrderFailed,
    OrderId,
    OrderPlaced,
    OrderStatus,
    TransactionOutcome,
)
from order_engine.usecases.ports import OrderStore
from tests.contract.conftest import Orders
from tests.contract.order_samples import (
    FAILURE,
    attempt_failed,
    confirmed,
    dead,
    drive,
    event_id,
    failed_on_chain,
    new_order,
    placed,
    route_chosen,
    signed,
    submitted,
)


async def test_a_created_order_is_stored_with_its_first_event(store: OrderStore) -> None:
    order = new_order("key", client_order_id="mine")
    stored = await store.create(order)
    assert stored == replace(order, create_time=stored.create_time, update_time=stored.create_time)
    assert stored.create_time > order.create_time
    assert await store.get(order.order_id) == stored
    (event,) = await store.events(order.order_id, 0)
    assert (event.sequence, event.status, event.attempt) == (1, OrderStatus.PENDING, 0)
    assert (event.fact, event.event_time) == (OrderPlaced(), stored.create_time)


async def test_an_order_is_shown_to_its_owner_only(store: OrderStore) -> None:
    order = await store.create(new_order(owner="alice"))
    assert await store.get(order.order_id, "alice") == order
    for order_id, owner in ((order.order_id, "bob"), (OrderId(uuid4()), None)):
        with pytest.raises(OrderNotFound):
            await store.get(order_id, owner)


async def test_a_repeated_request_returns_the_first_order_in_whatever_state(store: OrderStore) -> None:
    first = await store.create(new_order("key"))
    moved, _ = await drive(store, first, CancelRequested())
    assert await store.create(new_order("key")) == moved


async def test_a_request_id_is_one_owners_own(store: OrderStore) -> None:
    first = await store.create(new_order("key", owner="alice"))
    assert (await store.create(new_order("key", owner="bob"))).order_id != first.order_id


async def test_orders_without_a_request_id_are_never_the_same(store: OrderStore) -> None:
    first, second = await asyncio.gather(store.create(new_order()), store.create(new_order()))
    assert first.order_id != second.order_id
    assert await store.create(first) == first


async def test_of_32_concurrent_creates_under_one_key_with_two_bodies_one_order_remains(orders: Orders) -> None:
    wanted = [new_order("key", amount_in=1 + index % 2) for index in range(32)]
    stores = [orders.store() for _ in range(4)]
    answers = await asyncio.gather(
        *(stores[index // 2 % 4].create(order) for index, order in enumerate(wanted)), return_exceptions=True
    )
    kept = [answer for answer in answers if not isinstance(answer, BaseException)]
    refused = [answer for answer in answers if isinstance(answer, RequestIdReused)]
    assert (len(kept), len(refused)) == (16, 16)
    assert len({order.order_id for order in kept}) == 1
    assert {error.metadata["order_id"] for error in refused} == {str(kept[0].order_id)}
    assert len(await stores[0].events(kept[0].order_id, 0)) == 1
    others = [order.order_id for order in wanted if order.order_id != kept[0].order_id]
    assert await stores[0].latest_sequences(others) == {}


async def test_a_life_is_stored_fact_by_fact(store: OrderStore) -> None:
    order = await store.create(new_order())
    signing = signed()
    facts: list[Fact] = [AttemptStarted(), route_chosen(), signing, confirmed(signing.signature)]
    versions = [order]
    for fact in facts:
        order, event = await store.append(order, fact, event_id())
        versions.append(order)
        assert await store.get(order.order_id) == order
        assert (event.fact, event.sequence, event.event_time) == (fact, order.sequence, order.update_time)
    assert order.status is OrderStatus.CONFIRMED
    events = await store.events(order.order_id, 0)
    assert [event.fact for event in events] == [OrderPlaced(), *facts]
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
    assert [event.status for event in events] == [version.status for version in versions]
    assert [event.event_time for event in events] == sorted(event.event_time for event in events)


async def test_events_start_after_a_sequence(store: OrderStore) -> None:
    order = await placed(store, AttemptStarted(), route_chosen())
    assert [event.sequence for event in await store.events(order.order_id, 1)] == [2, 3]
    assert await store.events(order.order_id, 3) == []
    assert await store.events(OrderId(uuid4()), 0) == []


async def test_concurrent_watchers_each_get_what_they_asked_for(store: OrderStore) -> None:
    one, other = await placed(store, AttemptStarted(), route_chosen()), await placed(store)
    asked = [(one.order_id, 0), (one.order_id, 2), (other.order_id, 0), (one.order_id, 0), (other.order_id, 1)]
    answers = await asyncio.gather(*(store.events(*wanted) for wanted in asked))
    assert [[event.sequence for event in answer] for answer in answers] == [[1, 2, 3], [3], [1], [1, 2, 3], []]
    assert {event.order_id for event in answers[2]} == {other.order_id}


async def test_latest_sequences_of_many_orders(store: OrderStore) -> None:
    one, other = await placed(store, AttemptStarted()), await placed(store)
    unknown = OrderId(uuid4())
    latest = await store.latest_sequences([one.order_id, other.order_id, unknown])
    assert latest == {one.order_id: 2, other.order_id: 1}


async def test_a_fact_on_an_older_version_is_stale(store: OrderStore) -> None:
    order = await store.create(new_order())
    await drive(store, order, AttemptStarted())
    with pytest.raises(StaleOrder):
        await store.append(order, CancelRequested(), event_id())
    with pytest.raises(StaleOrder):
        await store.append(new_order(), CancelRequested(), event_id())
    assert await store.latest_sequences([order.order_id]) == {order.order_id: 2}


async def test_a_fact_that_does_not_fit_is_refused_and_changes_nothing(store: OrderStore) -> None:
    order = await store.create(new_order())
    with pytest.raises(IllegalTransition):
        await store.append(order, signed(), event_id())
    assert await store.get(order.order_id) == order
    assert len(await store.events(order.order_id, 0)) == 1


async def test_of_16_concurrent_facts_on_one_version_one_is_stored(orders: Orders) -> None:
    order = await placed(orders.store(), AttemptStarted())
    stores = [orders.store() for _ in range(4)]
    answers = await asyncio.gather(
        *(stores[index % 4].append(order, route_chosen(), event_id()) for index in range(16)), return_exceptions=True
    )
    assert sum(isinstance(answer, tuple) for answer in answers) == 1
    assert sum(isinstance(answer, StaleOrder) for answer in answers) == 15


async def test_a_replayed_event_returns_what_was_stored(store: OrderStore) -> None:
    order, identity, fact = await placed(store, AttemptStarted()), event_id(), route_chosen()
    first = await store.append(order, fact, identity)
    assert await store.append(order, fact, identity) == first
    await drive(store, first[0], CancelRequested())
    assert await store.append(order, fact, identity) == first
    assert len(await store.events(order.order_id, 0)) == 4


async def test_the_recorded_bytes_are_live_until_their_outcome(store: OrderStore) -> None:
    order, fact = await placed(store, AttemptStarted(), route_chosen()), signed()
    assert await store.live_transaction(order.order_id) is None
    order, _ = await drive(store, order, fact)
    live = await store.live_transaction(order.order_id)
    assert live is not None
    assert (live.signature, live.raw, live.last_valid_block_height) == (fact.signature, fact.raw, 1_000)
    await drive(store, order, attempt_failed(failed_on_chain(fact.signature)))
    assert await store.live_transaction(order.order_id) is None


async def test_a_retry_is_due_exactly_its_delay_after_the_failure(store: OrderStore) -> None:
    order = await placed(store, AttemptStarted())
    order, event = await drive(store, order, attempt_failed(retry_after=timedelta(microseconds=1_234_567)))
    assert (order.status, order.failure) == (OrderStatus.PENDING, FAILURE)
    assert order.next_attempt_at == event.event_time + timedelta(microseconds=1_234_567)
    assert await store.get(order.order_id) == order


async def test_a_second_attempt_keeps_the_first_ones_route_until_it_has_its_own(store: OrderStore) -> None:
    first = route_chosen()
    order = await placed(store, AttemptStarted(), first, attempt_failed(), AttemptStarted())
    assert (order.attempt, order.route) == (2, first.route)
    assert await store.get(order.order_id) == order


async def test_a_cancel_of_a_sent_transaction_waits_for_its_death(store: OrderStore) -> None:
    order, signature = await submitted(store)
    order, _ = await drive(store, order, CancelRequested(1_033))
    assert (order.status, order.cancel_requested) == (OrderStatus.SUBMITTED, True)
    assert await store.live_transaction(order.order_id) is not None
    with pytest.raises(IllegalTransition):
        await store.append(order, CancelRequested(1_033), event_id())
    order, _ = await drive(store, order, OrderCancelled(dead(signature)))
    assert order.status is OrderStatus.CANCELLED
    assert await store.get(order.order_id) == order


async def test_a_signature_is_recorded_once_and_never_for_another_order(store: OrderStore) -> None:
    fact = signed()
    await placed(store, AttemptStarted(), route_chosen(), fact)
    other = await placed(store, AttemptStarted(), route_chosen())
    with pytest.raises(StaleOrder):
        await store.append(other, fact, event_id())
    assert await store.get(other.order_id) == other


async def test_a_landed_transaction_can_end_an_order_only_as_confirmed(store: OrderStore) -> None:
    order, signature = await submitted(store)
    landed = replace(dead(signature), outcome=TransactionOutcome.LANDED)
    for fact in (attempt_failed(landed), OrderFailed(failure=FAILURE, transaction=landed), OrderCancelled(landed)):
        with pytest.raises((StaleOrder, IllegalTransition)):
            await store.append(order, fact, event_id())
    assert await store.get(order.order_id) == order


async def test_one_refused_fact_does_not_harm_the_others_of_its_batch(store: OrderStore) -> None:
    taken = signed()
    await placed(store, AttemptStarted(), route_chosen(), taken)
    others = [await placed(store, AttemptStarted(), route_chosen()) for _ in range(6)]
    facts = [taken if index == 3 else signed() for index in range(6)]
    answers = await asyncio.gather(
        *(store.append(order, fact, event_id()) for order, fact in zip(others, facts, strict=True)),
        return_exceptions=True,
    )
    assert isinstance(answers.pop(3), StaleOrder)
    assert [type(answer) for answer in answers] == [tuple] * 5


async def test_text_that_a_database_cannot_hold_does_not_block_an_order(store: OrderStore) -> None:
    order = await placed(store, AttemptStarted())
    failure = replace(FAILURE, message="log \0 line \ud800", metadata={"a\0": "b\0"})
    order, _ = await drive(store, order, OrderFailed(failure=failure))
    assert order.status is OrderStatus.FAILED
    assert (await store.get(order.order_id)).status is OrderStatus.FAILED
