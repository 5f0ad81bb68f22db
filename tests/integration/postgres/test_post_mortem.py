from psycopg.rows import dict_row

from order_engine.adapters.postgres.codec import decode_candidates, encode_failure
from order_engine.adapters.postgres.order_store import PostgresOrderStore
from order_engine.domain.order import AttemptStarted, CancelRequested, Failure, OrderFailed
from tests.contract.order_samples import (
    FAILURE,
    attempt_failed,
    dead,
    drive,
    failed_on_chain,
    new_order,
    placed,
    route_chosen,
    signed,
)
from tests.integration.postgres.intruder import Intruder

LAST = Failure("TRANSACTION_EXPIRED", "never landed", {"signature": "x"})


async def test_it_holds_every_attempt_and_the_timeline(store: PostgresOrderStore, intruder: Intruder) -> None:
    first, second = signed(), signed()
    chosen, again = route_chosen(), route_chosen("meteora_damm_v2")
    order = await store.create(new_order(client_order_id="mine"))
    order, _ = await drive(
        store,
        order,
        AttemptStarted(),
        chosen,
        first,
        attempt_failed(failed_on_chain(first.signature)),
        AttemptStarted(),
        attempt_failed(),
        AttemptStarted(),
        again,
        second,
        OrderFailed(failure=LAST, transaction=dead(second.signature)),
    )
    row = intruder.connection.cursor(row_factory=dict_row).execute("SELECT * FROM post_mortems").fetchone()
    assert row is not None
    assert (row["order_id"], row["reason"], row["message"]) == (order.order_id, LAST.reason, LAST.message)
    assert row["created_at"] == order.update_time
    report = row["report"]
    assert (report["client_order_id"], report["amount_in"], report["failure"]) == (
        "mine",
        order.amount_in,
        encode_failure(LAST),
    )
    attempts = report["attempts"]
    assert [attempt["number"] for attempt in attempts] == [1, 2, 3]
    assert [attempt["failure"]["reason"] for attempt in attempts] == [FAILURE.reason, FAILURE.reason, LAST.reason]
    assert [decode_candidates(attempt["candidates"]) for attempt in attempts] == [
        chosen.candidates,
        (),
        again.candidates,
    ]
    landed, nothing, expired = (attempt["transaction"] for attempt in attempts)
    assert (landed["signature"], landed["outcome"], landed["slot"]) == (str(first.signature), "failed", 78)
    assert landed["error"] == '{"InstructionError":[2,{"Custom":6005}]}'
    assert nothing is None
    assert (expired["signature"], expired["outcome"], expired["error"]) == (str(second.signature), "dead", None)
    timeline = report["timeline"]
    assert [entry["sequence"] for entry in timeline] == list(range(1, 12))
    assert [entry["status"] for entry in timeline][-3:] == ["building", "submitted", "failed"]
    assert timeline[-1]["kind"] == "OrderFailed"
    assert timeline[-1]["detail"]["failure"] == encode_failure(LAST)


async def test_only_a_failed_order_has_one(store: PostgresOrderStore, intruder: Intruder) -> None:
    await placed(store, AttemptStarted(), attempt_failed(), CancelRequested())
    assert intruder.connection.execute("SELECT count(*) FROM post_mortems").fetchone() == (0,)
    await placed(store, AttemptStarted(), OrderFailed(failure=FAILURE))
    assert intruder.connection.execute("SELECT count(*) FROM post_mortems").fetchone() == (1,)
