"""Orders through the public doors of a running engine, and what the chain says about them afterwards."""

import asyncio
from pathlib import Path

import grpc
import httpx
import psycopg
import pytest

from order_engine.domain.tokens import TOKENS_BY_SYMBOL
from protos.order_engine.v1 import order_service_pb2 as pb
from tests.e2e.live import LiveEngine, live_engine, statuses, submit, watch

SOL, USDC = (str(TOKENS_BY_SYMBOL[symbol].mint) for symbol in ("SOL", "USDC"))


async def chain(engine: LiveEngine, method: str, *params: object) -> dict[str, object]:
    async with httpx.AsyncClient() as client:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return (await client.post(engine.rpc_url, json=body)).json()  # type: ignore[no-any-return]


async def test_an_order_executed_once_has_exactly_five_updates(engine: LiveEngine) -> None:
    async with engine.orders() as orders:
        updates = await watch(orders, await submit(orders))
    assert statuses(updates) == ["pending", "routing", "building", "submitted", "confirmed"]
    times = [one.event_time.ToNanoseconds() for one in updates]
    assert times == sorted(times)
    route, sent, fill = updates[2].route, updates[3].transaction, updates[4].fill
    assert sent.signature == fill.signature
    assert fill.amount_in == 10**8
    assert route.min_amount_out <= fill.amount_out
    assert route.min_amount_out == route.amount_out * 9_950 // 10_000


async def test_the_recorded_fill_is_what_the_chain_says(engine: LiveEngine) -> None:
    async with engine.orders() as orders:
        updates = await watch(orders, await submit(orders, token_in="USDC", token_out="SOL", amount_in=5_000_000))
    fill = updates[-1].fill
    options = {"encoding": "json", "maxSupportedTransactionVersion": 0, "commitment": "confirmed"}
    landed = (await chain(engine, "getTransaction", fill.signature, options))["result"]
    assert isinstance(landed, dict)
    meta = landed["meta"]
    assert (meta["err"], landed["slot"], meta["fee"]) == (None, fill.slot, fill.fee_lamports)
    spent = {
        one["mint"]: int(one["uiTokenAmount"]["amount"])
        for one in meta["preTokenBalances"]
        if one["owner"] == landed["transaction"]["message"]["accountKeys"][0] or one["mint"] == USDC
    }
    assert fill.amount_in == 5_000_000
    assert USDC in spent
    assert meta["postBalances"][0] - meta["preBalances"][0] + meta["fee"] == fill.amount_out


async def test_all_venues_are_compared_and_the_better_net_output_is_chosen(engine: LiveEngine) -> None:
    async with engine.orders() as orders:
        order_id = await submit(orders)
        await watch(orders, order_id)
        explained = await orders.ExplainOrder(pb.ExplainOrderRequest(order_id=order_id))
    candidates = explained.attempts[0].candidates
    assert {one.route.legs[0].venue for one in candidates} >= {"raydium_cpmm", "meteora_damm_v2", "raydium_amm_v4"}
    assert [one.chosen for one in candidates] == [True] + [False] * (len(candidates) - 1)
    nets = [one.net_amount_out for one in candidates]
    assert nets == sorted(nets, reverse=True)
    assert all(one.route.slot > 0 for one in candidates if not one.reject_reason)


def in_flight_changes(life: list[pb.OrderStatusUpdate]) -> list[tuple[int, int]]:
    """Return when the order took a slot (+1) and gave it back (-1), retries included."""
    changes, held = [], False
    for update in life:
        holds = update.status in (pb.ORDER_STATUS_ROUTING, pb.ORDER_STATUS_BUILDING, pb.ORDER_STATUS_SUBMITTED)
        if holds is not held:
            changes.append((update.event_time.ToNanoseconds(), 1 if holds else -1))
        held = holds
    return changes


async def test_twenty_orders_at_once_all_confirm_within_the_limits(engine: LiveEngine) -> None:
    async with engine.orders() as orders:
        ids = await asyncio.gather(*(submit(orders, amount_in=10**7 + number) for number in range(20)))
        lives = await asyncio.gather(*(watch(orders, order_id) for order_id in ids))
    assert [statuses(life)[-1] for life in lives] == ["confirmed"] * 20
    moves = sorted(change for life in lives for change in in_flight_changes(life))
    in_flight = most = 0
    for _, change in moves:
        in_flight += change
        most = max(most, in_flight)
    assert most <= 10
    signatures = [life[-1].fill.signature for life in lives]
    assert len(set(signatures)) == 20


