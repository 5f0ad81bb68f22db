"""Exact amounts out, guards, and routes of many legs: what is asked for, and how it is shown."""

import io
import json

import pytest
from rich.console import Console

from order_engine.cli import route_words
from order_engine.cli.candidate_table import candidate_table
from order_engine.cli.token_book import TokenBook
from protos.order_engine.v1 import order_service_pb2 as pb
from tests.unit.cli.canned_engine import ORDER_ID, SOL, UNLISTED, USDC, CannedEngine, order, update
from tests.unit.cli.conftest import Cli

POOLS = (
    "7JuwJuNU88gurFnyWeiyGKbFmExMWcmRZntn9imEzdny",
    "3SFQjmDs7wFnyWeiyGKbFmExMWcmRZntn9imEzdnyAbc",
    "GruYGjMX5rFnyWeiyGKbFmExMWcmRZntn9imEzdnyDef",
)
LONG_REASON = "QUOTE_REFUSED: the pool is paused, and says so at such length that no terminal holds it on one line"


def leg(venue: str, pool: int, pair: tuple[str, str], amounts: tuple[int, int], share_bps: int = 10_000) -> pb.RouteLeg:
    return pb.RouteLeg(
        venue=venue,
        pool=POOLS[pool],
        token_in=pair[0],
        token_out=pair[1],
        amount_in=amounts[0],
        amount_out=amounts[1],
        fee_amount=2_500,
        fee_token=pair[0],
        share_bps=share_bps,
    )


SPLIT = (
    leg("raydium_cpmm", 0, (SOL, USDC), (620_000_000, 93_000_000), 6_200),
    leg("meteora_dlmm", 1, (SOL, USDC), (380_000_000, 57_000_000), 3_800),
)
LAST_HOP = leg("raydium_clmm", 2, (USDC, UNLISTED), (149_250_000, 30_012))


def route(*legs: pb.RouteLeg, **fields: object) -> pb.Route:
    figures: dict[str, object] = {
        "amount_in": 1_000_000_000,
        "max_amount_in": 1_005_000_000,
        "amount_out": legs[-1].amount_out,
        "min_amount_out": legs[-1].amount_out - 12,
        "price_impact_bps": 3,
        "slot": 7,
        "quote_age_slots": 2,
        "network_fee_lamports": 7_000,
        **fields,
    }
    return pb.Route(legs=legs, **figures)  # type: ignore[arg-type]


TWO_HOPS = pb.Candidate(route=route(*SPLIT, LAST_HOP, rent_lamports=2_039_280), chosen=True, net_amount_out=30_000)
DIRECT = pb.Candidate(
    route=route(leg("raydium_amm_v4", 0, (SOL, UNLISTED), (1_000_000_000, 29_800))), net_amount_out=29_700
)
BY_GUARD = pb.Candidate(
    route=route(leg("raydium_cpmm", 1, (SOL, UNLISTED), (1_000_000_000, 28_000)), price_impact_bps=320),
    reject_reason="PRICE_IMPACT_TOO_HIGH: max_price_impact_bps is 100, the route moves the price by 320",
)
PAUSED = pb.Candidate(
    route=pb.Route(legs=[pb.RouteLeg(venue="meteora_damm_v2", pool=POOLS[2])]), reject_reason=LONG_REASON
)
CANDIDATES = [TWO_HOPS, DIRECT, BY_GUARD, PAUSED]


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


@pytest.mark.parametrize("command", ["submit", "quote"])
def test_receive_asks_for_an_exact_amount_of_the_token_bought(engine: CannedEngine, cli: Cli, command: str) -> None:
    assert cli(command, "SOL", "USDC", "--receive", "100.000001", target=engine.target).exit_code == 0
    assert cli(command, "SOL", UNLISTED, "--receive", "7", "--base-units", target=engine.target).exit_code == 0
    kind = pb.SubmitOrderRequest if command == "submit" else pb.GetQuoteRequest
    first, second = engine.asked(kind)
    assert isinstance(first, pb.SubmitOrderRequest | pb.GetQuoteRequest)
    assert isinstance(second, pb.SubmitOrderRequest | pb.GetQuoteRequest)
    assert (first.swap_mode, first.amount_in, first.amount_out) == (pb.SWAP_MODE_EXACT_OUT, 0, 100_000_001)
    assert (second.amount_in, second.amount_out) == (0, 7)


