"""What each client command asks for, prints, and exits with."""

import json

import grpc
import pytest

from protos.order_engine.v1 import order_service_pb2 as pb
from tests.unit.cli.canned_engine import FAILED_LIFE, MADE, ORDER_ID, SOL, USDC, CannedEngine, bad_request, order
from tests.unit.cli.conftest import Cli


def test_submit_sends_exact_base_units_under_a_printed_request_id(engine: CannedEngine, cli: Cli) -> None:
    done = cli("submit", "SOL", "USDC", "1.000000001", "--slippage", "0.3%", target=engine.target)
    assert done.exit_code == 0, done.output
    [request] = engine.asked(pb.SubmitOrderRequest)
    assert isinstance(request, pb.SubmitOrderRequest)
    assert (request.amount_in, request.slippage_bps) == (1_000_000_001, 30)
    assert request.request_id
    assert done.stdout.startswith(f"request {request.request_id}\n")
    assert f"order {ORDER_ID} accepted: 1.000000001 SOL to USDC" in done.stdout


def test_unset_slippage_is_left_to_the_engine(engine: CannedEngine, cli: Cli) -> None:
    assert cli("submit", SOL, USDC, "7", "--base-units", target=engine.target).exit_code == 0
    [request] = engine.asked(pb.SubmitOrderRequest)
    assert isinstance(request, pb.SubmitOrderRequest)
    assert request.amount_in == 7
    assert not request.HasField("slippage_bps")


def test_a_repeated_request_id_is_sent_as_given(engine: CannedEngine, cli: Cli) -> None:
    cli("submit", "SOL", "USDC", "1", "--request-id", "mine", "--client-order-id", "desk-7", target=engine.target)
    cli("submit", "SOL", "USDC", "1", "--request-id", "mine", "--count", "3", target=engine.target)
    asked = [one for one in engine.asked(pb.SubmitOrderRequest) if isinstance(one, pb.SubmitOrderRequest)]
    assert [one.request_id for one in asked[:1]] == ["mine"]
    assert asked[0].client_order_id == "desk-7"
    assert sorted(one.request_id for one in asked[1:]) == ["mine.1", "mine.2", "mine.3"]


def test_submit_as_json_is_the_answer_of_the_rpc(engine: CannedEngine, cli: Cli) -> None:
    done = cli("submit", "SOL", "USDC", "1", "--json", target=engine.target)
    answer = json.loads(done.stdout)
    assert answer["orderId"] == ORDER_ID
    assert answer["order"]["amountIn"] == "1000000000"
    assert answer["order"]["cancelRequested"] is False
    assert done.stderr.startswith("request ")


def test_watching_as_json_gives_one_update_a_line(engine: CannedEngine, cli: Cli) -> None:
    for arguments in (["submit", "SOL", "USDC", "1", "--watch"], ["watch", ORDER_ID]):
        done = cli(*arguments, "--json", target=engine.target)
        updates = [json.loads(line) for line in done.stdout.splitlines()]
        assert [one["sequence"] for one in updates] == ["1", "2", "3", "4", "5"]
        assert updates[-1]["fill"]["amountOut"] == "150000001"
        assert done.exit_code == 0


def test_a_watched_order_tells_its_whole_life(engine: CannedEngine, cli: Cli) -> None:
    done = cli("submit", "SOL", "USDC", "1.5", "--watch", target=engine.target)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.split()[2] for line in lines if " s  " in line] == [
        "pending",
        "routing",
        "building",
        "submitted",
        "confirmed",
    ]
    for part in (
        "raydium_cpmm quotes 150 USDC",
        "at least 149.999999 USDC",
        "chosen",
        "1.00% less",
        "VENUE_UNAVAILABLE",
    ):
        assert part in done.stdout
    assert (
        "4.000 s  confirmed  1.5 SOL for 150.000001 USDC; in slot 9, network fee 7000 lamports; 5igSigSig"
        in done.stdout
    )


def test_watching_goes_on_after_a_break_without_repeating(engine: CannedEngine, cli: Cli) -> None:
    engine.break_after = 3
    done = cli("watch", ORDER_ID, "--after", "1", target=engine.target)
    assert done.exit_code == 0, done.output
    asked = [one for one in engine.asked(pb.StreamOrderStatusRequest) if isinstance(one, pb.StreamOrderStatusRequest)]
    assert [one.after_sequence for one in asked] == [1, 3]
    assert done.stdout.count("building") == 1
    assert "connection lost, resuming after update 3" in done.stdout


def test_an_order_that_failed_exits_1_and_says_why(engine: CannedEngine, cli: Cli) -> None:
    engine.life = FAILED_LIFE
    for further in ([], ["--json"], ["--count", "2"]):
        done = cli("submit", "SOL", "USDC", "1", "--watch", *further, target=engine.target)
        assert done.exit_code == 1
        assert "INSUFFICIENT_FUNDS" in done.stdout
    assert "2 failed" in done.stdout
    assert cli("watch", ORDER_ID, "--after", "3", "--json", target=engine.target).exit_code == 1


def test_many_orders_are_told_line_by_line_without_a_terminal(engine: CannedEngine, cli: Cli) -> None:
    done = cli("submit", "SOL", "USDC", "1", "--count", "4", "--watch", target=engine.target)
    assert done.exit_code == 0, done.output
    assert len([line for line in done.stdout.splitlines() if line.startswith(f"{ORDER_ID} ")]) == 4 * 5
    assert done.stdout.splitlines()[-1].startswith("4 confirmed")


