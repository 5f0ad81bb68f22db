"""Taking a hint: start an order that is due, or take over one whose lease has passed."""

from collections.abc import Iterator

from tests.model import at, words
from tests.model.hands import Hands, Job
from tests.model.layout import Step


class Claiming(Hands):
    def take_hint(self, now: bytes) -> Iterator[Step]:
        for number, order in enumerate(self.layout.orders):
            if now[order + at.HINTED]:
                new = bytearray(now)
                new[order + at.HINTED] = 0
                text = self._take(now, new, number, order)
                yield Step(self.name, text, f"take{number}", False, new)

    def start(self, now: bytes, job: Job) -> Iterator[Step]:
        """The slots are counted in the start's own transaction."""
        new = bytearray(now)
        limit = self.config.limit
        is_full = limit and self.layout.in_flight(now) >= limit and self.config.mutant != "limit_no_lock"
        if is_full and now[job.order + at.SEQUENCE] == job.version:
            self.clear(new)
            yield self.step("no free slot: waits", new)
            return
        written = self.store.append(new, job.order, job.version, words.STARTED, words.ROUTING)
        if written:
            new[job.order + at.ATTEMPT] += 1
            new[job.order + at.OWNER], new[job.order + at.LEASE_PASSED] = self.owner, 0
            new[self.at + at.ON_ATTEMPT] = new[job.order + at.ATTEMPT]
        yield self.wrote(now, new, job, "ROUTING (start)", words.ROUTE, written=written)

    def _take(self, now: bytes, new: bytearray, number: int, order: int) -> str:
        if self._may_start(now, order):
            sequence = now[order + at.SEQUENCE]
            new[self.at + at.STEP], new[self.at + at.ORDER], new[self.at + at.VERSION] = words.START, number, sequence
            return f"takes the hint, reads O{number} PENDING seq {sequence}"
        if self._may_take_over(now, order):
            return self._take_over(now, new, number, order)
        return "takes the hint, nothing to do"

    def _may_start(self, now: bytes, order: int) -> bool:
        if self.config.mutant == "limit_no_lock" and self.layout.in_flight(now) >= self.config.limit:
            return False
        return now[order + at.STATUS] == words.PENDING and not now[order + at.WAITS]

    def _may_take_over(self, now: bytes, order: int) -> bool:
        if now[order + at.STATUS] not in words.IN_FLIGHT:
            return False
        return bool(now[order + at.LEASE_PASSED]) or (self.config.mutant == "no_lease" and not self.owns(now, order))

    def _take_over(self, now: bytes, new: bytearray, number: int, order: int) -> str:
        """One UPDATE of the claim, without an event; takeovers count until the order is SUBMITTED."""
        status, takeovers = now[order + at.STATUS], now[order + at.TAKEOVERS]
        counts = status != words.SUBMITTED
        if counts and takeovers >= self.config.takeovers:
            if not now[order + at.LEASE_PASSED]:
                new[at.WRONG] = words.LOST_ALIVE
            self.store.append(new, order, now[order + at.SEQUENCE], words.ORDER_FAILED, words.FAILED)
            return f"O{number} FAILED WORKER_LOST"
        new[order + at.TAKEOVERS] += counts
        new[order + at.OWNER], new[order + at.LEASE_PASSED] = self.owner, 0
        new[self.at + at.ORDER] = number
        self.resume(new, order)
        if self.config.mutant == "takeover_signs" and not counts and now[order + at.ATTEMPT] < self.config.attempts:
            self._build_anew(new, order)
        return f"takes over O{number} in {words.STATUSES[status]} (takeover {takeovers + counts})"

    def _build_anew(self, new: bytearray, order: int) -> None:
        new[order + at.STATUS] = words.BUILDING
        new[order + at.SEQUENCE] += 1
        new[order + at.ATTEMPT] += 1
        self.resume(new, order)