@pytest.mark.parametrize("command", ["submit", "quote"])
def test_guards_are_sent_only_when_they_are_given_and_zero_is_given(
    engine: CannedEngine, cli: Cli, command: str
) -> None:
    zeros = ["--max-price-impact", "0%", "--max-fee", "0SOL", "--max-quote-age", "0"]
    some = ["--max-price-impact", "1.5%", "--max-fee", "0.0005SOL", "--max-quote-age", "5"]
    for guards in ([], zeros, some):
        assert cli(command, "SOL", "USDC", "1", *guards, target=engine.target).exit_code == 0
    asked = [
        {field.name: value for field, value in request.ListFields() if field.name.startswith("max_")}
        for request in engine.asked(pb.SubmitOrderRequest if command == "submit" else pb.GetQuoteRequest)
    ]
    assert asked == [
        {},
        {"max_price_impact_bps": 0, "max_total_fee_lamports": 0, "max_quote_age_slots": 0},
        {"max_price_impact_bps": 150, "max_total_fee_lamports": 500_000, "max_quote_age_slots": 5},
    ]


def test_many_orders_are_alike(engine: CannedEngine, cli: Cli) -> None:
    assert cli("submit", "SOL", "USDC", "--receive", "1", "--count", "3", target=engine.target).exit_code == 0
    amounts = {one.amount_out for one in engine.asked(pb.SubmitOrderRequest) if isinstance(one, pb.SubmitOrderRequest)}
    assert amounts == {1_000_000}
    assert len(engine.asked(pb.SubmitOrderRequest)) == 3


def test_a_quote_shows_hops_shares_and_decimals_of_every_token(engine: CannedEngine, cli: Cli) -> None:
    engine.candidates = CANDIDATES
    done = cli("quote", "SOL", UNLISTED, "1", target=engine.target)
    assert done.exit_code == 0, done.output
    assert "1 SOL buys 300.12 7GCihgDB… via USDC" in done.stdout
    assert "at least 300 7GCihgDB…, enforced on chain; impact 0.03%" in done.stdout
    assert "network fee 0.000007 SOL, rent 0.00203928 SOL for token accounts that stay open" in done.stdout
    assert "about 0.75 USDC stay in the wallet" in done.stdout
    assert "quoted at slot 7, 2 slots old" in done.stdout
    shown = rows(done.stdout)
    path = ["✓", "SOL", "→", "USDC", "→", "7GCihgDB…"]
    at = shown.index([*path, "300.12", "0.03%", "0.00204628", "SOL", "300.00", "chosen"])
    fee = ["pool", "fee", "0.0000025", "SOL"]
    assert shown[at + 1] == ["→", "USDC", "62%", "raydium_cpmm", POOLS[0], "93", "USDC", *fee]
    assert shown[at + 2] == ["38%", "meteora_dlmm", POOLS[1], "57", "USDC", *fee]
    assert shown[at + 3] == [
        "→", "7GCihgDB…", "raydium_clmm", POOLS[2], "300.12", "7GCihgDB…", "pool", "fee", "0.0025", "USDC",
    ]  # fmt: skip
    assert shown[at + 4] == ["raydium_amm_v4", "298.00", "0.03%", "0.000007", "SOL", "297.00", "1.00%", "less"]


def test_a_split_over_one_pair_names_its_shares(engine: CannedEngine, cli: Cli) -> None:
    engine.candidates = [pb.Candidate(route=route(*SPLIT, amount_out=150_000_000), chosen=True, net_amount_out=1)]
    done = cli("quote", "SOL", "USDC", "1", target=engine.target)
    assert "1 SOL buys 150 USDC on 62% raydium_cpmm + 38% meteora_dlmm" in done.stdout
    assert "✓ split over 2 pools" in done.stdout
    assert "stay in the wallet" not in done.stdout


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ((5_450, 4_550), ["55%", "45%"]),
        ((3_333, 3_333, 3_334), ["33%", "34%", "33%"]),
        ((9_990, 10), ["100%", "<1%"]),
        ((10_000,), ["100%"]),
    ],
)
def test_shares_add_up_to_the_whole(parts: tuple[int, ...], shown: list[str]) -> None:
    assert route_words.shares([pb.RouteLeg(share_bps=part) for part in parts]) == shown