def test_quote_shows_every_candidate_and_why_not(engine: CannedEngine, cli: Cli) -> None:
    done = cli("quote", "SOL", "USDC", "1", target=engine.target)
    assert done.exit_code == 0, done.output
    assert "1 SOL buys 150 USDC on raydium_cpmm" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["✓", "raydium_cpmm", "150.000000", "0.03%", "-", "149.999000", "chosen"] in rows
    assert ["7JuwJuNU88gurFnyWeiyGKbFmExMWcmRZntn9imEzdny", "pool", "fee", "0.0000025", "SOL"] in rows
    assert ["✗", "raydium_clmm", "VENUE_UNAVAILABLE:", "no", "answer", "in", "250", "ms"] in rows
    answer = json.loads(cli("quote", "SOL", "USDC", "1", "--json", target=engine.target).stdout)
    assert len(answer["candidates"]) == 3


def test_explain_shows_attempts_and_timeline(engine: CannedEngine, cli: Cli) -> None:
    done = cli("explain", ORDER_ID, target=engine.target)
    assert done.exit_code == 0, done.output
    for part in ("Attempt 1 of 3, started after 1.000 s", "transaction 5igSigSig", "Timeline", "4.000 s  confirmed"):
        assert part in done.stdout
    assert len(json.loads(cli("explain", ORDER_ID, "--json", target=engine.target).stdout)["updates"]) == 5


@pytest.mark.parametrize(
    ("verdict", "status", "sentence"),
    [
        (pb.CANCEL_VERDICT_CANCELLED, 0, "nothing that was sent can still land"),
        (pb.CANCEL_VERDICT_TOO_LATE, 1, "had already ended: confirmed"),
        (pb.CANCEL_VERDICT_PENDING, 0, "by block height 1187"),
    ],
)
def test_cancel_says_its_verdict(
    engine: CannedEngine, cli: Cli, verdict: pb.CancelVerdict.ValueType, status: int, sentence: str
) -> None:
    engine.cancel_verdict = verdict
    done = cli("cancel", ORDER_ID, target=engine.target)
    assert done.exit_code == status
    assert sentence in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    answer = json.loads(cli("cancel", ORDER_ID, "--json", target=engine.target).stdout)
    assert answer["verdict"] == pb.CancelVerdict.Name(verdict)


def test_orders_are_filtered_by_the_engine(engine: CannedEngine, cli: Cli) -> None:
    filters = ["--status", "Failed", "--from", "SOL", "--to", "USDC", "--venue", "raydium_cpmm"]
    times = ["--client-order-id", "desk-7", "--since", "2026-11-22T12:00:00+00:00", "--until", "90m"]
    assert cli("orders", *filters, *times, target=engine.target).exit_code == 0
    [request] = engine.asked(pb.ListOrdersRequest)
    assert isinstance(request, pb.ListOrdersRequest)
    assert request.status == pb.ORDER_STATUS_FAILED
    assert (request.token_in, request.token_out, request.venue) == ("SOL", "USDC", "raydium_cpmm")
    assert (request.client_order_id, request.create_time_after.seconds) == ("desk-7", MADE)
    assert request.HasField("create_time_before")


def test_orders_are_read_page_by_page_up_to_the_limit(engine: CannedEngine, cli: Cli) -> None:
    engine.known_orders = [order(order_id=f"order-{number}") for number in range(2_500)]
    found = json.loads(cli("orders", "--limit", "2100", "--json", target=engine.target).stdout)
    assert [one["orderId"] for one in found["orders"]] == [f"order-{number}" for number in range(2_100)]
    assert found["nextPageToken"] == "2100"
    rest = cli("orders", "--limit", "1000", "--page-token", "2100", target=engine.target)
    assert "order-2499" in rest.stdout
    assert "more with" not in rest.stdout


def test_an_order_in_the_list_shows_what_it_got(engine: CannedEngine, cli: Cli) -> None:
    fill = pb.Fill(amount_out=150_000_001)
    failure = pb.Failure(reason="NO_ROUTE")
    engine.known_orders = [
        order(status=pb.ORDER_STATUS_CONFIRMED, fill=fill),
        order(status=pb.ORDER_STATUS_FAILED, failure=failure),
    ]
    done = cli("orders", target=engine.target)
    assert "1.5 SOL → 150.000001 USDC" in done.stdout
    assert "1.5 SOL → USDC, NO_ROUTE" in done.stdout


@pytest.mark.parametrize(
    ("code", "details", "status", "expected"),
    [
        (
            grpc.StatusCode.INVALID_ARGUMENT,
            [bad_request(token_out="is no token", slippage_bps="must be 0-5000")],
            2,
            "token_out: is no token\nslippage_bps: must be 0-5000\n",
        ),
        (grpc.StatusCode.ALREADY_EXISTS, [], 1, "already exists: the reason\n"),
        (grpc.StatusCode.INTERNAL, [], 1, "internal: the reason\n"),
        (grpc.StatusCode.UNAVAILABLE, [], 3, "unavailable: the reason\n"),
    ],
)
def test_a_refused_rpc_is_told_without_a_stack_trace(
    engine: CannedEngine, cli: Cli, code: grpc.StatusCode, details: list[object], status: int, expected: str
) -> None:
    engine.refusal = (code, "the reason", details)  # type: ignore[assignment]
    done = cli("submit", "SOL", "USDC", "1", "--request-id", "mine", target=engine.target)
    assert done.exit_code == status
    assert done.stderr.endswith(expected)
    assert "Traceback" not in done.output
    assert ("--request-id mine never buys twice" in done.stderr) == (code.name in ("INTERNAL", "UNAVAILABLE"))


def test_an_unknown_mint_needs_base_units(engine: CannedEngine, cli: Cli) -> None:
    done = cli("submit", "Mint1", "USDC", "1", target=engine.target)
    assert done.exit_code == 2
    assert "--base-units" in done.stderr
    assert not engine.asked(pb.SubmitOrderRequest)
