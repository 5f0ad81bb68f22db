"""Every fact is counted once, timed from the event before it, and labelled with nothing that grows without bound."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from order_engine.adapters.metrics import orders as order_metrics
from order_engine.adapters.metrics.orders import OrderMetrics, reject_code
from order_engine.domain.lifecycle import apply
from order_engine.domain.order import AttemptStarted, CancelRequested, Fact, Failure, Order, OrderCancelled, OrderFailed
from order_engine.domain.route import Candidate
from tests.contract.order_samples import attempt_failed, confirmed, dead, new_order, route_chosen, signed

START = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = signed()


class Life:
    """One order, and what this process's metrics make of it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = OrderMetrics(self.registry)
        self.order = self.placed()
        self.now = START

    def placed(self) -> Order:
        return replace(new_order(), create_time=START, update_time=START)

    def happens(self, fact: Fact, after_seconds: float = 1.0, *, here: bool = True) -> None:
        """Record a fact; `here` says whether by this process."""
        self.now += timedelta(seconds=after_seconds)
        self.order, event = apply(self.order, fact, at=self.now)
        if here:
            self.metrics.recorded(self.order, event)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"order_engine_{name}", labels)

    def events(self, status: str, fact: str, reason: str = "") -> float | None:
        return self.value("order_events_total", status=status, fact=fact, reason=reason)

    def seconds_in(self, status: str) -> tuple[float | None, float | None]:
        """Return how often, and how long in all."""
        return (
            self.value("order_status_seconds_count", status=status),
            self.value("order_status_seconds_sum", status=status),
        )


@pytest.fixture
def life() -> Life:
    return Life()


def confirm(life: Life) -> None:
    life.happens(AttemptStarted(), 1)
    life.happens(route_chosen(), 2)
    life.happens(FIRST, 4)
    life.happens(confirmed(FIRST.signature), 8)


def test_a_confirmed_order_is_counted_in_every_status(life: Life) -> None:
    confirm(life)
    assert life.events("routing", "attempt_started") == 1
    assert life.events("building", "route_chosen") == 1
    assert life.events("submitted", "transaction_signed") == 1
    assert life.events("confirmed", "transaction_confirmed") == 1


def test_each_status_is_timed_from_event_to_event(life: Life) -> None:
    confirm(life)
    assert life.seconds_in("pending") == (1, 1.0)
    assert life.seconds_in("routing") == (1, 2.0)
    assert life.seconds_in("building") == (1, 4.0)
    assert life.seconds_in("submitted") == (1, 8.0)


def test_the_whole_life_and_its_attempts_are_observed_at_the_end(life: Life) -> None:
    confirm(life)
    assert life.value("order_duration_seconds_sum", status="confirmed") == 15.0
    assert life.value("order_duration_seconds_count", status="confirmed") == 1
    assert life.value("order_attempts_sum", status="confirmed") == 1


def test_an_accepted_order_is_counted(life: Life) -> None:
    life.metrics.placed(life.order)
    assert life.events("pending", "order_placed") == 1


def test_a_retry_names_its_reason_and_its_wait_is_timed(life: Life) -> None:
    life.happens(AttemptStarted())
    life.happens(attempt_failed())
    life.happens(AttemptStarted(), 5)
    assert life.events("pending", "attempt_failed", "NO_ROUTE") == 1
    assert life.seconds_in("pending") == (2, 6.0)
    assert life.value("order_duration_seconds_count", status="failed") is None


def test_a_failed_order_names_its_reason(life: Life) -> None:
    life.happens(AttemptStarted())
    life.happens(OrderFailed(failure=Failure("INSUFFICIENT_FUNDS", "user text")))
    assert life.events("failed", "order_failed", "INSUFFICIENT_FUNDS") == 1
    assert life.value("order_duration_seconds_sum", status="failed") == 2.0


def test_a_cancel_of_a_waiting_order_has_no_attempts(life: Life) -> None:
    life.happens(CancelRequested(), 3)
    assert life.events("cancelled", "cancel_requested") == 1
    assert life.seconds_in("pending") == (1, 3.0)
    assert life.value("order_attempts_bucket", status="cancelled", le="0.0") == 1


def test_a_cancel_does_not_end_the_time_a_transaction_is_out(life: Life) -> None:
    for fact in (AttemptStarted(), route_chosen(), FIRST):
        life.happens(fact)
    life.happens(CancelRequested(99), 2)
    life.happens(OrderCancelled(dead(FIRST.signature)), 3)
    assert life.events("submitted", "cancel_requested") == 1
    assert life.seconds_in("submitted") == (1, 5.0)


def test_an_order_taken_over_is_timed_from_its_stored_version(life: Life) -> None:
    life.happens(AttemptStarted(), here=False)
    life.happens(route_chosen(), here=False)
    life.metrics.looked_at(life.order)
    life.happens(FIRST, 7)
    assert life.seconds_in("building") == (1, 7.0)


def test_a_wait_that_began_in_another_process_is_not_guessed(life: Life) -> None:
    life.happens(AttemptStarted(), here=False)
    life.happens(attempt_failed(), here=False)
    life.happens(AttemptStarted())
    assert life.events("routing", "attempt_started") == 1
    assert life.seconds_in("pending") == (None, None)


def test_a_wait_is_not_taken_for_an_earlier_one(life: Life) -> None:
    life.happens(AttemptStarted())
    life.happens(attempt_failed(), 1)
    life.happens(AttemptStarted(), 100, here=False)
    life.happens(attempt_failed(), 1, here=False)
    life.happens(AttemptStarted(), 2)
    assert life.seconds_in("pending") == (1, 1.0)


def test_the_chosen_venue_wins_and_every_quote_is_counted(life: Life) -> None:
    life.happens(AttemptStarted())
    life.happens(route_chosen("raydium_cpmm"))
    assert life.value("venue_wins_total", venue="raydium_cpmm") == 1
    assert life.value("venue_wins_total", venue="meteora_damm_v2") is None
    assert life.value("venue_quotes_total", venue="raydium_cpmm", outcome="ok") == 1
    assert life.value("venue_quotes_total", venue="meteora_damm_v2", outcome="OTHER") == 1


def test_quotes_count_when_no_route_was_found_too(life: Life) -> None:
    refused = Candidate(venue="flat", pool=None, reject_reason="VENUE_UNAVAILABLE: took too long")
    life.happens(AttemptStarted())
    life.happens(OrderFailed(failure=Failure("NO_ROUTE", ""), candidates=(refused, refused)))
    assert life.value("venue_quotes_total", venue="flat", outcome="VENUE_UNAVAILABLE") == 2


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("AMOUNT_TOO_SMALL: dust", "AMOUNT_TOO_SMALL"),
        ("QUOTE_REFUSED", "QUOTE_REFUSED"),
        ("timed out after 250 ms", "OTHER"),
        (f"{'A' * 41}: long", "OTHER"),
        (": empty", "OTHER"),
    ],
)
def test_only_codes_become_labels(reason: str, code: str) -> None:
    assert reject_code(reason) == code


def test_no_label_names_an_order(life: Life) -> None:
    confirm(life)
    values = [value for family in life.registry.collect() for one in family.samples for value in one.labels.values()]
    assert values
    assert not [value for value in values if str(life.order.order_id) in value or str(life.order.token_in) in value]


def test_orders_are_forgotten_at_their_end_and_beyond_a_bound(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_metrics, "REMEMBERED_ORDERS", 3)
    confirm(life)
    assert life.metrics._since == {}
    for _ in range(10):
        life.metrics.looked_at(life.placed())
    assert len(life.metrics._since) == 3