def test_a_refused_route_of_many_legs_names_its_venues_and_the_reason(engine: CannedEngine, cli: Cli) -> None:
    refused = pb.Candidate(route=route(*SPLIT, LAST_HOP), reject_reason="TRANSACTION_TOO_LARGE: 1617 bytes of 1232")
    engine.candidates = [refused]
    shown = cli("quote", "SOL", UNLISTED, "1", target=engine.target).stdout
    assert "    62% raydium_cpmm + 38% meteora_dlmm, then raydium_clmm\n    TRANSACTION_TOO_LARGE: 1617 bytes" in shown
    assert POOLS[0] not in shown


def test_a_route_that_a_guard_refused_shows_its_price_and_the_guard(engine: CannedEngine, cli: Cli) -> None:
    engine.candidates = [BY_GUARD]
    done = cli("quote", "SOL", UNLISTED, "1", target=engine.target)
    assert done.exit_code == 1
    assert "Nobody would swap 1 SOL to 7GCihgDB… now." in done.stdout
    shown = rows(done.stdout)
    at = shown.index(["✗", "raydium_cpmm", "280.00", "3.2%", "0.000007", "SOL", "-"])
    assert shown[at + 2] == BY_GUARD.reject_reason.split()


def test_an_exact_amount_out_is_ranked_by_what_it_costs(engine: CannedEngine, cli: Cli) -> None:
    dearer = pb.Candidate(route=route(*SPLIT, amount_in=1_020_000_000), net_amount_in=1_020_007_000)
    engine.candidates = [
        pb.Candidate(route=route(SPLIT[0]), chosen=True, net_amount_in=1_000_007_000),
        dearer,
    ]
    done = cli("quote", "SOL", "USDC", "--receive", "93", target=engine.target)
    assert "1 SOL buys exactly 93 USDC on raydium_cpmm" in done.stdout
    assert "at most 1.005 SOL, enforced on chain" in done.stdout
    shown = rows(done.stdout)
    assert ["way", "SOL", "in", "impact", "costs", "SOL", "in", "all"] in shown
    assert ["✓", "raydium_cpmm", "1.000000000", "0.03%", "0.000007", "SOL", "1.000007000", "chosen"] in shown
    expected = "split over 2 pools 1.020000000 0.03% 0.000007 SOL 1.020007000 2.00% more"
    assert expected.split() in shown
    answer = cli("quote", "SOL", "USDC", "--receive", "93", "--json", target=engine.target)
    assert json.loads(answer.stdout)["candidates"][1]["netAmountIn"] == "1020007000"


def test_without_a_way_an_exact_amount_out_is_named(engine: CannedEngine, cli: Cli) -> None:
    engine.candidates = [PAUSED]
    done = cli("quote", "SOL", "USDC", "--receive", "93", target=engine.target)
    assert done.exit_code == 1
    assert "Nobody would swap SOL to exactly 93 USDC now." in done.stdout
    assert LONG_REASON in done.stdout


@pytest.mark.parametrize("width", [76, 80, 100, 140, 200])
async def test_the_table_fits_the_terminal_and_cuts_no_number(width: int) -> None:
    engine = TokenBook.__new__(TokenBook)
    engine._by_name = {
        SOL: pb.Token(mint=SOL, symbol="SOL", decimals=9),
        USDC: pb.Token(mint=USDC, symbol="USDC", decimals=6),
        UNLISTED: pb.Token(mint=UNLISTED, symbol="BONK", decimals=5),
    }
    huge = 2**60
    vast = pb.Candidate(route=route(*SPLIT, leg("raydium_clmm", 2, (USDC, UNLISTED), (1, huge))), net_amount_out=huge)
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(candidate_table([*CANDIDATES, vast], order(token_out=UNLISTED), engine, width))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert max(len(line) for line in shown.splitlines()) <= width
    [chosen] = [line.rstrip() for line in shown.splitlines() if "chosen" in line]
    assert chosen.startswith("✓ SOL → USDC → BONK")
    assert "0.30000" in chosen
    for whole in ("11529215046068.46976", "0.30012", "0.29700", "62%", "chosen"):
        assert whole in shown
    assert all(pool[:8] in shown for pool in POOLS)
    assert (POOLS[0] in shown) == (width >= 120)
    assert all(word in shown for word in LONG_REASON.split())


