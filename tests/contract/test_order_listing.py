"""Lists of orders: newest first, filtered, in pages that neither skip nor repeat, whatever is placed meanwhile."""

from dataclasses import replace
from datetime import timedelta

import pytest

from order_engine.domain.order import AttemptStarted, CancelRequested, Order, OrderStatus
from order_engine.usecases.list_orders import ListOrders
from order_engine.usecases.ports import OrderFilter, OrderStore
from tests.contract.order_samples import attempt_failed, drive, new_order, route_chosen

ALL = OrderFilter(owner="local")


@pytest.fixture
async def five(store: OrderStore) -> list[Order]:
    return [await store.create(new_order(client_order_id=f"c{number % 2}")) for number in range(5)]


async def test_pages_are_newest_first_and_do_not_skip_or_repeat(store: OrderStore, five: list[Order]) -> None:
    listing = ListOrders(store)
    first = await listing(ALL, 2, None)
    await store.create(new_order())
    second = await listing(ALL, 2, first.next_after)
    last = await listing(ALL, 2, second.next_after)
    assert [*first.orders, *second.orders, *last.orders] == five[::-1]
    assert last.next_after is None


async def test_a_page_that_ends_exactly_with_the_last_order_is_the_last(store: OrderStore, five: list[Order]) -> None:
    page = await ListOrders(store)(ALL, len(five), None)
    assert len(page.orders) == len(five)
    assert page.next_after is None


async def test_every_filter_narrows_the_list(store: OrderStore, five: list[Order]) -> None:
    cancelled, _ = await drive(store, five[0], CancelRequested())
    listing = ListOrders(store)

    async def listed(**wanted: object) -> list[Order]:
        return list((await listing(replace(ALL, **wanted), 10, None)).orders)  # type: ignore[arg-type]

    assert await listed(status=OrderStatus.CANCELLED) == [cancelled]
    assert len(await listed(status=OrderStatus.PENDING)) == 4
    assert [one.client_order_id for one in await listed(client_order_id="c1")] == ["c1", "c1"]
    assert len(await listed(token_in=five[0].token_in)) == 5
    assert await listed(token_in=five[0].token_out) == []
    assert len(await listed(token_out=five[0].token_out)) == 5
    assert await listed(owner="somebody else") == []
    assert await listed(create_time_after=five[3].create_time) == [five[4]]
    assert await listed(create_time_before=five[1].create_time) == [cancelled]
    everything = five[0].create_time - timedelta(seconds=1)
    assert await listed(create_time_before=everything) == []


async def test_the_venue_filter_looks_at_the_latest_route(store: OrderStore, five: list[Order]) -> None:
    chosen = route_chosen()
    routed, _ = await drive(store, five[0], AttemptStarted(), chosen)
    other = replace(chosen.route, legs=tuple(replace(leg, venue="elsewhere") for leg in chosen.route.legs))
    again, _ = await drive(
        store, five[1], AttemptStarted(), chosen, attempt_failed(), AttemptStarted(), replace(chosen, route=other)
    )

    async def listed(venue: str) -> list[Order]:
        return list((await ListOrders(store)(replace(ALL, venue=venue), 10, None)).orders)

    assert await listed(chosen.route.legs[0].venue) == [routed]
    assert await listed("elsewhere") == [again]
    assert await listed("nowhere") == []
