"""What an exploration met, by name: one that meets nothing shows nothing."""

from collections.abc import Iterator

from order_engine.adapters.memory.order_store import OrderRecord
from order_engine.domain.errors import WorkerLost
from order_engine.domain.order import OrderFailed, TransactionConfirmed
from tests.model.oracle.gate import Actor, Call


def met(actor: Actor, call: Call, record: OrderRecord, sequence: int, owner: str) -> Iterator[str]:
    """Yield what a call met. `sequence` and `owner` are the order's before it."""
    if call.port == "take_over" and actor.known:
        yield f"takeover of {actor.known.status}"
    if record.order.sequence == sequence:
        return
    before, event = record.events[-2:]
    yield f"{before.status} {type(event.fact).__name__} {event.status}"
    if call.port == "append" and actor.name != "cancel" and actor.name != owner:
        yield "a worker that lost its lease appends"
    if isinstance(event.fact, TransactionConfirmed) and event.attempt > 1:
        yield "confirmed by a later attempt"
    if isinstance(event.fact, OrderFailed) and event.fact.failure.reason == WorkerLost.code:
        yield "worker lost"
