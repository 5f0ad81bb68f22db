"""ExecuteOrder survives a death at any step, never has two transactions out, and ends every order."""

import itertools
from datetime import timedelta

import pytest
from solders.pubkey import Pubkey

from order_engine.domain.errors import Unavailable
from order_engine.domain.lifecycle import TERMINAL
from order_engine.domain.order import (
    AttemptFailed,
    CancelRequested,
    Order,
    OrderStatus,
    RouteChosen,
    TransactionConfirmed,
    TransactionSigned,
)
from tests.unit.usecases.paper_world import LEASE, SLIPPED, Crash, World, executor, placed

STEPS = 40


async def work_until_over(world: World, order: Order, rounds: int = 200) -> Order:
    """Give the order to one worker after the other, as hints and the sweeper would, until it is terminal."""
    for _ in range(rounds):
        try:
            await executor(world)(order.order_id, world.identifiers.claim_id())
        except Crash:
            world.time += LEASE
        order = await world.store.get(order.order_id)
        if order.status in TERMINAL:
            return order
        world.time += timedelta(milliseconds=100)
    raise AssertionError(f"{order} never ended")


def assert_safe(world: World, order: Order) -> None:
    events = world.store.records[order.order_id].events
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    recorded = {event.fact.signature for event in events if isinstance(event.fact, TransactionSigned)}
    assert world.recorded_before_send
    assert set(world.landed) <= recorded
    succeeded = [signature for signature, error in world.landed.items() if error is None]
    assert len(succeeded) == (1 if order.status is OrderStatus.CONFIRMED else 0)


async def test_the_best_pool_is_chosen_and_the_order_confirmed() -> None:
    world = World()
    order = await work_until_over(world, await placed(world))
    assert order.status is OrderStatus.CONFIRMED
    assert order.route is not None
    assert order.route.legs[0].pool == Pubkey([22] * 32)
    assert (order.sequence, order.attempt) == (5, 1)
    assert_safe(world, order)


@pytest.mark.parametrize("lands_after_sends", [1, 2])
@pytest.mark.parametrize("fails_on_chain", [0, 1])
@pytest.mark.parametrize("crash_at", range(1, STEPS))
async def test_a_death_at_any_step_neither_loses_nor_doubles(
    crash_at: int, fails_on_chain: int, lands_after_sends: int
) -> None:
    world = World(crash_at=crash_at, fails_on_chain=fails_on_chain, lands_after_sends=lands_after_sends)
    order = await work_until_over(world, await placed(world))
    assert order.status is OrderStatus.CONFIRMED
    assert_safe(world, order)


async def test_a_transaction_that_never_lands_is_followed_only_when_it_is_dead() -> None:
    world = World(lands_after_sends=0)
    order = await work_until_over(world, await placed(world))
    assert order.status is OrderStatus.FAILED
    assert order.failure is not None
    assert order.failure.reason == "TRANSACTION_EXPIRED"
    signed = [event for event in world.events if isinstance(event.fact, TransactionSigned)]
    assert len(signed) == 3
    for earlier, later in itertools.pairwise(signed):
        assert later.event_time - earlier.event_time > timedelta(seconds=0.4 * (150 + 32))
    assert all(times > 10 for times in world.sent.values())
    assert_safe(world, order)


async def test_attempts_are_limited_and_wait_one_then_two_seconds() -> None:
    world = World(fails_on_chain=9)
    order = await work_until_over(world, await placed(world))
    assert order.status is OrderStatus.FAILED
    assert order.failure is not None
    assert order.failure.reason == "SLIPPAGE_EXCEEDED"
    waits = [event.fact.retry_after for event in world.events if isinstance(event.fact, AttemptFailed)]
    assert waits == [timedelta(seconds=1), timedelta(seconds=2)]
    assert_safe(world, order)


async def test_a_slipped_simulation_signs_nothing_and_routes_again() -> None:
    world = World(simulations=[SLIPPED])
    order = await work_until_over(world, await placed(world))
    assert order.status is OrderStatus.CONFIRMED
    assert order.attempt == 2
    assert len(world.signed) == 1


async def test_a_cancel_after_sending_stops_resending_and_wins_only_over_a_dead_transaction() -> None:
    world = World(lands_after_sends=0)
    order = await placed(world)
    send, seen = world.send, []

    async def cancel_then_send(transaction: object) -> None:
        await send(transaction)  # type: ignore[arg-type]
        current = await world.store.get(order.order_id)
        if not current.cancel_requested:
            await world.store.append(current, CancelRequested(0), world.identifiers.event_id())
            seen.append(sum(world.sent.values()))

    world.send = cancel_then_send  # type: ignore[method-assign,assignment]
    ended = await work_until_over(world, order)
    assert ended.status is OrderStatus.CANCELLED
    assert sum(world.sent.values()) == seen[0] == 1
    assert ended.attempt == 1


async def test_a_cancel_after_sending_does_not_undo_a_landing() -> None:
    world = World(lands_after_sends=1)
    order = await placed(world)
    send = world.send

    async def send_then_cancel(transaction: object) -> None:
        await send(transaction)  # type: ignore[arg-type]
        current = await world.store.get(order.order_id)
        await world.store.append(current, CancelRequested(0), world.identifiers.event_id())

    world.send = send_then_cancel  # type: ignore[method-assign,assignment]
    ended = await work_until_over(world, order)
    assert ended.status is OrderStatus.CONFIRMED
    assert_safe(world, ended)


async def test_a_cancel_before_signing_keeps_anything_from_being_sent() -> None:
    world = World()
    order = await placed(world)
    simulate = world.simulate

    async def cancel_meanwhile(plan: object) -> object:
        current = await world.store.get(order.order_id)
        await world.store.append(current, CancelRequested(0), world.identifiers.event_id())
        return await simulate(plan)  # type: ignore[arg-type]

    world.simulate = cancel_meanwhile  # type: ignore[method-assign,assignment]
    ended = await work_until_over(world, order)
    assert ended.status is OrderStatus.CANCELLED
    assert world.sent == {}


