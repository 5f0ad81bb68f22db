"""What the stage shows, in the words of the model: one of its states, with everybody's memory in it."""

from collections.abc import Sequence
from typing import Final

from order_engine.adapters.memory.order_store import OrderRecord
from order_engine.domain.lifecycle import TERMINAL
from order_engine.domain.order import (
    AttemptFailed,
    CancelRequested,
    Fact,
    Order,
    OrderCancelled,
    OrderFailed,
    OrderId,
    OrderStatus,
    ResolvedTransaction,
    RouteChosen,
    TransactionConfirmed,
    TransactionOutcome,
    TransactionSigned,
)
from order_engine.usecases.cancel_order import CancelVerdict
from order_engine.usecases.execute_order import MAX_TAKEOVERS
from tests.model import at, words
from tests.model.layout import Layout
from tests.model.oracle.gate import Actor, Call
from tests.model.oracle.stage import Stage

RECORDS: Final = {
    TransactionOutcome.DEAD: words.DEAD,
    TransactionOutcome.FAILED: words.FAILED_ON_CHAIN,
    TransactionOutcome.LANDED: words.SUCCEEDED,
}
DECISIONS: Final = {TransactionOutcome.DEAD: words.IS_DEAD, TransactionOutcome.FAILED: words.IS_FAILED}
SAID: Final = {
    CancelVerdict.CANCELLED: words.SAID_CANCELLED,
    CancelVerdict.TOO_LATE: words.SAID_TOO_LATE,
    CancelVerdict.PENDING: words.SAID_PENDING,
}
_LONGEST_LIFE: Final = 100
_HAS_READ: Final = 1


def status_of(status: OrderStatus) -> int:
    return words.STATUSES.index(status.name)


def resolution(fact: Fact | None) -> ResolvedTransaction | None:
    return fact.transaction if isinstance(fact, AttemptFailed | OrderFailed | OrderCancelled) else None


