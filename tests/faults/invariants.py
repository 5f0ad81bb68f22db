"""The promises of the engine, each as one rule over what a run left behind.

A rule yields a sentence for every breach. Rules compare sources that cannot share a mistake: what the API said, what
the database holds, what the chain did, and what every watcher saw.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from order_engine.domain import order as facts
from order_engine.domain.lifecycle import IN_FLIGHT, TERMINAL, TRANSITIONS
from order_engine.domain.order import OrderStatus
from tests.faults.evidence import Evidence, StoredOrder
from tests.faults.trading import (
    a_broken_guard_is_named,
    every_leg_and_hop_is_bounded_as_the_order_is,
    guards_hold_for_what_landed,
    never_more_in_nor_less_out_than_promised,
    succeeded,
    what_is_left_on_the_way_stays_in_the_wallet,
    whole,
)
from tests.faults.watching import every_watcher_saw_all_it_should

Rule = Callable[[Evidence], Iterator[str]]
_MINUTE: Final = timedelta(seconds=60)
_TERMINAL: Final = frozenset(status.value for status in TERMINAL)
_IN_FLIGHT: Final = frozenset(status.value for status in IN_FLIGHT)
_LEGAL: Final = {(source.value, fact.__name__): target.value for (source, fact), target in TRANSITIONS.items()}


@dataclass(frozen=True, slots=True)
class Violation:
    rule: str
    what: str


def check(evidence: Evidence, *, without: Collection[Rule] = ()) -> list[Violation]:
    """Return every breach of every rule."""
    return [Violation(rule.__name__, what) for rule in RULES if rule not in without for what in rule(evidence)]


def every_acknowledged_order_exists(evidence: Evidence) -> Iterator[str]:
    for _, order_id in evidence.acknowledged:
        if order_id not in evidence.orders:
            yield f"{order_id} was acknowledged and is not in the database"


def one_request_id_is_one_order(evidence: Evidence) -> Iterator[str]:
    ids: dict[str, set[str]] = defaultdict(set)
    for request_id, order_id in evidence.acknowledged:
        if request_id:
            ids[request_id].add(order_id)
    stored = Counter(order.request_id for order in evidence.orders.values() if order.request_id)
    for request_id, order_ids in ids.items():
        if len(order_ids) > 1:
            yield f"{request_id} was answered with {len(order_ids)} orders: {', '.join(sorted(order_ids))}"
    for request_id, count in stored.items():
        if count > 1:
            yield f"{request_id} is stored {count} times"


def no_order_lands_twice(evidence: Evidence) -> Iterator[str]:
    for order_id, landings in succeeded(evidence).items():
        if len(landings) > 1:
            yield f"{order_id} landed {len(landings)} times: {', '.join(one.signature for one in landings)}"


def confirmed_is_exactly_landed(evidence: Evidence) -> Iterator[str]:
    landed = succeeded(evidence)
    for order in evidence.orders.values():
        signatures = [one.signature for one in landed.get(order.order_id, [])]
        if order.status == OrderStatus.CONFIRMED and order.signature not in signatures:
            yield f"{order.order_id} is confirmed with {order.signature}, the chain has {signatures}"
        if order.status in _TERMINAL and order.status != OrderStatus.CONFIRMED and signatures:
            yield f"{order.order_id} is {order.status}, yet {signatures} landed"


def what_landed_was_recorded(evidence: Evidence) -> Iterator[str]:
    recorded = {one.signature: one for one in evidence.transactions}
    for landing in evidence.chain.landings:
        ours = recorded.get(landing.signature)
        if ours is None and landing.order_id:
            yield f"{landing.signature} of {landing.order_id} landed and was never recorded"
        elif ours is not None and (ours.order_id, ours.attempt) != (landing.order_id, landing.attempt):
            yield f"{landing.signature} is recorded for {ours.order_id}:{ours.attempt}, its memo says otherwise"


def outcomes_agree_with_the_chain(evidence: Evidence) -> Iterator[str]:
    landed = {one.signature: "landed" if one.succeeded else "failed" for one in evidence.chain.landings}
    ended = {order.order_id for order in evidence.orders.values() if order.status in _TERMINAL}
    for one in evidence.transactions:
        truth = landed.get(one.signature, "dead")
        if one.outcome != truth and one.order_id in ended:
            yield f"{one.signature} of {one.order_id} is recorded as {one.outcome}, the chain says {truth}"


def events_are_gap_free_and_legal(evidence: Evidence) -> Iterator[str]:
    for order_id in evidence.orders:
        events = evidence.events.get(order_id, [])
        if [event.sequence for event in events] != list(range(1, len(events) + 1)) or not events:
            yield f"{order_id} has events {[event.sequence for event in events]}"
            continue
        if (events[0].kind, events[0].status) != (facts.OrderPlaced.__name__, OrderStatus.PENDING):
            yield f"{order_id} begins with {events[0].kind}"
        for before, after in pairwise(events):
            if _LEGAL.get((before.status, after.kind)) != after.status:
                yield f"{order_id}: {after.kind} made {after.status} of {before.status}"


def no_event_is_older_than_the_one_before(evidence: Evidence) -> Iterator[str]:
    for order_id, events in evidence.events.items():
        for before, after in pairwise(events):
            if after.event_time < before.event_time:
                yield f"{order_id}: event {after.sequence} is older than the one before"


def one_terminal_event_and_it_is_last(evidence: Evidence) -> Iterator[str]:
    for order_id, order in evidence.orders.items():
        events = evidence.events.get(order_id, [])
        ends = [event.sequence for event in events if event.status in _TERMINAL]
        if len(ends) > 1 or (ends and ends[0] != len(events)):
            yield f"{order_id} ended at {ends} and has {len(events)} events"
        if events and (events[-1].status, events[-1].sequence) != (order.status, order.sequence):
            yield f"{order_id} is {order.status} at {order.sequence}, its last event is {events[-1].status}"


def every_order_ends_in_time(evidence: Evidence) -> Iterator[str]:
    for order_id in evidence.unsettled:
        yield f"{order_id} was not terminal when the bound had passed"
    for order in evidence.orders.values():
        if order.status not in _TERMINAL:
            yield f"{order.order_id} is still {order.status}"


def attempts_are_numbered_and_limited(evidence: Evidence) -> Iterator[str]:
    for order_id, events in evidence.events.items():
        starts = [event for event in events if event.kind == facts.AttemptStarted.__name__]
        if len(starts) > evidence.bounds.max_attempts:
            yield f"{order_id} was started {len(starts)} times"
        if [start.attempt for start in starts] != list(range(1, len(starts) + 1)):
            yield f"{order_id} counts its attempts {[start.attempt for start in starts]}"


def waits_are_as_promised(evidence: Evidence) -> Iterator[str]:
    for order_id, events in evidence.events.items():
        for before, after in pairwise(events):
            if before.kind == facts.AttemptFailed.__name__ and after.kind == facts.AttemptStarted.__name__:
                least = evidence.bounds.retry_delay * 2 ** (before.attempt - 1)
                if after.event_time - before.event_time < least:
                    yield f"{order_id} waited {after.event_time - before.event_time} after attempt {before.attempt}"


def concurrency_is_within_the_limit(evidence: Evidence) -> Iterator[str]:
    limit = evidence.bounds.max_in_flight
    changes: list[tuple[datetime, int, str]] = []
    for order_id, events in evidence.events.items():
        for before, after in pairwise(events):
            step = (after.status in _IN_FLIGHT) - (before.status in _IN_FLIGHT)
            if step:
                changes.append((after.event_time, step, order_id))
    running = 0
    for at, step, order_id in sorted(changes):  # at the same moment, what ends goes first
        running += step
        if limit and step > 0 and running > limit:
            yield f"{order_id} was started as number {running} of {limit} at {at.time()}"


def starts_are_within_the_rate(evidence: Evidence) -> Iterator[str]:
    limit = evidence.bounds.max_starts_per_minute
    starts = sorted(
        event.event_time
        for events in evidence.events.values()
        for event in events
        if event.kind == facts.AttemptStarted.__name__
    )
    for first, over in zip(starts, starts[limit:], strict=False):
        if limit and over - first < _MINUTE:
            yield f"more than {limit} starts between {first.time()} and {over.time()}"


def tokens_are_conserved(evidence: Evidence) -> Iterator[str]:
    before, after = evidence.chain.before.everywhere, evidence.chain.after.everywhere
    for mint in sorted({*before, *after}):
        if before.get(mint, 0) != after.get(mint, 0):
            yield f"{mint}: {before.get(mint, 0)} before, {after.get(mint, 0)} after"


def the_wallet_changed_by_its_fills_and_fees(evidence: Evidence) -> Iterator[str]:
    """What was left over on the way is in no fill: it comes from the chain."""
    expected: Counter[str] = Counter(evidence.chain.before.wallet)
    for order in evidence.orders.values():
        if order.fill is not None:
            expected[order.token_in] -= whole(order.fill["amount_in"])
            expected[order.token_out] += whole(order.fill["amount_out"])
    for order_id, landings in succeeded(evidence).items():
        for landing in landings:
            for mint, left in landing.deltas.items():
                expected[mint] += left if mint not in _ends(evidence.orders.get(order_id)) else 0
    expected[WRAPPED_SOL] -= sum(landing.fee for landing in evidence.chain.landings)
    for mint in sorted({*expected, *evidence.chain.after.wallet}):
        has = evidence.chain.after.wallet.get(mint, 0)
        if has != expected[mint]:
            yield f"{mint}: the wallet has {has}, its fills and fees make {expected[mint]}"


def every_failure_is_explained(evidence: Evidence) -> Iterator[str]:
    for order in evidence.orders.values():
        if (order.status == OrderStatus.FAILED) != (order.order_id in evidence.post_mortems):
            yield f"{order.order_id} is {order.status} and has {'a' if order.status != 'failed' else 'no'} post-mortem"


def the_api_says_what_is_stored(evidence: Evidence) -> Iterator[str]:
    for order in evidence.orders.values():
        answer = evidence.answers.get(order.order_id)
        if answer is None:
            yield f"{order.order_id} cannot be read through the API"
        elif (answer.status, answer.sequence, answer.signature) != (
            order.status,
            order.sequence,
            order.signature or "",
        ):
            yield f"{order.order_id}: the API says {answer}, stored is {order.status} at {order.sequence}"


def no_log_holds_a_secret(evidence: Evidence) -> Iterator[str]:
    for path in evidence.logs:
        content = path.read_bytes()
        for name, secret in evidence.secrets.items():
            if secret in content:
                yield f"{path.name} holds the {name}"


WRAPPED_SOL: Final = "So11111111111111111111111111111111111111112"
RULES: Final[Sequence[Rule]] = (
    every_acknowledged_order_exists,
    one_request_id_is_one_order,
    no_order_lands_twice,
    confirmed_is_exactly_landed,
    what_landed_was_recorded,
    outcomes_agree_with_the_chain,
    events_are_gap_free_and_legal,
    no_event_is_older_than_the_one_before,
    one_terminal_event_and_it_is_last,
    every_order_ends_in_time,
    attempts_are_numbered_and_limited,
    waits_are_as_promised,
    concurrency_is_within_the_limit,
    starts_are_within_the_rate,
    never_more_in_nor_less_out_than_promised,
    every_leg_and_hop_is_bounded_as_the_order_is,
    what_is_left_on_the_way_stays_in_the_wallet,
    guards_hold_for_what_landed,
    a_broken_guard_is_named,
    tokens_are_conserved,
    the_wallet_changed_by_its_fills_and_fees,
    every_failure_is_explained,
    the_api_says_what_is_stored,
    every_watcher_saw_all_it_should,
    no_log_holds_a_secret,
)
BY_THE_CLOCK: Final = frozenset(  # what is counted in the database's time, and so means nothing when that jumps
    {
        no_event_is_older_than_the_one_before,
        waits_are_as_promised,
        concurrency_is_within_the_limit,
        starts_are_within_the_rate,
    }
)


def _ends(order: StoredOrder | None) -> tuple[str, ...]:
    return (order.token_in, order.token_out) if order is not None else ()
