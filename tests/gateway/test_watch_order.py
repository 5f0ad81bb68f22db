"""WebSocket /api/orders/{orderId}/stream."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import grpc
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.gateway.conftest import Bridge, everything, running_bridge, settings_for
from tests.gateway.fake_engine import FakeEngine, refusal
from tests.gateway.lives import (
    CANCELLED,
    CANCELLED_WHILE_OUT,
    FAILED,
    PLACED,
    RETRIED,
    SIGNATURE,
    SUCCESS,
    attempt_up_to_submitted,
    confirmed,
    route,
)


def told(frames: list[str]) -> list[dict[str, object]]:
    return [json.loads(frame) for frame in frames]


def statuses(frames: list[str]) -> list[object]:
    return [frame["status"] for frame in told(frames)]


async def test_the_life_of_an_executed_order(bridge: Bridge, engine: FakeEngine) -> None:
    life = engine.place(SUCCESS)
    order_id = life.order.order_id
    async with bridge.stream(order_id) as socket:
        frames = await everything(socket)
    pending, routing, building, submitted, done = told(frames)
    time = "2026-09-21T14:13:2{}.250Z"
    assert pending == {
        "orderId": order_id,
        "status": "pending",
        "message": "Connected - streaming status updates",
        "timestamp": time.format(1),
    }
    assert (routing["status"], building["status"], submitted["status"]) == ("routing", "building", "submitted")
    assert building["data"] == {"dexUsed": "raydium"}
    assert "data" not in routing
    assert "data" not in submitted
    assert done == {
        "orderId": order_id,
        "status": "confirmed",
        "message": "Transaction confirmed",
        "data": {"txHash": SIGNATURE, "executedPrice": 151.234567, "amountOut": 151.234567, "dexUsed": "raydium"},
        "timestamp": time.format(5),
    }
    assert all(frame["message"] for frame in told(frames))
    assert socket.close_code == 1000


@pytest.mark.parametrize(
    ("amount_in", "amount_out", "price", "amount"),
    [
        (3_000_000_000, 1_000_000, "0.333333333333", "1"),
        (1_000_000_000, 2**64 - 1, "18446744073700", "18446744073709.551615"),
        (1, 100_000_000_000, "100000000000000", "100000"),
        (2**64 - 1, 1, "0.0000000000000000542101086243", "0.000001"),
        (1_000_000_000, 150_000_000, "150", "150"),
        (8_000_000_000_000, 1_000_000_000_001, "125", "1000000.000001"),
        (2_000_000_000_000, 2_000_000_000_005, "1000", "2000000.000005"),
    ],
)
async def test_numbers_are_printed_from_decimals(
    bridge: Bridge, engine: FakeEngine, amount_in: int, amount_out: int, price: str, amount: str
) -> None:
    end = confirmed(amount_in=amount_in, amount_out=amount_out)
    frames = await bridge.frames(engine.place([PLACED, *attempt_up_to_submitted(1), end]).order.order_id)
    assert f'"executedPrice":{price},"amountOut":{amount},' in frames[-1]


async def test_a_retry_is_another_pending_with_its_reason(bridge: Bridge, engine: FakeEngine) -> None:
    frames = await bridge.frames(engine.place(RETRIED).order.order_id)
    attempt = ["pending", "routing", "building", "submitted"]
    assert statuses(frames) == [*attempt, *attempt, "confirmed"]
    retry, last = told(frames)[4], told(frames)[-1]
    error = "SLIPPAGE_EXCEEDED: the pool paid less than the minimum"
    assert retry["data"] == {"attempt": 1, "error": error}
    assert retry["message"] == "Attempt 1 of 3 failed, trying again"
    assert isinstance(last["data"], dict)
    assert last["data"]["dexUsed"] == "meteora"


async def test_a_failed_order_ends_with_its_reason_and_attempts(bridge: Bridge, engine: FakeEngine) -> None:
    last = told(await bridge.frames(engine.place(FAILED).order.order_id))[-1]
    assert last["status"] == "failed"
    assert last["data"] == {
        "error": "NO_ROUTE: no pool can fill the order",
        "attempts": 2,
        "maxAttempts": 3,
        "timestamp": last["timestamp"],
    }


@pytest.mark.parametrize(
    ("steps", "told_statuses"),
    [
        (CANCELLED, ["pending", "failed"]),
        (CANCELLED_WHILE_OUT, ["pending", "routing", "building", "submitted", "failed"]),
    ],
)
async def test_a_cancelled_order_ends_as_failed_and_says_so(
    bridge: Bridge, engine: FakeEngine, steps: list[tuple[int, int, None]], told_statuses: list[str]
) -> None:
    frames = await bridge.frames(engine.place(steps).order.order_id)
    assert statuses(frames) == told_statuses
    data = told(frames)[-1]["data"]
    assert isinstance(data, dict)
    assert data["error"] == "Order was cancelled"


async def test_the_family_is_of_the_first_leg(bridge: Bridge, engine: FakeEngine) -> None:
    steps = [PLACED, (2, 1, None), (3, 1, route("meteora_dlmm", "raydium_clmm")), SUCCESS[3], confirmed()]
    frames = told(await bridge.frames(engine.place(steps).order.order_id))
    assert frames[2]["data"] == {"dexUsed": "meteora"}


async def test_frames_arrive_as_they_happen_to_every_watcher(bridge: Bridge, engine: FakeEngine) -> None:
    life = engine.place([PLACED])
    async with bridge.stream(life.order.order_id) as early, bridge.stream(life.order.order_id) as other:
        for socket in (early, other):
            assert json.loads(await socket.recv())["status"] == "pending"
        life.happen(SUCCESS[1])
        for socket in (early, other):
            assert json.loads(await socket.recv())["status"] == "routing"
        async with bridge.stream(life.order.order_id) as late:
            life.happen(*SUCCESS[2:])
            assert statuses(await everything(late)) == ["pending", "routing", "building", "submitted", "confirmed"]
        for socket in (early, other):
            assert statuses(await everything(socket)) == ["building", "submitted", "confirmed"]


async def test_a_hundred_watchers_of_one_order_hear_the_same(bridge: Bridge, engine: FakeEngine) -> None:
    life = engine.place(SUCCESS[:3])
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(bridge.stream(life.order.order_id)) for _ in range(100)]
        health = (await bridge.http.get("/api/health")).json()
        assert health["queue"] == {"activeConnections": 100}
        life.happen(*SUCCESS[3:])
        heard = await asyncio.gather(*(everything(socket) for socket in sockets))
    assert len(heard[0]) == 5
    assert all(frames == heard[0] for frames in heard)


async def test_an_order_placed_here_is_watched_without_asking_for_it_again(bridge: Bridge, engine: FakeEngine) -> None:
    order = {"tokenIn": "SOL", "tokenOut": "USDC", "amountIn": 1}
    placed = (await bridge.http.post("/api/orders/execute", json=order)).json()
    assert len(await bridge.frames(placed["orderId"])) == 5
    assert engine.asked_orders == []


@pytest.mark.parametrize("order_id", [str(uuid4()), "nonsense", "%00", "..", "x" * 300])
async def test_an_unknown_order_is_refused_before_the_upgrade(bridge: Bridge, order_id: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await bridge.stream(order_id)
    response = refused.value.response
    assert response.status_code == 404
    assert json.loads(response.body or b"") == {"error": "Order not found"}


async def test_too_many_streams_are_refused_before_the_upgrade(bridge: Bridge, engine: FakeEngine) -> None:
    engine.refuse_stream = refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED")
    with pytest.raises(InvalidStatus) as refused:
        await bridge.stream(engine.place(SUCCESS).order.order_id)
    assert refused.value.response.status_code == 429
    assert "Retry-After" in refused.value.response.headers


async def test_a_client_that_leaves_ends_the_engines_stream(bridge: Bridge, engine: FakeEngine) -> None:
    life = engine.place([PLACED])
    async with bridge.stream(life.order.order_id) as socket:
        await socket.recv()
        assert engine.open_streams == 1
        await socket.send("ignored")
        socket.transport.abort()
        await asyncio.wait_for(engine.stream_closed.wait(), 5)
    assert engine.open_streams == 0
    assert (await bridge.http.get("/api/health")).json()["queue"] == {"activeConnections": 0}


async def test_a_stream_that_breaks_is_resumed_without_gap_or_duplicate(bridge: Bridge, engine: FakeEngine) -> None:
    engine.break_stream_after = 3
    frames = await bridge.frames(engine.place(SUCCESS).order.order_id)
    assert statuses(frames) == ["pending", "routing", "building", "submitted", "confirmed"]
    assert engine.resumed_after == [0, 3]


async def test_an_engine_restart_is_invisible(bridge: Bridge, engine: FakeEngine) -> None:
    life = engine.place(SUCCESS[:2])
    async with bridge.stream(life.order.order_id) as socket:
        assert [json.loads(await socket.recv())["status"] for _ in range(2)] == ["pending", "routing"]
        await engine.stop()
        life.happen(SUCCESS[2])
        await engine.start()
        assert json.loads(await socket.recv())["status"] == "building"
        life.happen(*SUCCESS[3:])
        assert statuses(await everything(socket)) == ["submitted", "confirmed"]
        assert socket.close_code == 1000


@pytest.fixture
async def impatient_bridge(engine: FakeEngine) -> AsyncIterator[Bridge]:
    settings = settings_for(engine).model_copy(update={"stream_resume_seconds": 0.3, "max_websockets": 1})
    async with running_bridge(settings) as bridge:
        yield bridge


async def test_an_engine_that_stays_away_closes_with_try_again_later(
    impatient_bridge: Bridge, engine: FakeEngine
) -> None:
    life = engine.place(SUCCESS[:1])
    async with impatient_bridge.stream(life.order.order_id) as socket:
        await socket.recv()
        await engine.stop()
        assert await everything(socket) == []
        assert socket.close_code == 1013


async def test_no_engine_is_503_before_the_upgrade(impatient_bridge: Bridge, engine: FakeEngine) -> None:
    order_id = engine.place(SUCCESS).order.order_id
    await engine.stop()
    with pytest.raises(InvalidStatus) as refused:
        await impatient_bridge.stream(order_id)
    assert refused.value.response.status_code == 503


async def test_more_websockets_than_allowed_are_refused(impatient_bridge: Bridge, engine: FakeEngine) -> None:
    order_id = engine.place([PLACED]).order.order_id
    async with impatient_bridge.stream(order_id) as socket:
        await socket.recv()
        with pytest.raises(InvalidStatus) as refused:
            await impatient_bridge.stream(order_id)
    assert refused.value.response.status_code == 503


async def test_an_engines_bug_in_mid_stream_closes_with_1011(bridge: Bridge, engine: FakeEngine) -> None:
    engine.break_stream_after = 1
    engine.break_with = refusal(grpc.StatusCode.INTERNAL, "INTERNAL")
    async with bridge.stream(engine.place(SUCCESS).order.order_id) as socket:
        assert len(await everything(socket)) == 1
        assert socket.close_code == 1011


async def test_a_stopping_bridge_closes_with_1012(bridge: Bridge, engine: FakeEngine) -> None:
    life = engine.place([PLACED])
    async with bridge.stream(life.order.order_id) as socket:
        await socket.recv()
        bridge.server.should_exit = True
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 1012
    await asyncio.wait_for(engine.stream_closed.wait(), 5)
    assert engine.open_streams == 0


async def test_a_message_over_64_kib_closes_with_1009(bridge: Bridge, engine: FakeEngine) -> None:
    async with bridge.stream(engine.place([PLACED]).order.order_id) as socket:
        await socket.recv()
        await socket.send("x" * 70_000)
        assert await everything(socket) == []
        assert socket.close_code == 1009
