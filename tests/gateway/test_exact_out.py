"""Exact amounts out, guards and routes of many legs: through the bridge, and as the classic API shows them."""

import json

import pytest

from tests.gateway.conftest import Bridge
from tests.gateway.fake_engine import FakeEngine
from tests.gateway.lives import PLACED, SIGNATURE, SOL, UNLISTED, USDC, attempt_up_to_submitted, confirmed, two_hops

U64_MAX = 2**64 - 1
ASKED = {"tokenIn": SOL, "tokenOut": USDC, "swapMode": "SWAP_MODE_EXACT_OUT", "amountOut": str(U64_MAX)}
GUARDS = ("maxPriceImpactBps", "maxTotalFeeLamports", "maxQuoteAgeSlots")


async def test_an_exact_amount_out_reaches_the_engine_and_comes_back(bridge: Bridge, engine: FakeEngine) -> None:
    order = (await bridge.http.post("/v1/orders", json=ASKED)).json()["order"]
    (sent,) = engine.submitted
    assert (sent.swap_mode, sent.amount_in, sent.amount_out) == (2, 0, U64_MAX)
    assert (order["swapMode"], order["amountIn"], order["amountOut"]) == ("SWAP_MODE_EXACT_OUT", "0", str(U64_MAX))


@pytest.mark.parametrize("zero", [0, "0"])
async def test_a_guard_of_zero_is_set_and_one_left_out_is_not(bridge: Bridge, engine: FakeEngine, zero: object) -> None:
    unset = (await bridge.http.post("/v1/orders", json=ASKED)).json()["order"]
    order = (await bridge.http.post("/v1/orders", json=ASKED | dict.fromkeys(GUARDS, zero))).json()["order"]
    assert [name for name in GUARDS if name in unset] == []
    assert [order[name] for name in GUARDS] == [0, "0", 0]
    without, with_zero = engine.submitted
    for name in ("max_price_impact_bps", "max_total_fee_lamports", "max_quote_age_slots"):
        assert (without.HasField(name), with_zero.HasField(name)) == (False, True)


@pytest.mark.parametrize(
    "query",
    [
        "token_in=SOL&token_out=USDC&swap_mode=SWAP_MODE_EXACT_OUT&amount_out=18446744073709551615"
        "&max_price_impact_bps=0&max_total_fee_lamports=18446744073709551615&max_quote_age_slots=4294967295",
        "tokenIn=SOL&tokenOut=USDC&swapMode=SWAP_MODE_EXACT_OUT&amountOut=18446744073709551615"
        "&maxPriceImpactBps=0&maxTotalFeeLamports=18446744073709551615&maxQuoteAgeSlots=4294967295",
    ],
)
async def test_a_quote_takes_every_term_as_a_parameter_under_both_names(
    bridge: Bridge, engine: FakeEngine, query: str
) -> None:
    assert (await bridge.http.get(f"/v1/quote?{query}")).status_code == 200
    (asked,) = engine.quoted
    assert (asked.token_in, asked.token_out, asked.amount_in) == ("SOL", "USDC", 0)
    assert (asked.swap_mode, asked.amount_out) == (2, U64_MAX)
    assert asked.HasField("max_price_impact_bps")
    assert not asked.HasField("slippage_bps")
    assert (asked.max_price_impact_bps, asked.max_total_fee_lamports) == (0, U64_MAX)
    assert asked.max_quote_age_slots == 2**32 - 1


async def test_a_quote_without_guards_sets_none(bridge: Bridge, engine: FakeEngine) -> None:
    await bridge.http.get("/v1/quote?token_in=SOL&token_out=USDC&amount_in=5")
    (asked,) = engine.quoted
    assert [field.name for field, _ in asked.ListFields()] == ["token_in", "token_out", "amount_in"]