async def test_any_watcher_can_resume_at_any_sequence(engine: LiveEngine) -> None:
    async with engine.orders() as orders:
        order_id = await submit(orders)
        whole = await watch(orders, order_id)
        for after in range(len(whole)):
            request = pb.StreamOrderStatusRequest(order_id=order_id, after_sequence=after)
            assert [one async for one in orders.StreamOrderStatus(request, timeout=5)] == whole[after:]
        end = pb.StreamOrderStatusRequest(order_id=order_id, after_sequence=len(whole))
        assert [one async for one in orders.StreamOrderStatus(end, timeout=5)] == []
        beyond = pb.StreamOrderStatusRequest(order_id=order_id, after_sequence=len(whole) + 1)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            [one async for one in orders.StreamOrderStatus(beyond, timeout=5)]
        assert refused.value.code() is grpc.StatusCode.OUT_OF_RANGE


async def test_fifty_watchers_of_one_order_see_the_same_life(engine: LiveEngine) -> None:
    async with engine.orders() as orders:
        order_id = await submit(orders)
        lives = await asyncio.gather(*(watch(orders, order_id) for _ in range(50)))
    assert all(life == lives[0] for life in lives)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"token_out": "11111111111111111111111111111112"}, "TOKEN_NOT_FOUND"),
        ({"amount_in": 2**64 - 1}, "INSUFFICIENT_FUNDS"),
        ({"token_in": "USDC", "token_out": "SOL", "amount_in": 2**63}, "INSUFFICIENT_FUNDS"),
        ({"amount_in": 1}, "AMOUNT_TOO_SMALL"),
    ],
)
async def test_what_only_the_chain_knows_fails_the_order_with_a_reason(
    engine: LiveEngine, fields: dict[str, object], reason: str
) -> None:
    async with engine.orders() as orders:
        order_id = await submit(orders, **fields)
        updates = await watch(orders, order_id)
        order = await orders.GetOrder(pb.GetOrderRequest(order_id=order_id))
    assert updates[-1].status == pb.ORDER_STATUS_FAILED
    assert updates[-1].failure.reason == order.failure.reason == reason
    assert updates[-1].failure.message


async def test_one_request_id_from_many_clients_is_one_order(engine: LiveEngine) -> None:
    async with engine.orders() as orders:
        ids = await asyncio.gather(*(submit(orders, request_id="one-and-only") for _ in range(32)))
        assert len(set(ids)) == 1
        updates = await watch(orders, ids[0])
        assert await submit(orders, request_id="one-and-only") == ids[0]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await submit(orders, request_id="one-and-only", amount_in=5)
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert statuses(updates).count("confirmed") == 1


async def test_failing_transactions_are_retried_with_waits_and_end_in_a_post_mortem(state_dir: Path) -> None:
    with live_engine(state_dir, PAPERNET_FAILURE_RATE="1", WORKERS="1") as engine:
        async with engine.orders() as orders:
            order_id = await submit(orders)
            updates = await watch(orders, order_id)
        post_mortem = _post_mortem(engine, order_id)
    once = ["pending", "routing", "building", "submitted"]
    assert statuses(updates) == [*once, *once, *once, "failed"]
    waits = [
        (one.retry.next_attempt_time.ToNanoseconds() - one.event_time.ToNanoseconds()) / 1e9
        for one in updates
        if one.HasField("retry")
    ]
    assert waits == [1.0, 2.0]
    starts = [one.event_time.ToNanoseconds() / 1e9 for one in updates if one.status == pb.ORDER_STATUS_ROUTING]
    due = [one.retry.next_attempt_time.ToNanoseconds() / 1e9 for one in updates if one.HasField("retry")]
    assert all(0 <= start - planned <= 0.5 for start, planned in zip(starts[1:], due, strict=True))
    reason, report = post_mortem
    assert reason == updates[-1].failure.reason
    signatures = {one.transaction.signature for one in updates if one.HasField("transaction")}
    assert len(signatures) == 3
    assert all(signature in report for signature in signatures)


def _post_mortem(engine: LiveEngine, order_id: str) -> tuple[str, str]:
    with psycopg.connect(engine.database_url) as connection:
        row = connection.execute(
            "SELECT reason, report::text FROM post_mortems WHERE order_id = %s", (order_id,)
        ).fetchone()
    assert row is not None
    return row[0], row[1]