async def test_an_order_that_keeps_killing_its_workers_ends_worker_lost() -> None:
    world = World()
    order = await placed(world)

    async def die(plan: object) -> object:
        raise Crash

    world.simulate = die  # type: ignore[method-assign,assignment]
    ended = await work_until_over(world, order)
    assert ended.status is OrderStatus.FAILED
    assert ended.failure is not None
    assert ended.failure.reason == "WORKER_LOST"
    assert world.sent == {}


@pytest.mark.parametrize(
    ("world", "reason", "attempts"),
    [
        (World(token_exists=False), "TOKEN_NOT_FOUND", 1),
        (World(balance=9), "INSUFFICIENT_FUNDS", 1),
        (World(pools={Pubkey([21] * 32): 0}), "AMOUNT_TOO_SMALL", 1),
        (World(pools={}), "NO_ROUTE", 3),
        (World(pools={Pubkey([21] * 32): 255}), "NO_ROUTE", 3),
    ],
)
async def test_an_order_that_cannot_be_filled_fails_with_its_reason(world: World, reason: str, attempts: int) -> None:
    order = await work_until_over(world, await placed(world))
    assert order.status is OrderStatus.FAILED
    assert order.failure is not None
    assert (order.failure.reason, order.attempt) == (reason, attempts)
    assert world.sent == {}


async def test_an_unreachable_chain_is_waited_for_without_costing_an_attempt() -> None:
    world = World(unreachable_calls=10)
    order = await work_until_over(world, await placed(world))
    assert order.status is OrderStatus.CONFIRMED
    assert order.attempt == 1


async def test_a_chain_that_stays_away_ends_the_attempt_with_a_reason() -> None:
    world = World(unreachable_calls=10_000)
    order = await work_until_over(world, await placed(world))
    assert order.failure is not None
    assert order.failure.reason == "CHAIN_UNAVAILABLE"


async def test_every_candidate_is_kept_the_rejected_ones_last() -> None:
    world = World(pools={Pubkey([21] * 32): 90, Pubkey([22] * 32): 100, Pubkey([23] * 32): 255})
    await work_until_over(world, await placed(world))
    (chosen,) = [event.fact for event in world.events if isinstance(event.fact, RouteChosen)]
    assert [one.net_amount_out for one in chosen.candidates] == [100, 90, 0]
    assert chosen.candidates[-1].reject_reason == "QUOTE_REFUSED: paused"


async def test_a_pool_that_refused_the_swap_is_left_out_of_the_next_attempt() -> None:
    world = World(simulations=['{"InstructionError":[4,{"Custom":6099}]}'])
    order = await work_until_over(world, await placed(world))
    assert (order.status, order.attempt) == (OrderStatus.CONFIRMED, 2)
    first, second = [event.fact for event in world.events if isinstance(event.fact, RouteChosen)]
    assert [first.route.legs[0].pool, second.route.legs[0].pool] == [Pubkey([22] * 32), Pubkey([21] * 32)]
    assert [one.reject_reason.split(":")[0] for one in second.candidates] == ["", "REFUSED_BEFORE"]


async def test_the_only_pool_is_tried_again_though_it_refused_the_swap() -> None:
    world = World(simulations=['{"InstructionError":[4,{"Custom":6099}]}'], pools={Pubkey([22] * 32): 100})
    order = await work_until_over(world, await placed(world))
    assert (order.status, order.attempt) == (OrderStatus.CONFIRMED, 2)


async def test_a_price_that_moved_leaves_no_pool_out() -> None:
    world = World(simulations=[SLIPPED])
    order = await work_until_over(world, await placed(world))
    assert order.attempt == 2
    assert order.route is not None
    assert order.route.legs[0].pool == Pubkey([22] * 32)


async def test_venues_that_cannot_be_read_for_a_moment_cost_no_attempt() -> None:
    world = World(unreadable_views=3)
    order = await work_until_over(world, await placed(world))
    assert (order.status, order.attempt) == (OrderStatus.CONFIRMED, 1)
    assert world.unreadable_views == 0


@pytest.mark.parametrize("kept", [True, False], ids=["commit kept", "commit lost"])
@pytest.mark.parametrize("fact", [RouteChosen, TransactionSigned, TransactionConfirmed])
async def test_a_store_that_goes_away_in_mid_write_is_waited_out_by_the_same_worker(fact: type, kept: bool) -> None:
    world = World()
    order = await placed(world)
    append, reload = world.store.append, world.claims.reload
    outages = {"append": 1, "reload": 3}

    async def failing_append(current: Order, what: object, event_id: object) -> object:
        if isinstance(what, fact) and outages["append"]:
            outages["append"] = 0
            if kept:
                await append(current, what, event_id)  # type: ignore[arg-type]
            raise Unavailable("away")
        return await append(current, what, event_id)  # type: ignore[arg-type]

    async def failing_reload(order_id: object, claim_id: object) -> object:
        if outages["append"] == 0 and outages["reload"]:
            outages["reload"] -= 1
            raise Unavailable("still away")
        return await reload(order_id, claim_id)  # type: ignore[arg-type]

    world.store.append = failing_append  # type: ignore[method-assign,assignment]
    world.claims.reload = failing_reload  # type: ignore[method-assign,assignment]
    await executor(world)(order.order_id, world.identifiers.claim_id())
    ended = await world.store.get(order.order_id)
    assert (ended.status, ended.attempt) == (OrderStatus.CONFIRMED, 1)
    assert_safe(world, ended)