@pytest.mark.parametrize(
    ("parameter", "named"),
    [
        ("swapMode=EXACT_OUT", "swapMode"),
        ("amount_out=-1", "amountOut"),
        ("amount_out=18446744073709551616", "amountOut"),
        ("max_price_impact_bps=", "maxPriceImpactBps"),
        ("maxQuoteAgeSlots=4294967296", "maxQuoteAgeSlots"),
        ("max_total_fee_lamports=1.5", "maxTotalFeeLamports"),
    ],
)
async def test_a_term_that_its_field_cannot_hold_is_named(
    bridge: Bridge, engine: FakeEngine, parameter: str, named: str
) -> None:
    response = await bridge.http.get(f"/v1/quote?{parameter}")
    assert (response.status_code, response.json()["code"]) == (400, 3)
    assert named in response.json()["message"]
    assert engine.quoted == []


async def test_a_quote_shows_every_leg_and_its_slot(bridge: Bridge) -> None:
    answer = (await bridge.http.get("/v1/quote?token_in=SOL&token_out=USDC&amount_in=5")).json()
    route = answer["route"]
    assert answer["slot"] == str(U64_MAX)
    assert [leg["venue"] for leg in route["legs"]] == ["meteora_dlmm", "raydium_cpmm", "raydium_clmm"]
    assert [leg["shareBps"] for leg in route["legs"]] == [6_200, 3_800, 10_000]
    assert (route["swapMode"], route["maxAmountIn"], route["rentLamports"], route["quoteAgeSlots"]) == (
        "SWAP_MODE_EXACT_OUT",
        str(U64_MAX),
        "2039280",
        "0",
    )


async def test_the_description_has_every_term(bridge: Bridge) -> None:
    document = (await bridge.http.get("/openapi.json")).json()
    parameters = {one["name"]: one["schema"] for one in document["paths"]["/v1/quote"]["get"]["parameters"]}
    body = document["paths"]["/v1/orders"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    shown = document["components"]["schemas"]["Order"]["properties"]
    for terms in (parameters, body, shown):
        assert {*GUARDS, "swapMode", "amountOut"} <= terms.keys()
        assert terms["swapMode"]["$ref"] == "#/components/schemas/SwapMode"
        assert terms["maxTotalFeeLamports"]["format"] == "uint64"
    assert "SWAP_MODE_EXACT_OUT" in document["components"]["schemas"]["SwapMode"]["enum"]


def many_legged(amount_in: int) -> list[object]:
    return [PLACED, *attempt_up_to_submitted(1, taken=two_hops()), confirmed(1, amount_in, 2_000_000)]


async def test_the_classic_api_names_the_first_legs_family(bridge: Bridge, engine: FakeEngine) -> None:
    life = engine.place(many_legged(1_000_000_000))  # type: ignore[arg-type]
    frames = [json.loads(frame) for frame in await bridge.frames(life.order.order_id)]
    assert [frame["data"]["dexUsed"] for frame in frames if frame["status"] in ("building", "confirmed")] == [
        "meteora",
        "meteora",
    ]
    assert (frames[-1]["data"]["executedPrice"], frames[-1]["data"]["amountOut"]) == (2, 2)
    order = (await bridge.http.get(f"/api/orders/{life.order.order_id}")).json()
    assert (order["dex_used"], order["amount_in"], order["tx_hash"]) == ("meteora", "1.000000000", SIGNATURE)


async def test_the_classic_api_tells_what_an_exact_amount_out_cost_once_it_is_known(
    bridge: Bridge, engine: FakeEngine
) -> None:
    engine.next_life = [PLACED]
    order_id = (await bridge.http.post("/v1/orders", json=ASKED)).json()["orderId"]
    assert (await bridge.http.get(f"/api/orders/{order_id}")).json()["amount_in"] is None
    engine.lives[order_id].happen(*many_legged(500_000_000)[1:])  # type: ignore[arg-type]
    order = (await bridge.http.get(f"/api/orders/{order_id}")).json()
    assert (order["amount_in"], order["amount_out"], order["executed_price"]) == ("0.500000000", "2.000000", "4")
    assert UNLISTED not in order.values()
