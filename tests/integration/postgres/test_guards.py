"""Every write that could lose an order, tried in SQL."""

from itertools import product

import pytest

from order_engine.domain.lifecycle import IN_FLIGHT, TERMINAL, TRANSITIONS
from order_engine.domain.order import AttemptStarted, CancelRequested, OrderStatus
from order_engine.usecases.ports import OrderStore
from tests.contract.order_samples import (
    new_order,
    placed,
    route_chosen,
    signed,
)
from tests.integration.postgres.intruder import EVENT, KEPT_TABLES, MOVE, RESOLVE, Intruder, S, order_in


def test_the_database_knows_the_same_state_table(intruder: Intruder) -> None:
    rows = intruder.connection.execute("SELECT from_status, kind, to_status FROM transitions").fetchall()
    assert set(rows) == {(before.value, fact.__name__, after.value) for (before, fact), after in TRANSITIONS.items()}


def test_every_function_pins_its_search_path(intruder: Intruder) -> None:
    rows = intruder.connection.execute(
        "SELECT proname, proconfig FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    ).fetchall()
    assert {name for name, _ in rows} >= {"guard_order_change", "guard_event", "guard_transaction"}
    assert {tuple(config) for _, config in rows} == {("search_path=pg_catalog, public, pg_temp",)}


@pytest.mark.parametrize("before", [status for status in S if status is not S.EXPIRED])
async def test_no_status_follows_another_unless_the_table_says_so(
    store: OrderStore, intruder: Intruder, before: OrderStatus
) -> None:
    order_id = await order_in(store, before)
    legal = {(status, after) for (status, _), after in TRANSITIONS.items()}
    for after in S:
        if (before, after) not in legal:
            reason = f"has ended as {before}" if before in TERMINAL else f": {after} after {before}"
            intruder.refused(MOVE, because=reason, order_id=order_id, to=after.value)


async def test_only_the_right_fact_makes_a_status(store: OrderStore, intruder: Intruder) -> None:
    kinds = {fact.__name__ for _, fact in TRANSITIONS}
    for before in IN_FLIGHT | {S.PENDING}:
        order_id = await order_in(store, before)
        live = (RESOLVE,) if before is S.SUBMITTED else ()
        for kind in kinds - {fact.__name__ for status, fact in TRANSITIONS if status is before}:
            reason = f"{kind} makes cancelled after {before}"
            moves = (*live, MOVE, EVENT)
            intruder.refused(*moves, because=reason, order_id=order_id, to="cancelled", kind=kind, outcome="dead")


@pytest.mark.parametrize("status", sorted(TERMINAL - {S.EXPIRED}))
async def test_an_order_that_has_ended_never_changes(
    store: OrderStore, intruder: Intruder, status: OrderStatus
) -> None:
    order_id = await order_in(store, status)
    for change in ("takeovers = 1", "sequence = sequence + 1", "update_time = now()", "fill = '{}'"):
        statement = f"UPDATE orders SET {change} WHERE order_id = %(order_id)s"  # noqa: S608
        intruder.refused(statement, because=f"has ended as {status}", order_id=order_id)
    next_event = EVENT.replace("SELECT order_id, sequence,", "SELECT order_id, sequence + 1,")
    for kind in ("CancelRequested", "AttemptStarted"):
        intruder.refused(next_event, because="is not its latest change", order_id=order_id, kind=kind)


@pytest.mark.parametrize("table", KEPT_TABLES)
async def test_nothing_is_ever_deleted(store: OrderStore, intruder: Intruder, table: str) -> None:
    await order_in(store, S.FAILED)
    assert all(intruder.everything())
    intruder.refused(f"DELETE FROM {table}", because=f"{table} keeps everything")  # noqa: S608
    intruder.refused(f"TRUNCATE {table} CASCADE", because="keeps everything")


async def test_what_was_written_about_the_past_stays(store: OrderStore, intruder: Intruder) -> None:
    await order_in(store, S.FAILED)
    for change, reason in {
        "order_events SET detail = '{}'": "order_events keeps everything",
        "order_events SET event_time = now()": "order_events keeps everything",
        "post_mortems SET reason = 'OTHER'": "post_mortems keeps everything",
        "attempts SET started_at = now()": "its start never changes",
        "attempts SET number = 2": "its start never changes",
    }.items():
        intruder.refused(f"UPDATE {change}", because=reason)


@pytest.mark.parametrize(
    "change",
    [
        "order_id = gen_random_uuid()",
        "owner = 'eve'",
        "request_id = 'other'",
        "client_order_id = 'other'",
        "fingerprint = sha256('x')",
        "order_type = 'limit'",
        "token_in = 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1w'",
        "token_out = 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1w'",
        "amount_in = amount_in - 1",
        "slippage_bps = 5000",
        "swap_mode = 'exact_out'",
        "amount_out = 5",
        """guards = '{"max_price_impact_bps": 1}'""",
        "max_attempts = 20",
        "create_time = now()",
    ],
)
async def test_what_was_ordered_never_changes(store: OrderStore, intruder: Intruder, change: str) -> None:
    order_id = await order_in(store, S.ROUTING)
    for version in ("", ", sequence = sequence + 1, status = 'building'"):
        statement = f"UPDATE orders SET {change}{version} WHERE order_id = %(order_id)s"  # noqa: S608
        intruder.refused(statement, because="what was ordered never changes", order_id=order_id)


async def test_without_a_new_version_only_the_claim_may_change(store: OrderStore, intruder: Intruder) -> None:
    order_id = await order_in(store, S.ROUTING)
    for change in ("attempt = 2", "cancel_requested = true", "signature = 'x'", "update_time = now()", "route = '{}'"):
        statement = f"UPDATE orders SET {change} WHERE order_id = %(order_id)s"  # noqa: S608
        intruder.refused(statement, because="sequence 2 after 2", order_id=order_id)
    intruder.runs(
        "UPDATE orders SET claimed_by = gen_random_uuid(), claim_protocol = 2, claimed_until = now(), takeovers = 3"
        " WHERE order_id = %(order_id)s",
        order_id=order_id,
    )


async def test_a_worker_of_an_older_release_can_claim_nothing(store: OrderStore, intruder: Intruder) -> None:
    order_id = await order_in(store, S.BUILDING)
    for claim in ("", ", claim_protocol = 1"):
        statement = f"UPDATE orders SET claimed_by = gen_random_uuid(){claim} WHERE order_id = %(order_id)s"  # noqa: S608
        intruder.refused(statement, because="claimed by a worker of an older release", order_id=order_id)
    intruder.runs("UPDATE orders SET claimed_until = now() WHERE order_id = %(order_id)s", order_id=order_id)


@pytest.mark.parametrize("step", [-1, 2, 3])
async def test_the_sequence_takes_one_step_at_a_time(store: OrderStore, intruder: Intruder, step: int) -> None:
    order_id = await order_in(store, S.ROUTING)
    jump = MOVE.replace("sequence = sequence + 1", f"sequence = sequence + {step}")
    intruder.refused(jump, EVENT, because=f"sequence {2 + step} after 2", order_id=order_id, to="building", kind="x")


async def test_a_version_without_its_event_is_not_committed(store: OrderStore, intruder: Intruder) -> None:
    order_id = await order_in(store, S.ROUTING)
    intruder.refused(MOVE, because="version 3 has no event", order_id=order_id, to="building")
    two = (MOVE, MOVE.replace("%(to)s", "'cancelled'"), EVENT)
    intruder.refused(
        *two,
        because="CancelRequested makes cancelled after nothing",
        order_id=order_id,
        to="building",
        kind="CancelRequested",
    )


async def test_an_event_without_its_version_is_refused(store: OrderStore, intruder: Intruder) -> None:
    order_id = await order_in(store, S.ROUTING)
    intruder.refused(EVENT, because="order_events_pkey", order_id=order_id, kind="AttemptStarted")
    for sequence, status in product((0, 2, 3, 9), ("routing", "building")):
        event = EVENT.replace(
            "SELECT order_id, sequence, gen_random_uuid(), status,",
            f"SELECT order_id, {sequence}, gen_random_uuid(), '{status}',",
        )
        if (sequence, status) != (2, "routing"):
            intruder.refused(event, because="is not its latest change", order_id=order_id, kind="RouteChosen")


async def test_an_attempt_is_counted_when_it_starts_and_only_then(store: OrderStore, intruder: Intruder) -> None:
    pending, routing = await order_in(store, S.PENDING), await order_in(store, S.ROUTING)
    started = {"order_id": pending, "to": "routing", "kind": "AttemptStarted"}
    intruder.refused(MOVE, EVENT, because="attempt 1 is not recorded", **started)
    skip = MOVE.replace("attempt = attempt +", "attempt = attempt + 1 +")
    intruder.refused(skip, because="attempt 2 after 0", **started)
    intruder.refused(skip, because="attempt 2 after 1", order_id=routing, to="building")


async def test_a_cancel_is_requested_once_and_never_taken_back(store: OrderStore, intruder: Intruder) -> None:
    order = await placed(store, AttemptStarted(), route_chosen(), signed(), CancelRequested(1))
    cancel = {"order_id": order.order_id, "to": "submitted", "kind": "CancelRequested"}
    intruder.refused(MOVE, EVENT, because="one_cancel_request", **cancel)
    back = MOVE.replace("claimed_by = NULL", "claimed_by = NULL, cancel_requested = false")
    intruder.refused(back, because="a cancel is never taken back", **cancel)


async def test_a_failed_order_has_a_post_mortem_and_no_other_has_one(store: OrderStore, intruder: Intruder) -> None:
    order_id = await order_in(store, S.ROUTING)
    fail = {"order_id": order_id, "to": "failed", "kind": "OrderFailed"}
    intruder.refused(MOVE, EVENT, because="failed without a post-mortem", **fail)
    invented = "INSERT INTO post_mortems VALUES (%(order_id)s, 'NO_ROUTE', '', '{}', now())"
    intruder.refused(invented, because="has not failed", order_id=order_id)


async def test_an_order_begins_as_a_new_one(store: OrderStore, intruder: Intruder) -> None:
    order = await store.create(new_order())
    copy = """
        CREATE TEMP TABLE copy ON COMMIT DROP AS SELECT * FROM orders WHERE order_id = %(order_id)s;
    """
    insert = "INSERT INTO orders SELECT * FROM copy"
    for change in ("sequence = 2", "attempt = 1", "takeovers = 1", "cancel_requested = true", "route = '{}'"):
        altered = f"UPDATE copy SET order_id = gen_random_uuid(), {change}"  # noqa: S608
        reason = "does not begin as a new order"
        intruder.refused(copy, altered, insert, because=reason, order_id=order.order_id)
    other = "UPDATE copy SET order_id = gen_random_uuid()"
    intruder.refused(copy, other, insert, because="version 1 has no event", order_id=order.order_id)


@pytest.mark.parametrize(
    "change",
    [
        "claimed_until = NULL",
        "next_attempt_at = now()",
        "amount_in = 0",
        "amount_in = 18446744073709551616",
        "takeovers = -1",
        "amount_out = 1",
        "swap_mode = 'exact_out'",
        "guards = '[]'",
        "status = 'pending', next_attempt_at = now(), claimed_until = NULL, claimed_by = NULL, attempt = max_attempts",
    ],
)
async def test_a_row_makes_sense_by_itself(store: OrderStore, intruder: Intruder, change: str) -> None:
    order_id = await order_in(store, S.ROUTING)
    unguarded = "ALTER TABLE orders DISABLE TRIGGER USER"
    statement = f"UPDATE orders SET {change} WHERE order_id = %(order_id)s"  # noqa: S608
    intruder.refused(unguarded, statement, because="check constraint", order_id=order_id)
