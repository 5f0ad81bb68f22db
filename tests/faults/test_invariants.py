"""Every rule lets a good run pass and names its own breach: a checker that cannot fail proves nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults import invariants, test_trading
from tests.faults.evidence import Evidence
from tests.faults.good_run import BONK, NOON, USDC, A, B, changed_life, good, landed, landing
from tests.faults.invariants import RULES, WRAPPED_SOL, check
from tests.faults.watching import every_watcher_saw_all_it_should

Break = Callable[[Evidence], None]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "worker.log"
    path.write_text("all is well\n")
    return path


def unacknowledged(evidence: Evidence) -> None:
    evidence.acknowledged = [*evidence.acknowledged, ("key-c", "order-c")]


def two_orders_for_a_key(evidence: Evidence) -> None:
    evidence.acknowledged = [*evidence.acknowledged, ("key-order-a", B)]


def landed_twice(evidence: Evidence) -> None:
    landed(evidence, replace(landing("two again", 2), fee=0))


def landed_and_failed(evidence: Evidence) -> None:
    landed(evidence, replace(landing("three", 1), order_id=B))


def never_landed(evidence: Evidence) -> None:
    evidence.chain = replace(evidence.chain, landings=evidence.chain.landings[:1])


def unrecorded(evidence: Evidence) -> None:
    evidence.transactions = evidence.transactions[1:]


def wrong_outcome(evidence: Evidence) -> None:
    first = replace(evidence.transactions[0], outcome="dead")
    evidence.transactions = [first, *evidence.transactions[1:]]


def gap(evidence: Evidence) -> None:
    evidence.events = {**evidence.events, A: [*evidence.events[A][:2], *evidence.events[A][3:]]}


def illegal(evidence: Evidence) -> None:
    changed_life(evidence, 2, kind="TransactionSigned")


def went_on_after_the_end(evidence: Evidence) -> None:
    late = replace(evidence.events[A][-1], sequence=10)
    evidence.events = {**evidence.events, A: [*evidence.events[A], late]}


def unfinished(evidence: Evidence) -> None:
    evidence.unsettled = [A]


def back_in_time(evidence: Evidence) -> None:
    changed_life(evidence, 5, event_time=NOON)


def too_early(evidence: Evidence) -> None:
    changed_life(evidence, 5, event_time=NOON + timedelta(seconds=1.39))


def too_many_attempts(evidence: Evidence) -> None:
    evidence.bounds = replace(evidence.bounds, max_attempts=1)


def too_many_at_once(evidence: Evidence) -> None:
    evidence.bounds = replace(evidence.bounds, max_in_flight=1)


def too_many_starts(evidence: Evidence) -> None:
    evidence.bounds = replace(evidence.bounds, max_starts_per_minute=2)


def leftovers_gone(evidence: Evidence) -> None:
    after = replace(evidence.chain.after, wallet={WRAPPED_SOL: 80, USDC: 95})
    evidence.chain = replace(evidence.chain, after=after)


def minted(evidence: Evidence) -> None:
    after = replace(evidence.chain.after, everywhere={USDC: 1001})
    evidence.chain = replace(evidence.chain, after=after)


def stolen(evidence: Evidence) -> None:
    after = replace(evidence.chain.after, wallet={WRAPPED_SOL: 79, BONK: 2, USDC: 95})
    evidence.chain = replace(evidence.chain, after=after)


def unexplained(evidence: Evidence) -> None:
    evidence.post_mortems = frozenset()


def unreadable(evidence: Evidence) -> None:
    evidence.answers = {A: evidence.answers[A]}


def saw_a_repeat(evidence: Evidence) -> None:
    evidence.watchers[0].connections[1].seen.insert(0, (4, "submitted"))


def missed_one(evidence: Evidence) -> None:
    del evidence.watchers[0].connections[1].seen[0]


def missed_a_frame(evidence: Evidence) -> None:
    del evidence.watchers[1].connections[1].seen[4]


def missed_the_end(evidence: Evidence) -> None:
    del evidence.watchers[0].connections[1].seen[-1]


def never_saw_the_end(evidence: Evidence) -> None:
    evidence.watchers[0].end = "open"


def printed_a_secret(evidence: Evidence) -> None:
    evidence.logs[0].write_text("connecting with hunter2\n")


BREACHES: dict[Break, invariants.Rule] = {
    unacknowledged: invariants.every_acknowledged_order_exists,
    two_orders_for_a_key: invariants.one_request_id_is_one_order,
    landed_twice: invariants.no_order_lands_twice,
    landed_and_failed: invariants.confirmed_is_exactly_landed,
    never_landed: invariants.confirmed_is_exactly_landed,
    unrecorded: invariants.what_landed_was_recorded,
    wrong_outcome: invariants.outcomes_agree_with_the_chain,
    gap: invariants.events_are_gap_free_and_legal,
    illegal: invariants.events_are_gap_free_and_legal,
    went_on_after_the_end: invariants.one_terminal_event_and_it_is_last,
    unfinished: invariants.every_order_ends_in_time,
    back_in_time: invariants.no_event_is_older_than_the_one_before,
    too_early: invariants.waits_are_as_promised,
    too_many_attempts: invariants.attempts_are_numbered_and_limited,
    too_many_at_once: invariants.concurrency_is_within_the_limit,
    too_many_starts: invariants.starts_are_within_the_rate,
    minted: invariants.tokens_are_conserved,
    stolen: invariants.the_wallet_changed_by_its_fills_and_fees,
    leftovers_gone: invariants.the_wallet_changed_by_its_fills_and_fees,
    unexplained: invariants.every_failure_is_explained,
    unreadable: invariants.the_api_says_what_is_stored,
    saw_a_repeat: every_watcher_saw_all_it_should,
    missed_one: every_watcher_saw_all_it_should,
    missed_a_frame: every_watcher_saw_all_it_should,
    missed_the_end: every_watcher_saw_all_it_should,
    never_saw_the_end: every_watcher_saw_all_it_should,
    printed_a_secret: invariants.no_log_holds_a_secret,
}


def test_a_good_run_breaks_no_rule(log: Path) -> None:
    assert check(good(log)) == []


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: breach.__name__)
def test_a_breach_is_named_by_its_rule(log: Path, breach: Break) -> None:
    evidence = good(log)
    breach(evidence)
    assert BREACHES[breach].__name__ in {violation.rule for violation in check(evidence)}


def test_every_rule_has_a_breach_that_it_names() -> None:
    assert {*BREACHES.values(), *test_trading.BREACHES.values()} == set(RULES)
