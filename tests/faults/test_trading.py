"""The rules about amounts name their own breaches."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import trading
from tests.faults.evidence import Evidence
from tests.faults.good_run import IMPACT, A, B, changed_landing, changed_leg, changed_order, changed_route, good
from tests.faults.invariants import Rule, check

Break = Callable[[Evidence], None]


def paid_too_much(evidence: Evidence) -> None:
    changed_order(evidence, amount_in=9)


def paid_more_than_its_bound(evidence: Evidence) -> None:
    changed_landing(evidence, sol=-11)


def got_too_little(evidence: Evidence) -> None:
    changed_landing(evidence, usdc=89)


def got_more_than_the_exact_amount(evidence: Evidence) -> None:
    changed_order(evidence, swap_mode="exact_out", amount_in=0, amount_out=94)


def promises_less_than_ordered(evidence: Evidence) -> None:
    changed_order(evidence, slippage_bps=900)


def takes_more_than_an_exact_output_may_cost(evidence: Evidence) -> None:
    changed_order(evidence, swap_mode="exact_out", amount_in=0, amount_out=90, slippage_bps=0)
    changed_route(evidence, max_amount_in=11)


def asks_less_of_a_leg(evidence: Evidence) -> None:
    changed_leg(evidence, 1, min_amount_out=89)


def spends_more_than_is_sure_to_come(evidence: Evidence) -> None:
    changed_leg(evidence, 1, max_amount_in=1001)


def trades_twice_in_a_pool(evidence: Evidence) -> None:
    changed_leg(evidence, 1, pool="pool-1")


def goes_elsewhere(evidence: Evidence) -> None:
    changed_leg(evidence, 1, token_out="elsewhere")


def jumps_between_hops(evidence: Evidence) -> None:
    changed_leg(evidence, 0, token_out="elsewhere")


def took_from_the_wallet_on_the_way(evidence: Evidence) -> None:
    changed_landing(evidence, bonk=-1)


def left_what_is_not_on_the_way(evidence: Evidence) -> None:
    changed_landing(evidence, other=1)


def broke_a_guard(evidence: Evidence) -> None:
    changed_order(evidence, guards={"max_price_impact_bps": 6})


def cost_more_than_its_guard(evidence: Evidence) -> None:
    changed_order(evidence, guards={"max_total_fee_lamports": 4})


def quoted_too_long_ago(evidence: Evidence) -> None:
    changed_order(evidence, guards={"max_quote_age_slots": 0})


def refused_by_no_guard(evidence: Evidence) -> None:
    failed = replace(evidence.events[B][2], detail={"failure": {"reason": "PRICE_IMPACT_TOO_HIGH", "metadata": {}}})
    evidence.events = {**evidence.events, B: [*evidence.events[B][:2], failed]}


def refused_within_its_guard(evidence: Evidence) -> None:
    metadata = {**IMPACT, "value": "3"}
    detail = {"failure": {"reason": "PRICE_IMPACT_TOO_HIGH", "metadata": metadata}}
    evidence.events = {**evidence.events, B: [*evidence.events[B][:2], replace(evidence.events[B][2], detail=detail)]}


def wrong_fill(evidence: Evidence) -> None:
    fill = {"amount_in": 10, "amount_out": 94, "fee_lamports": 5}
    evidence.orders = {**evidence.orders, A: replace(evidence.orders[A], fill=fill)}


BREACHES: dict[Break, Rule] = {
    paid_too_much: trading.never_more_in_nor_less_out_than_promised,
    paid_more_than_its_bound: trading.never_more_in_nor_less_out_than_promised,
    got_too_little: trading.never_more_in_nor_less_out_than_promised,
    got_more_than_the_exact_amount: trading.never_more_in_nor_less_out_than_promised,
    wrong_fill: trading.never_more_in_nor_less_out_than_promised,
    promises_less_than_ordered: trading.every_leg_and_hop_is_bounded_as_the_order_is,
    takes_more_than_an_exact_output_may_cost: trading.every_leg_and_hop_is_bounded_as_the_order_is,
    asks_less_of_a_leg: trading.every_leg_and_hop_is_bounded_as_the_order_is,
    spends_more_than_is_sure_to_come: trading.every_leg_and_hop_is_bounded_as_the_order_is,
    trades_twice_in_a_pool: trading.every_leg_and_hop_is_bounded_as_the_order_is,
    goes_elsewhere: trading.every_leg_and_hop_is_bounded_as_the_order_is,
    jumps_between_hops: trading.every_leg_and_hop_is_bounded_as_the_order_is,
    took_from_the_wallet_on_the_way: trading.what_is_left_on_the_way_stays_in_the_wallet,
    left_what_is_not_on_the_way: trading.what_is_left_on_the_way_stays_in_the_wallet,
    broke_a_guard: trading.guards_hold_for_what_landed,
    cost_more_than_its_guard: trading.guards_hold_for_what_landed,
    quoted_too_long_ago: trading.guards_hold_for_what_landed,
    refused_by_no_guard: trading.a_broken_guard_is_named,
    refused_within_its_guard: trading.a_broken_guard_is_named,
}


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: breach.__name__)
def test_a_breach_of_amounts_is_named_by_its_rule(tmp_path: Path, breach: Break) -> None:
    log = tmp_path / "worker.log"
    log.touch()
    evidence = good(log)
    breach(evidence)
    assert BREACHES[breach].__name__ in {violation.rule for violation in check(evidence)}
