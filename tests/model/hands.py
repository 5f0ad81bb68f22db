"""What a worker holds in memory, and how each of its steps ends. A crash clears all of it."""

from typing import NamedTuple

from tests.model import at, words
from tests.model.layout import Layout, Step
from tests.model.store import Store

_RESUMES_WITH = {words.ROUTING: words.ROUTE, words.BUILDING: words.BUILD, words.SUBMITTED: words.LOOP}


class Job(NamedTuple):
    """The order a worker has in hand: offsets of order and signature, and what it read of them."""

    order: int
    version: int
    attempt: int
    signature: int
    name: str  # of the signature


class Hands:
    def __init__(self, layout: Layout, store: Store, number: int) -> None:
        self.layout = layout
        self.config = layout.config
        self.store = store
        self.owner = number + 1  # as an order names it; 0 is nobody
        self.name = f"W{self.owner}"
        self.at = layout.workers[number]

    def job(self, now: bytes) -> Job:
        number, attempt = now[self.at + at.ORDER], now[self.at + at.ON_ATTEMPT]
        order = self.layout.orders[number]
        signature = self.layout.signature(order, attempt) if attempt else 0
        return Job(order, now[self.at + at.VERSION], attempt, signature, f"S{number}.{attempt}")

    def step(self, text: str, new: bytearray) -> Step:
        return Step(self.name, text, self.name, False, new)

    def wrote(self, now: bytes, new: bytearray, job: Job, what: str, then: int, *, written: bool) -> Step:
        """After an append: go on with `then` at the new version; refused, drop what was decided and reload."""
        if not written:
            stale = bytearray(now)
            self.forget(stale)
            stale[self.at + at.STEP] = words.RELOAD
            return self.step(f"StaleOrder or refused on {what}: drops it", stale)
        sequence = new[self.at + at.VERSION] = new[job.order + at.SEQUENCE]
        if then == words.IDLE:
            self.clear(new)
        else:
            new[self.at + at.STEP] = then
        return self.step(f"appends seq {sequence}: {what}", new)

    def clear(self, new: bytearray) -> None:
        new[self.at : self.at + at.WORKER_SIZE] = bytes(at.WORKER_SIZE)

    def forget(self, new: bytearray) -> None:
        """Drop what was seen of the chain, and what was decided from it."""
        for field in (at.PAST, at.SINCE, at.NULLS, at.DECISION, at.SAW_CANCEL):
            new[self.at + field] = 0

    def decide(self, new: bytearray, decision: int) -> None:
        self.forget(new)
        new[self.at + at.DECISION], new[self.at + at.STEP] = decision, words.APPEND

    def owns(self, now: bytes | bytearray, order: int) -> bool:
        return now[order + at.OWNER] == self.owner

    def resume(self, new: bytearray, order: int) -> None:
        """Reload the order and decide again, if the lease is ours; else drop it."""
        self.forget(new)
        status = new[order + at.STATUS]
        if status in words.IN_FLIGHT and self.owns(new, order):
            new[self.at + at.VERSION] = new[order + at.SEQUENCE]
            new[self.at + at.ON_ATTEMPT] = new[order + at.ATTEMPT]
            new[self.at + at.STEP] = _RESUMES_WITH[status]
        else:
            self.clear(new)
