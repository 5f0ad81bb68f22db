"""Every rule lets a good run pass and names its own breach: a checker that cannot fail proves nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults import invariants
from tests.faults.evidence import (
    Answer,
    Bounds,
    Chain,
    Connection,
    Evidence,
    Holdings,
    Landing,
    StoredEvent,
    StoredOrder,
    StoredTransaction,
    Watcher,
)
from tests.faults.invariants import RULES, WRAPPED_SOL, check
from tests.faults.watching import every_watcher_saw_all_it_should

A, B = "order-a", "order-b"
USDC = "usdc"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Break = Callable[[Evidence], None]

A_LIFE = (
    ("OrderPlaced", "pending", 0, 0.0),
    ("AttemptStarted", "routing", 1, 0.1),
    ("RouteChosen", "building", 1, 0.2),
    ("TransactionSigned", "submitted", 1, 0.3),
    ("AttemptFailed", "pending", 1, 0.4),
    ("AttemptStarted", "routing", 2, 1.5),
    ("RouteChosen", "building", 2, 1.6),
    ("TransactionSigned", "submitted", 2, 1.7),
    ("TransactionConfirmed", "confirmed", 2, 1.8),
)
B_LIFE = (("OrderPlaced", "pending", 0, 0.0), ("AttemptStarted", "routing", 1, 0.15), ("OrderFailed", "failed", 1, 0.2))


def life(order_id: str, steps: tuple[tuple[str, str, int, float], ...]) -> list[StoredEvent]:
    return [
        StoredEvent(
            order_id=order_id,
            sequence=number,
            kind=kind,
            status=status,
            attempt=attempt,
            event_time=NOON + timedelta(seconds=at),
            detail={"route": {"min_amount_out": 90}} if kind == "RouteChosen" else {},
        )
        for number, (kind, status, attempt, at) in enumerate(steps, start=1)
    ]


def order(order_id: str, status: str, sequence: int, attempt: int, signature: str | None) -> StoredOrder:
    fill = {"amount_in": 10, "amount_out": 95, "fee_lamports": 5} if status == "confirmed" else None
    return StoredOrder(
        order_id=order_id,
        request_id=f"key-{order_id}",
        token_in=WRAPPED_SOL,
        token_out=USDC,
        amount_in=10,
        max_attempts=3,
        status=status,
        sequence=sequence,
        attempt=attempt,
        signature=signature,
        fill=fill,
    )


def landing(signature: str, attempt: int, *, succeeded: bool = True) -> Landing:
    deltas = {WRAPPED_SOL: -10, USDC: 95} if succeeded else {}
    return Landing(signature=signature, order_id=A, attempt=attempt, succeeded=succeeded, slot=7, fee=5, deltas=deltas)


def good(log: Path) -> Evidence:
    before = Holdings(everywhere={USDC: 1000}, wallet={WRAPPED_SOL: 100, USDC: 0})
    after = Holdings(everywhere={USDC: 1000}, wallet={WRAPPED_SOL: 80, USDC: 95})
    lives = {A: life(A, A_LIFE), B: life(B, B_LIFE)}
    watched = [(event.sequence, event.status) for event in lives[A]]
    return Evidence(
        bounds=Bounds(max_attempts=3, retry_delay=timedelta(seconds=1), max_in_flight=2, max_starts_per_minute=3),
        acknowledged=[("key-order-a", A), ("key-order-a", A), ("key-order-b", B)],
        orders={A: order(A, "confirmed", 9, 2, "two"), B: order(B, "failed", 3, 1, None)},
        events={**lives},
        transactions=[
            StoredTransaction(order_id=A, attempt=1, signature="one", outcome="failed"),
            StoredTransaction(order_id=A, attempt=2, signature="two", outcome="landed"),
        ],
        post_mortems=frozenset({B}),
        chain=Chain(landings=[landing("one", 1, succeeded=False), landing("two", 2)], before=before, after=after),
        answers={
            A: Answer(status="confirmed", sequence=9, signature="two"),
            B: Answer(status="failed", sequence=3, signature=""),
        },
        watchers=[
            Watcher(
                kind="grpc",
                order_id=A,
                connections=[Connection(seen=watched[:4]), Connection(after_sequence=4, seen=watched[4:])],
                end="terminal",
            ),
            Watcher(
                kind="classic",
                order_id=A,
                connections=[Connection(seen=[(0, status) for _, status in part]) for part in (watched[:3], watched)],
                end="terminal",
            ),
            Watcher(kind="grpc", order_id=B, connections=[Connection(seen=[(1, "pending")])], end="vanished"),
        ],
        logs=[log],
        secrets={"password": b"hunter2"},
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "worker.log"
    path.write_text("all is well\n")
    return path


def unacknowledged(evidence: Evidence) -> None:
    evidence.acknowledged = [*evidence.acknowledged, ("key-c", "order-c")]


def two_orders_for_a_key(evidence: Evidence) -> None:
    evidence.acknowledged = [*evidence.acknowledged, ("key-order-a", B)]


def landed(evidence: Evidence, *more: Landing) -> None:
    evidence.chain = replace(evidence.chain, landings=[*evidence.chain.landings, *more])


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


def changed_life(evidence: Evidence, index: int, **changes: object) -> None:
    events = list(evidence.events[A])
    events[index] = replace(events[index], **changes)  # type: ignore[arg-type]
    evidence.events = {**evidence.events, A: events}


def gap(evidence: Evidence) -> None:
    evidence.events = {**evidence.events, A: [*evidence.events[A][:2], *evidence.events[A][3:]]}


def illegal(evidence: Evidence) -> None:
    changed_life(evidence, 2, kind="TransactionSigned")


def went_on_after_the_end(evidence: Evidence) -> None:
    late = replace(evidence.events[A][-1], sequence=10)
    evidence.events = {**evidence.events, A: [*evidence.events[A], late]}


def unfinished(evidence: Evidence) -> None:
    evidence.unsettled = [A]


def too_early(evidence: Evidence) -> None:
    changed_life(evidence, 5, event_time=NOON + timedelta(seconds=1.39))


def too_many_attempts(evidence: Evidence) -> None:
    evidence.bounds = replace(evidence.bounds, max_attempts=1)


def too_many_at_once(evidence: Evidence) -> None:
    evidence.bounds = replace(evidence.bounds, max_in_flight=1)


def too_many_starts(evidence: Evidence) -> None:
    evidence.bounds = replace(evidence.bounds, max_starts_per_minute=2)


def paid_too_much(evidence: Evidence) -> None:
    evidence.orders = {**evidence.orders, A: replace(evidence.orders[A], amount_in=9)}


def wrong_fill(evidence: Evidence) -> None:
    fill = {"amount_in": 10, "amount_out": 94, "fee_lamports": 5}
    evidence.orders = {**evidence.orders, A: replace(evidence.orders[A], fill=fill)}


def minted(evidence: Evidence) -> None:
    after = replace(evidence.chain.after, everywhere={USDC: 1001})
    evidence.chain = replace(evidence.chain, after=after)


def stolen(evidence: Evidence) -> None:
    after = replace(evidence.chain.after, wallet={WRAPPED_SOL: 79, USDC: 95})
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
    too_early: invariants.attempts_and_waits_are_as_promised,
    too_many_attempts: invariants.attempts_and_waits_are_as_promised,
    too_many_at_once: invariants.concurrency_is_within_the_limit,
    too_many_starts: invariants.starts_are_within_the_rate,
    paid_too_much: invariants.never_more_in_nor_less_out_than_promised,
    wrong_fill: invariants.never_more_in_nor_less_out_than_promised,
    minted: invariants.tokens_are_conserved,
    stolen: invariants.the_wallet_changed_by_its_fills_and_fees,
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
    assert set(BREACHES.values()) == set(RULES)
