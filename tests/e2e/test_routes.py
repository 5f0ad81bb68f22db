"""Splits, hops over other tokens, exact-out and guards, through the public doors and on the chain."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import grpc

from order_engine.domain.tokens import TOKENS_BY_SYMBOL
from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc
from tests.e2e.live import LiveEngine, statuses, submit, watch

MINTS = {symbol: str(token.mint) for symbol, token in TOKENS_BY_SYMBOL.items()}
CALM = ["pending", "routing", "building", "submitted", "confirmed"]


async def executed(engine: LiveEngine, **fields: object) -> tuple[pb.Route, pb.Fill]:
    """Submit and follow to the end; the market may have cost a retry."""
    async with engine.orders() as orders:
        updates = await watch(orders, await submit(orders, **fields))
    assert statuses(updates)[-1] == "confirmed", statuses(updates)
    routes = [one.route for one in updates if one.WhichOneof("detail") == "route"]
    return routes[-1], updates[-1].fill


def hops(route: pb.Route) -> list[list[pb.RouteLeg]]:
    grouped: list[list[pb.RouteLeg]] = []
    for leg in route.legs:
        if grouped and grouped[-1][0].token_in == leg.token_in:
            grouped[-1].append(leg)
        else:
            grouped.append([leg])
    return grouped


def check_shares(route: pb.Route) -> None:
    for legs in hops(route):
        assert sum(leg.share_bps for leg in legs) == 10_000
    for before, after in pairwise(hops(route)):
        entering = sum(leg.max_amount_in for leg in after)
        assert sum(leg.min_amount_out for leg in before) == entering
    assert sum(leg.max_amount_in for leg in hops(route)[0]) == route.max_amount_in
    assert sum(leg.min_amount_out for leg in hops(route)[-1]) == route.min_amount_out


async def test_a_large_order_is_split_over_pools_of_its_pair_and_lands_as_one(engine: LiveEngine) -> None:
    route, fill = await executed(engine, amount_in=400 * 10**9, slippage_bps=300)
    assert len(route.legs) > 1
    assert len({leg.pool for leg in route.legs}) == len(route.legs)
    check_shares(route)
    assert fill.amount_in == 400 * 10**9
    assert fill.amount_out >= route.min_amount_out


async def test_tokens_without_a_pool_of_their_own_are_traded_over_a_hub(engine: LiveEngine) -> None:
    route, fill = await executed(engine, token_in="BONK", token_out="USDC", amount_in=10**5 * 10**5, slippage_bps=200)
    tokens = [legs[0].token_in for legs in hops(route)] + [route.legs[-1].token_out]
    assert tokens[0] == MINTS["BONK"]
    assert tokens[-1] == MINTS["USDC"]
    assert len(tokens) in (3, 4)
    check_shares(route)
    assert fill.amount_in == 10**5 * 10**5
    assert fill.amount_out >= route.min_amount_out


async def test_three_hops_land_in_one_transaction(engine: LiveEngine) -> None:
    route, fill = await executed(engine, token_in="PYUSD", token_out="BONK", amount_in=5 * 10**6, slippage_bps=300)
    assert len(hops(route)) == 3
    check_shares(route)
    assert fill.amount_in == 5 * 10**6
    assert fill.amount_out >= route.min_amount_out


async def test_an_exact_out_order_receives_exactly_that_and_pays_no_more_than_promised(engine: LiveEngine) -> None:
    wanted = {"swap_mode": pb.SWAP_MODE_EXACT_OUT, "amount_in": 0, "slippage_bps": 200}
    cases = [
        {"token_in": "SOL", "token_out": "USDC", "amount_out": 25_000_000},
        {"token_in": "USDC", "token_out": "SOL", "amount_out": 10**8},
        {"token_in": "USDC", "token_out": "BONK", "amount_out": 10**5 * 10**5},
    ]
    for (route, fill), case in zip(
        await asyncio.gather(*(executed(engine, **wanted, **case) for case in cases)), cases, strict=True
    ):
        assert route.swap_mode == pb.SWAP_MODE_EXACT_OUT
        check_shares(route)
        assert fill.amount_out == route.amount_out == case["amount_out"]
        assert fill.amount_in <= route.max_amount_in


async def test_a_quote_of_an_exact_amount_out_has_the_cheapest_first(engine: LiveEngine) -> None:
    reply = await quote(engine, swap_mode=pb.SWAP_MODE_EXACT_OUT, amount_out=25_000_000)
    nets = [one.net_amount_in for one in reply.candidates if not one.reject_reason]
    assert nets == sorted(nets)
    assert len(nets) >= 3
    assert reply.route.max_amount_in == -(-reply.route.amount_in * 10_050 // 10_000)


async def test_a_broken_guard_is_named_with_its_limit_and_the_value(engine: LiveEngine) -> None:
    async with engine.orders() as orders:
        updates = await watch(orders, await submit(orders, amount_in=2_000 * 10**9, max_price_impact_bps=3))
    failure = updates[-1].failure
    assert failure.reason == "PRICE_IMPACT_TOO_HIGH"
    assert failure.metadata["guard"] == "max_price_impact_bps"
    assert failure.metadata["limit"] == "3"
    assert int(failure.metadata["value"]) > 3
    reply = await quote(engine, amount_in=10**9, max_total_fee_lamports=10)
    assert not reply.HasField("route")
    assert {one.reject_reason.split(":")[0] for one in reply.candidates} >= {"TOTAL_FEE_TOO_HIGH"}


async def test_a_guard_that_holds_changes_nothing(engine: LiveEngine) -> None:
    async with engine.orders() as orders:
        bounds = {"max_price_impact_bps": 500, "max_total_fee_lamports": 10**7, "max_quote_age_slots": 150}
        updates = await watch(orders, await submit(orders, **bounds))
        order = await orders.GetOrder(pb.GetOrderRequest(order_id=updates[0].order_id))
    assert statuses(updates) == CALM
    assert (order.max_price_impact_bps, order.max_total_fee_lamports, order.max_quote_age_slots) == (500, 10**7, 150)


async def test_a_default_world_offers_every_venue_a_split_and_a_way_over_a_hub(engine: LiveEngine) -> None:
    reply = await quote(engine, amount_in=200 * 10**9)
    venues = {leg.venue for one in reply.candidates for leg in one.route.legs}
    assert venues == {"raydium_amm_v4", "raydium_cpmm", "raydium_clmm", "meteora_dlmm", "meteora_damm_v2"}
    assert any(len(hops(one.route)) == 1 and len(one.route.legs) > 1 for one in reply.candidates)
    assert any(len(hops(one.route)) > 1 for one in reply.candidates)
    assert reply.slot >= reply.route.slot > 0


async def quote(engine: LiveEngine, **fields: object) -> pb.GetQuoteResponse:
    terms: dict[str, object] = {"token_in": "SOL", "token_out": "USDC", **fields}
    async with grpc.aio.insecure_channel(f"127.0.0.1:{engine.grpc_port}") as channel:
        stub: rpc.QuoteServiceAsyncStub = rpc.QuoteServiceStub(channel)  # type: ignore[assignment]
        return await stub.GetQuote(pb.GetQuoteRequest(**terms), timeout=30)  # type: ignore[arg-type]


def test_hops_are_told_apart_by_what_enters_them() -> None:
    def leg(token_in: str, token_out: str) -> pb.RouteLeg:
        return pb.RouteLeg(token_in=token_in, token_out=token_out)

    legs: Sequence[pb.RouteLeg] = [leg("a", "b"), leg("a", "b"), leg("b", "c")]
    assert [len(one) for one in hops(pb.Route(legs=legs))] == [2, 1]
