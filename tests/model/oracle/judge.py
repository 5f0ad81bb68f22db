"""Holds each step of the real use cases against the model."""

from collections.abc import Iterator

from order_engine.domain.errors import WorkerLost
from order_engine.domain.order import OrderFailed, TransactionOutcome
from order_engine.usecases.cancel_order import Cancellation, CancelVerdict
from tests.model import at, words
from tests.model.model import Edge, Model
from tests.model.oracle.abstraction import SAID, Abstraction, resolution, status_of
from tests.model.oracle.gate import Actor, Call


class Judge:
    """Raises Wrong at the first step that is not the model's, or that leads where the model says nobody may be."""

    def __init__(self, model: Model, abstraction: Abstraction) -> None:
        self.model = model
        self.abstraction = abstraction

    def before(self, actor: Actor, call: Call) -> bytes:
        """Return the state that a call is about to change."""
        wrong = self._unsound(actor, call)
        if wrong:
            raise Wrong(wrong)
        return self.abstraction.state(actor)

    def after(self, actor: Actor, call: Call, before: bytes) -> None:
        after = self.abstraction.state(actor)
        self._check_step(actor, call, before, after)
        wrong = self.model.violation(after)
        if wrong:
            raise Wrong(wrong)

    def world_moved(self) -> None:
        """The chain or the clock moved, or somebody died: still nothing may be wrong."""
        wrong = self.model.violation(self.abstraction.state())
        if wrong:
            raise Wrong(wrong)

    def answered(self, answer: object) -> None:
        """A cancel was answered: that the order had ended otherwise must be true."""
        if not isinstance(answer, Cancellation):
            return
        order_id = answer.order.order_id
        self.abstraction.verdicts[order_id] |= SAID[answer.verdict]
        status = status_of(self.abstraction.stage.store.records[order_id].order.status)
        if answer.verdict is CancelVerdict.TOO_LATE and status not in (words.CONFIRMED, words.FAILED):
            raise Wrong("TOO_LATE for an order that has not ended, or was cancelled")
        self.world_moved()

    def _check_step(self, actor: Actor, call: Call, before: bytes, after: bytes) -> None:
        promises = self.abstraction.promises
        wanted = promises(after)
        if wanted == promises(before):
            return
        if call.port == "take_over" and self._claims_a_lost_order(call, before):
            return
        if all(promises(edge.state) != wanted for edge in self._steps(actor, call, before)):
            show = self.model.show
            raise Wrong(f"not a step of the model:\n  {show(before)}\n  {show(after)}")

    def _claims_a_lost_order(self, call: Call, before: bytes) -> bool:
        order = self.model.layout.orders[self.abstraction.order_ids.index(call.order_id)]
        return bool(before[order + at.LEASE_PASSED]) and self.abstraction.is_lost(call.order_id)

    def _steps(self, actor: Actor, call: Call, before: bytes) -> Iterator[Edge]:
        """The model's steps of this actor. It reads the hint and starts in two, the engine in one."""
        for edge in self.model.successors(self._as_takeover(before, call) if _is_worker_lost(call) else before):
            if edge.actor != actor.name:
                continue
            yield edge
            if call.port == "start":
                yield from (next_one for next_one in self.model.successors(edge.state) if next_one.actor == actor.name)

    def _as_takeover(self, before: bytes, call: Call) -> bytes:
        """The engine takes over and then writes WORKER_LOST; the model does both in one step."""
        state = bytearray(before)
        order = self.model.layout.orders[self.abstraction.order_ids.index(call.order_id)]
        state[order + at.LEASE_PASSED] = 1
        for worker in self.model.layout.workers:
            state[worker + at.STEP] = words.IDLE
        return bytes(state)

    def _unsound(self, actor: Actor, call: Call) -> str | None:
        """What the model's worker never does, because of what it knows."""
        ledger = self.abstraction.stage.ledger
        if call.port == "send" and actor.known and actor.known.cancel_requested:
            return "sends what it knows to be cancelled"
        end = resolution(call.fact)
        if end is None:
            return None
        entry = ledger.entries[end.signature]
        if end.outcome is TransactionOutcome.DEAD and not ledger.is_dead(entry):
            return "declares dead what may still land, or has landed"
        if end.outcome is TransactionOutcome.FAILED and entry.seen != words.CONFIRMED_FAIL:
            return "declares failed what has not failed for good"
        return None


class Wrong(Exception):
    """The engine did what the model does not allow."""


def _is_worker_lost(call: Call) -> bool:
    return isinstance(call.fact, OrderFailed) and call.fact.failure.reason == WorkerLost.code
