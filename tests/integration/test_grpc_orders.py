"""Orders over real gRPC: taken, shown, and refused with a status that names what is wrong."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from order_engine.api.interceptors.limits import Limits
from order_engine.domain.route import Guards, SwapMode
from order_engine.domain.tokens import TOKENS_BY_SYMBOL
from protos.order_engine.v1 import order_service_pb2 as pb
from tests.integration.grpc_harness import LIFE, Harness, eventually, order_request, refusal, running

SOL, USDC = (str(TOKENS_BY_SYMBOL[symbol].mint) for symbol in ("SOL", "USDC"))
UNKNOWN_ORDER = "00000000-0000-7000-8000-000000000000"
Code = grpc.StatusCode


def exact_out_request(**changes):
    exact = {"swap_mode": pb.SWAP_MODE_EXACT_OUT, "amount_in": 0, "amount_out": 2**64 - 1}
    return order_request(**exact | changes)


@pytest.fixture
async def api() -> AsyncGenerator[Harness]:
    async with running() as harness:
        yield harness


async def test_a_submitted_order_is_stored_then_hinted_then_answered(api):
    reply = await api.orders.SubmitOrder(order_request(client_order_id="mine-1", slippage_bps=0))
    assert [str(order_id) for order_id in api.hinted] == [reply.order_id]
    assert reply.order == await api.orders.GetOrder(pb.GetOrderRequest(order_id=reply.order_id))
    order = reply.order
    assert (order.token_in, order.token_out, order.amount_in) == (SOL, USDC, 1_000_000_000)
    assert (order.status, order.sequence, order.attempt) == (pb.ORDER_STATUS_PENDING, 1, 0)
    assert (order.order_type, order.slippage_bps, order.max_attempts) == (pb.ORDER_TYPE_MARKET, 0, 3)
    assert order.client_order_id == "mine-1"
    assert order.create_time.ToDatetime() == order.update_time.ToDatetime()


async def test_unset_slippage_is_the_configured_default(api):
    assert (await api.orders.SubmitOrder(order_request())).order.slippage_bps == 50


async def test_a_symbol_and_its_mint_are_the_same_order(api):
    first = await api.submitted(request_id="r-1")
    again = await api.submitted(request_id="r-1", token_in=SOL, token_out=USDC, order_type=pb.ORDER_TYPE_MARKET)
    assert again == first
    assert len(api.store.orders) == 1


async def test_one_request_id_for_two_orders_is_refused(api):
    first = await api.submitted(request_id="r-1")
    refused = await refusal(api.orders.SubmitOrder(order_request(request_id="r-1", amount_in=2)))
    assert (refused.code, refused.reason) == (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert refused.metadata == {"order_id": first}


async def test_an_order_for_an_exact_amount_out_is_kept_with_its_guards(api):
    asked = exact_out_request(max_price_impact_bps=0, max_total_fee_lamports=2**64 - 1)
    order = (await api.orders.SubmitOrder(asked)).order
    assert (order.swap_mode, order.amount_in, order.amount_out) == (pb.SWAP_MODE_EXACT_OUT, 0, 2**64 - 1)
    assert order.HasField("max_price_impact_bps")
    assert (order.max_price_impact_bps, order.max_total_fee_lamports) == (0, 2**64 - 1)
    assert not order.HasField("max_quote_age_slots")
    [stored] = api.store.orders
    assert (stored.swap.swap_mode, stored.swap.amount) == (SwapMode.EXACT_OUT, 2**64 - 1)
    assert stored.guards == Guards(max_price_impact_bps=0, max_total_fee_lamports=2**64 - 1)
    assert order == await api.orders.GetOrder(pb.GetOrderRequest(order_id=order.order_id))


@pytest.mark.parametrize(
    "other",
    [
        {"swap_mode": pb.SWAP_MODE_EXACT_IN, "amount_in": 2**64 - 1, "amount_out": 0},
        {"amount_out": 1},
        {"max_price_impact_bps": 1},
        {"max_total_fee_lamports": 0},
        {"max_quote_age_slots": 0},
    ],
)
async def test_another_mode_amount_or_guard_under_one_request_id_is_another_order(api, other):
    asked = exact_out_request(request_id="r-1", max_price_impact_bps=0)
    first = (await api.orders.SubmitOrder(asked)).order_id
    assert (await api.orders.SubmitOrder(asked)).order_id == first
    changed = exact_out_request(**{"request_id": "r-1", "max_price_impact_bps": 0} | other)
    refused = await refusal(api.orders.SubmitOrder(changed))
    assert (refused.code, refused.reason) == (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert refused.metadata == {"order_id": first}


async def test_an_unset_swap_mode_and_exact_in_are_the_same_order(api):
    first = await api.submitted(request_id="r-1")
    assert await api.submitted(request_id="r-1", swap_mode=pb.SWAP_MODE_EXACT_IN) == first


@pytest.mark.parametrize("ask", [pb.SubmitOrderRequest, pb.GetQuoteRequest])
async def test_an_unknown_swap_mode_is_named(api, ask):
    call = api.orders.SubmitOrder if ask is pb.SubmitOrderRequest else api.quotes.GetQuote
    refused = await refusal(call(ask(token_in="SOL", token_out="USDC", amount_in=1, swap_mode=99)))
    assert (refused.code, refused.fields) == (Code.INVALID_ARGUMENT, ("swap_mode",))


async def test_the_largest_amount_survives_the_round_trip(api):
    assert (await api.orders.SubmitOrder(order_request(amount_in=2**64 - 1))).order.amount_in == 2**64 - 1


async def test_every_bad_field_is_named_at_once(api):
    bad = pb.SubmitOrderRequest(
        request_id="with space", client_order_id="x" * 65, token_in="", token_out="NOPE", amount_in=0, slippage_bps=5001
    )
    bad.MergeFromString(b"\x18\x63")  # order_type 99
    refused = await refusal(api.orders.SubmitOrder(bad))
    assert (refused.code, refused.reason) == (Code.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert sorted(refused.fields) == [
        "amount_in",
        "client_order_id",
        "order_type",
        "request_id",
        "slippage_bps",
        "token_in",
        "token_out",
    ]
    assert api.store.orders == []


@pytest.mark.parametrize(("token_in", "token_out"), [("SOL", "SOL"), ("SOL", SOL), (USDC, "USDC")])
async def test_a_token_for_itself_is_refused(api, token_in, token_out):
    refused = await refusal(api.orders.SubmitOrder(order_request(token_in=token_in, token_out=token_out)))
    assert (refused.code, refused.fields) == (Code.INVALID_ARGUMENT, ("token_out",))


async def test_a_refusal_of_everything_at_once_fits_into_a_header(api):
    text = "\U0001f4a9" * 1000
    bad = order_request(request_id=text, client_order_id=text, token_in=text, token_out=text, amount_in=0)
    assert len((await refusal(api.orders.SubmitOrder(bad))).fields) == 5


async def test_a_long_bad_token_is_not_repeated_in_full(api):
    refused = await refusal(api.orders.SubmitOrder(order_request(token_in="\x00é" * 20_000)))
    assert refused.fields == ("token_in",)
    assert len(refused.message) < 300
    assert "\x00" not in refused.message


@pytest.mark.parametrize("order_id", ["", "1", "{" + UNKNOWN_ORDER + "}", "x" * 60_000, "0" * 32])
async def test_an_order_id_that_is_no_uuid_is_refused(api, order_id):
    refused = await refusal(api.orders.GetOrder(pb.GetOrderRequest(order_id=order_id)))
    assert (refused.code, refused.fields) == (Code.INVALID_ARGUMENT, ("order_id",))
    with pytest.raises(grpc.aio.AioRpcError, match="INVALID_ARGUMENT"):
        await api.follow(order_id).read()


async def test_an_unknown_order_is_not_found(api):
    refused = await refusal(api.orders.GetOrder(pb.GetOrderRequest(order_id=UNKNOWN_ORDER)))
    assert (refused.code, refused.reason) == (Code.NOT_FOUND, "ORDER_NOT_FOUND")


async def test_a_database_that_is_away_is_unavailable(api):
    api.store.down = True
    refused = await refusal(api.orders.SubmitOrder(order_request()))
    assert (refused.code, refused.reason) == (Code.UNAVAILABLE, "UNAVAILABLE")


async def test_a_bug_shows_an_id_and_nothing_of_itself(api, capsys):
    api.store.failure = RuntimeError("secret internals")
    refused = await refusal(api.orders.SubmitOrder(order_request()))
    assert (refused.code, refused.reason) == (Code.INTERNAL, "INTERNAL")
    correlation_id = refused.metadata["correlation_id"]
    assert refused.message == f"internal error {correlation_id}"
    logged = capsys.readouterr().out
    assert correlation_id in logged
    assert "secret internals" in logged


async def test_a_quote_for_a_mint_that_is_not_on_chain_is_not_found(api):
    refused = await refusal(api.quotes.GetQuote(pb.GetQuoteRequest(token_in="SOL", token_out="USDC", amount_in=1)))
    assert (refused.code, refused.reason) == (Code.NOT_FOUND, "TOKEN_NOT_FOUND")


async def test_a_quote_names_every_bad_field(api):
    request = pb.GetQuoteRequest(token_in="?", token_out="SOL", amount_in=0, slippage_bps=5001)
    refused = await refusal(api.quotes.GetQuote(request))
    assert refused.code is Code.INVALID_ARGUMENT
    assert {"token_in", "amount_in", "slippage_bps"} <= set(refused.fields)


async def test_a_cancelled_order_says_so_and_is_not_cancelled_twice(api):
    order_id = await api.submitted()
    for _ in range(2):
        reply = await api.orders.CancelOrder(pb.CancelOrderRequest(order_id=order_id))
        assert reply.verdict == pb.CANCEL_VERDICT_CANCELLED
        assert (reply.order.status, reply.order.sequence) == (pb.ORDER_STATUS_CANCELLED, 2)


async def test_a_cancel_after_signing_is_pending_and_names_its_height(api):
    order_id = await api.submitted()
    await api.record(order_id, *LIFE[:3])
    reply = await api.orders.CancelOrder(pb.CancelOrderRequest(order_id=order_id))
    assert (reply.verdict, reply.decided_by_block_height) == (pb.CANCEL_VERDICT_PENDING, 333)
    await api.record(order_id, LIFE[3])
    reply = await api.orders.CancelOrder(pb.CancelOrderRequest(order_id=order_id))
    assert (reply.verdict, reply.order.status) == (pb.CANCEL_VERDICT_TOO_LATE, pb.ORDER_STATUS_CONFIRMED)


async def test_an_order_is_explained_with_attempts_and_updates(api):
    order_id = await api.submitted()
    await api.record(order_id, *LIFE)
    explained = await api.orders.ExplainOrder(pb.ExplainOrderRequest(order_id=order_id))
    assert [update.sequence for update in explained.updates] == [1, 2, 3, 4, 5]
    assert [(attempt.number, attempt.signature) for attempt in explained.attempts] == [(1, explained.order.signature)]


@pytest.mark.parametrize("method", ["CancelOrder", "ExplainOrder"])
async def test_cancelling_and_explaining_an_unknown_order_is_not_found(api, method):
    call = getattr(api.orders, method)(getattr(pb, f"{method}Request")(order_id=UNKNOWN_ORDER))
    assert (await refusal(call)).reason == "ORDER_NOT_FOUND"


async def test_an_unknown_method_is_unimplemented(api):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await api.channel.unary_unary("/order_engine.v1.OrderService/Nope")(b"")
    assert error.value.code() is Code.UNIMPLEMENTED


async def test_a_call_without_a_deadline_gets_one():
    async with running(limits=Limits(unary_deadline=timedelta(milliseconds=50))) as api:
        api.store.stall = asyncio.Event()
        refused = await refusal(api.orders.SubmitOrder(order_request()))
        assert (refused.code, refused.reason) == (Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")


async def test_a_call_whose_caller_gave_up_is_not_worked_on(api):
    api.store.stall = asyncio.Event()
    tasks_before = len(asyncio.all_tasks())
    with pytest.raises(grpc.aio.AioRpcError, match="DEADLINE_EXCEEDED"):
        await api.orders.SubmitOrder(order_request(), timeout=0.1)
    assert api.store.entered.is_set()
    await eventually(lambda: len(asyncio.all_tasks()) <= tasks_before)
    assert api.store.orders == []


async def test_fifteen_hundred_calls_at_once_on_one_channel_are_all_answered(api):
    replies = await asyncio.gather(*(api.orders.SubmitOrder(order_request()) for _ in range(1500)))
    assert len({reply.order_id for reply in replies}) == 1500


async def test_the_status_of_a_refusal_names_each_field_with_a_description(api):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await api.orders.SubmitOrder(order_request(amount_in=0))
    bad_request = error_details_pb2.BadRequest()
    assert rpc_status.from_call(error.value).details[1].Unpack(bad_request)
    assert [v.description for v in bad_request.field_violations] == ["must be greater than 0"]


async def test_a_finished_order_shows_route_fill_and_signature(api):
    order_id = await api.submitted()
    await api.record(order_id, *LIFE)
    order = await api.orders.GetOrder(pb.GetOrderRequest(order_id=order_id))
    assert order.status == pb.ORDER_STATUS_CONFIRMED
    assert (order.route.amount_out, order.route.min_amount_out, order.fill.amount_out) == (20, 19, 20)
    assert order.signature == order.fill.signature != ""
    assert not order.HasField("failure")