class Abstraction:
    def __init__(self, layout: Layout, stage: Stage, order_ids: Sequence[OrderId]) -> None:
        self.layout = layout
        self.stage = stage
        self.order_ids = order_ids
        self.workers: list[Actor | None] = [None] * layout.config.workers
        self.claims: dict[object, int] = {}  # claim id → worker that made it, from 0
        self.verdicts: dict[OrderId, int] = dict.fromkeys(order_ids, 0)

    def state(self, acting: Actor | None = None) -> bytes:
        state = bytearray(self.layout.size)
        for offset, order_id in zip(self.layout.orders, self.order_ids, strict=True):
            self._order(state, offset, order_id)
        for offset, worker in zip(self.layout.workers, self.workers, strict=True):
            if worker and worker.call:
                self._worker(state, offset, worker, worker.call)
        if acting and acting not in self.workers and acting.call and acting.call.order:
            self._client(state, acting.call.order)
        return self.layout.canonical(state)

    def promises(self, state: bytes) -> tuple[bytes, ...]:
        """Return what a step must agree on with the model: orders and signatures, chain and hints aside."""
        state = self.layout.canonical(bytearray(state))  # what was forgotten may let more be forgotten
        kept = []
        for order in self.layout.orders:
            kept.append(state[order + at.STATUS : order + at.HINTED])
            for attempt in self.layout.attempts:
                signature = self.layout.signature(order, attempt)
                kept.append(state[signature + at.RECORD : signature + at.LIFE])
        return tuple(kept)

    def is_lost(self, order_id: OrderId) -> bool:
        """Whether the order was taken over once too often."""
        return self.stage.store.records[order_id].takeovers > MAX_TAKEOVERS

    def _order(self, state: bytearray, offset: int, order_id: OrderId) -> None:
        record, now = self.stage.store.records[order_id], self.stage.now()
        order = record.order
        fields = {
            at.STATUS: status_of(order.status),
            at.SEQUENCE: order.sequence,
            at.ATTEMPT: order.attempt,
            at.WAITS: bool(order.next_attempt_at and order.next_attempt_at > now),
            at.CANCEL_ASKED: _was_asked_when_submitted(record),
            at.OWNER: 1 + self.claims[record.claimed_by] if record.claimed_by else 0,
            at.LEASE_PASSED: bool(record.claimed_until and record.claimed_until <= now),
            at.TAKEOVERS: 0 if order.status in TERMINAL else min(record.takeovers, MAX_TAKEOVERS),
            at.HINTED: True,  # a hint may come at any moment
            at.VERDICTS: self.verdicts[order_id],
        }
        for field, value in fields.items():
            state[offset + field] = value
        self._signatures(state, offset, record)

    def _signatures(self, state: bytearray, offset: int, record: OrderRecord) -> None:
        ledger, longest = self.stage.ledger, self.layout.config.max_lag
        recorded = _recorded(record)
        for signature, entry in ledger.entries.items():
            if entry.order_id != record.order.order_id:
                continue
            life = max(1 - self.layout.zero_life, min(_LONGEST_LIFE, ledger.life(entry)))
            fields = {
                at.RECORD: recorded.get(bytes(signature), words.UNRECORDED),
                at.SIGNED: 1,
                at.SENT: entry.is_sent,
                at.LIFE: self.layout.zero_life + life,
                at.CHAIN: entry.seen,
                at.AGE: min(longest, ledger.tip - entry.landed_at) if entry.seen else 0,
                at.SHIFT: at.NO_SHIFT,
            }
            for field, value in fields.items():
                state[self.layout.signature(offset, entry.attempt) + field] = value

    def _worker(self, state: bytearray, offset: int, worker: Actor, call: Call) -> None:
        if call.port in ("start", "take_over") or call.order_id not in self.order_ids:
            return
        known = call.order or worker.known
        if known is None:
            return
        state[offset + at.STEP], state[offset + at.DECISION] = _doing(call)
        state[offset + at.ORDER] = self.order_ids.index(call.order_id)
        state[offset + at.VERSION] = known.sequence
        state[offset + at.ON_ATTEMPT] = call.attempt or known.attempt
        state[offset + at.SAW_CANCEL] = known.cancel_requested

    def _client(self, state: bytearray, order: Order) -> None:
        state[at.CLIENT_STEP] = _HAS_READ
        state[at.CLIENT_ORDER] = self.order_ids.index(order.order_id)
        state[at.CLIENT_VERSION], state[at.CLIENT_STATUS] = order.sequence, status_of(order.status)
        state[at.CLIENT_SAW_CANCEL] = order.cancel_requested


def _was_asked_when_submitted(record: OrderRecord) -> bool:
    """A cancel before anything was signed ends the order, and leaves no wish behind."""
    ended_at_once = isinstance(record.events[-1].fact, CancelRequested) and record.order.status in TERMINAL
    return record.order.cancel_requested and not ended_at_once


def _recorded(record: OrderRecord) -> dict[bytes, int]:
    """Return what the order's events say about each signature."""
    recorded = {}
    for event in record.events:
        match event.fact:
            case TransactionSigned(signature=signature):
                recorded[bytes(signature)] = words.LIVE
            case TransactionConfirmed(fill=fill):
                recorded[bytes(fill.signature)] = words.SUCCEEDED
            case fact if end := resolution(fact):
                recorded[bytes(end.signature)] = RECORDS[end.outcome]
    return recorded


def _doing(call: Call) -> tuple[int, int]:
    """Return the model's step for a call, and the decision that it appends."""
    match call.fact:
        case RouteChosen():
            return words.ROUTE, 0
        case TransactionSigned():
            return words.RECORD_BYTES, 0
        case TransactionConfirmed():
            return words.APPEND, words.IS_LANDED
        case fact if end := resolution(fact):
            return words.APPEND, DECISIONS.get(end.outcome, 0)
        case AttemptFailed() | OrderFailed() if call.order:
            return (words.ROUTE if call.order.status is OrderStatus.ROUTING else words.BUILD), 0
    return {"sign": words.BUILD, "send": words.SEND}.get(call.port, words.LOOP), 0
