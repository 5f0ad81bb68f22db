"""What orders do, counted: every fact that this process recorded, and how long it took to get there."""

import re
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram

from order_engine.domain.lifecycle import TERMINAL
from order_engine.domain.order import (
    AttemptFailed,
    AttemptStarted,
    Fact,
    Order,
    OrderEvent,
    OrderFailed,
    OrderId,
    OrderPlaced,
    OrderStatus,
    RouteChosen,
)
from order_engine.domain.route import Candidate

REMEMBERED_ORDERS: Final = 10_000  # some megabytes; the oldest are forgotten first
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_ATTEMPTS: Final = (0, 1, 2, 3, 5, 10, 20)
_CODE: Final = re.compile(r"[A-Z][A-Z_]{0,39}")
_WORD_START: Final = re.compile(r"(?<!^)(?=[A-Z])")


class Since(NamedTuple):
    """An order came to this status, in this attempt, at this time."""

    status: OrderStatus
    attempt: int
    at: datetime


class OrderMetrics:
    """An OrderObserver. No label holds an order's id, a mint, or a text that anybody wrote."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._events = Counter(
            "order_engine_order_events_total",
            "Facts recorded by this process, by the order's status after the fact; reason is set for failures.",
            ("status", "fact", "reason"),
            registry=registry,
        )
        self._status_seconds = Histogram(
            "order_engine_order_status_seconds",
            "Time that orders spent in a status, from the event that led to it to the one that left it.",
            ("status",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._duration = Histogram(
            "order_engine_order_duration_seconds",
            "Time from accepting an order to its end, by the status it ended in.",
            ("status",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._attempts = Histogram(
            "order_engine_order_attempts",
            "Attempts that orders needed, by the status they ended in.",
            ("status",),
            buckets=_ATTEMPTS,
            registry=registry,
        )
        self._wins = Counter(
            "order_engine_venue_wins_total",
            "Routes chosen, by the venue of the first leg.",
            ("venue",),
            registry=registry,
        )
        self._quotes = Counter(
            "order_engine_venue_quotes_total",
            "Pools asked for a quote: ok, or the code of what was wrong with the pool, the quote or the venue.",
            ("venue", "outcome"),
            registry=registry,
        )
        self._since: OrderedDict[OrderId, Since] = OrderedDict()

    def placed(self, order: Order) -> None:
        """Count a new order: its first event is written with it, and nobody is told."""
        self._count(order.status, OrderPlaced(), "")

    def looked_at(self, order: Order) -> None:
        """Remember since when an order is in its status, unless that is known better."""
        known = self._since.get(order.order_id)
        if known is None or (known.status, known.attempt) != (order.status, order.attempt):
            self._remember(order.order_id, Since(order.status, order.attempt, order.update_time))

    def recorded(self, order: Order, event: OrderEvent) -> None:
        failure = event.fact.failure if isinstance(event.fact, AttemptFailed | OrderFailed) else None
        self._count(event.status, event.fact, failure.reason if failure else "")
        self._time(order, event)
        if isinstance(event.fact, RouteChosen):
            self._wins.labels(event.fact.route.legs[0].venue if event.fact.route.legs else "none").inc()
        if isinstance(event.fact, RouteChosen | AttemptFailed | OrderFailed):
            self._count_quotes(event.fact.candidates)

    def _count(self, status: OrderStatus, fact: Fact, reason: str) -> None:
        self._events.labels(status.value, _snake(type(fact).__name__), reason).inc()

    def _count_quotes(self, candidates: Iterable[Candidate]) -> None:
        for one in candidates:
            self._quotes.labels(one.venue, reject_code(one.reject_reason) if one.reject_reason else "ok").inc()

    def _time(self, order: Order, event: OrderEvent) -> None:
        since = self._before(order, event)
        if since is not None and since.status is event.status:  # a cancel was asked while the transaction is out
            return
        if since is not None:
            self._status_seconds.labels(since.status.value).observe(_seconds(since.at, event.event_time))
        if event.status not in TERMINAL:
            self._remember(order.order_id, Since(event.status, event.attempt, event.event_time))
            return
        self._since.pop(order.order_id, None)
        self._duration.labels(event.status.value).observe(_seconds(order.create_time, event.event_time))
        self._attempts.labels(event.status.value).observe(order.attempt)

    def _before(self, order: Order, event: OrderEvent) -> Since | None:
        """Return the status that the event ended, None when another process alone knows since when it lasted."""
        attempt = event.attempt - isinstance(event.fact, AttemptStarted)
        known = self._since.get(order.order_id)
        if known is not None and known.attempt == attempt:
            return known
        return Since(OrderStatus.PENDING, 0, order.create_time) if attempt == 0 else None

    def _remember(self, order_id: OrderId, since: Since) -> None:
        self._since[order_id] = since
        self._since.move_to_end(order_id)
        if len(self._since) > REMEMBERED_ORDERS:
            self._since.popitem(last=False)


def reject_code(reason: str) -> str:
    """Return the code that a reject reason begins with; OTHER when it has none, so that no text becomes a label."""
    code = reason.partition(":")[0]
    return code if _CODE.fullmatch(code) else "OTHER"


def _snake(name: str) -> str:
    return _WORD_START.sub("_", name).lower()


def _seconds(since: datetime, until: datetime) -> float:
    return max(0.0, (until - since).total_seconds())