@pytest.mark.parametrize("arguments", [["watch", ORDER_ID], ["submit", "SOL", "USDC", "1", "--watch"]])
def test_a_life_names_only_the_venues_of_what_was_not_chosen(
    engine: CannedEngine, cli: Cli, arguments: list[str]
) -> None:
    loser = pb.Candidate(route=route(*SPLIT, amount_out=150_000_000), net_amount_out=149_000_000)
    winner = pb.Candidate(route=route(SPLIT[0]), chosen=True, net_amount_out=150_000_000)
    engine.candidates = [winner, loser]
    shown = cli(*arguments, target=engine.target).stdout
    assert "62% raydium_cpmm + 38% meteora_dlmm\n" in shown
    assert POOLS[1][:8] not in shown
    assert POOLS[1] in cli("quote", "SOL", "USDC", "1", target=engine.target).stdout


def multi_leg_life() -> list[pb.OrderStatusUpdate]:
    return [
        update(1, pb.ORDER_STATUS_PENDING, attempt=0),
        update(2, pb.ORDER_STATUS_ROUTING),
        update(3, pb.ORDER_STATUS_BUILDING, route=TWO_HOPS.route),
        update(4, pb.ORDER_STATUS_CONFIRMED, fill=pb.Fill(amount_in=1_000_000_000, amount_out=30_012)),
    ]


@pytest.mark.parametrize("arguments", [["watch", ORDER_ID], ["submit", "SOL", UNLISTED, "1", "--watch"]])
def test_a_watched_order_tells_its_way_and_every_leg(engine: CannedEngine, cli: Cli, arguments: list[str]) -> None:
    engine.life, engine.candidates = multi_leg_life(), CANDIDATES
    engine.terms = {"token_out": UNLISTED, "amount_in": 1_000_000_000}
    done = cli(*arguments, target=engine.target)
    assert done.exit_code == 0, done.output
    assert "SOL → USDC → 7GCihgDB… quotes 300.12 7GCihgDB…" in done.stdout
    assert "through 62% raydium_cpmm + 38% meteora_dlmm, then raydium_clmm" in done.stdout
    assert ["→", "USDC", "62%", "raydium_cpmm", "7JuwJuNU", "93", "USDC", "pool", "fee", "0.0000025", "SOL"] in rows(
        done.stdout
    )
    assert "1 SOL for 300.12 7GCihgDB…" in done.stdout


def test_explain_shows_what_the_order_demands_and_every_candidate(engine: CannedEngine, cli: Cli) -> None:
    engine.life, engine.candidates = multi_leg_life(), [BY_GUARD, PAUSED]
    engine.terms = {
        "token_out": UNLISTED,
        "swap_mode": pb.SWAP_MODE_EXACT_OUT,
        "amount_in": 0,
        "amount_out": 30_012,
        "max_price_impact_bps": 100,
        "max_total_fee_lamports": 500_000,
        "max_quote_age_slots": 0,
    }
    done = cli("explain", ORDER_ID, target=engine.target)
    assert done.exit_code == 0, done.output
    assert "SOL to exactly 300.12 7GCihgDB…, made " in done.stdout
    bounds = "slippage at most 0.5%, price impact at most 1%, fees at most 0.0005 SOL, quote at most 0 slots old"
    assert bounds in done.stdout
    for part in (
        "PRICE_IMPACT_TOO_HIGH",
        LONG_REASON,
        "SOL → USDC → 7GCihgDB… asks 1 SOL for 300.12",
        "at most 1.005 SOL",
    ):
        assert part in done.stdout


def test_the_list_of_orders_is_compact(engine: CannedEngine, cli: Cli) -> None:
    fill = pb.Fill(amount_in=900_000_000, amount_out=30_012)
    exact_out: dict[str, object] = {"swap_mode": pb.SWAP_MODE_EXACT_OUT, "amount_in": 0, "amount_out": 30_012}
    confirmed: dict[str, object] = {"status": pb.ORDER_STATUS_CONFIRMED, "fill": fill}
    engine.known_orders = [
        order(token_out=UNLISTED, **exact_out),
        order(token_out=UNLISTED, route=TWO_HOPS.route, **confirmed, **exact_out),
        order(route=route(*SPLIT), **confirmed),
    ]
    shown = cli("orders", target=engine.target).stdout
    assert "SOL → exactly 300.12 7GCihgDB…" in shown
    assert "0.9 SOL → 300.12 7GCihgDB… via USDC" in shown
    assert "0.9 SOL → 0.030012 USDC\n" in shown
