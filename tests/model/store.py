"""The store: one conditional transaction per fact, and the guards that refuse the fatal ones whoever writes them."""

from tests.model import at, words
from tests.model.config import Config
from tests.model.layout import Layout

_SEQUENCE_WRAPS_AT, _SEQUENCE_WRAPS_TO = 24, 16  # in the variant whose sequence never stops growing


class Store:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.config: Config = layout.config

    def append(
        self, state: bytearray, order: int, version: int, fact: str, status: int, attempt: int = 0, record: int = 0
    ) -> bool:
        """Write event, order and signature if `version` is still the last one. False: stale, or refused by a guard.

        `record` is what becomes of the signature of `attempt`; 0 = the fact is not about a transaction.
        """
        if self.config.mutant == "reread":
            version = state[order + at.SEQUENCE]
        if version != state[order + at.SEQUENCE]:
            return False
        old = state[order + at.STATUS]
        if self.config.guards and not self._admits(state, order, fact, status, attempt, record):
            return False
        if old in words.TERMINAL:
            state[at.WRONG] = words.EVENT_AFTER_END
        if record:
            state[self.layout.signature(order, attempt) + at.RECORD] = record
        state[order + at.STATUS] = status
        self._count(state, order)
        self._settle(state, order, status)
        return True

    def end_attempt(self, state: bytearray, order: int, version: int, attempt: int = 0, record: int = 0) -> bool:
        """A failed or dead attempt: CANCELLED if that was asked, else a retry while attempts are left, else FAILED."""
        if state[order + at.CANCEL_ASKED]:
            return self.append(state, order, version, words.ORDER_CANCELLED, words.CANCELLED, attempt, record)
        if state[order + at.ATTEMPT] >= self.config.attempts:
            return self.append(state, order, version, words.ORDER_FAILED, words.FAILED, attempt, record)
        written = self.append(state, order, version, words.ATTEMPT_FAILED, words.PENDING, attempt, record)
        if written:
            state[order + at.WAITS] = 1
        return written

    def _admits(self, state: bytearray, order: int, fact: str, status: int, attempt: int, record: int) -> bool:
        """The database's guards: they look at the fact, not at old and new status alone."""
        old = state[order + at.STATUS]
        if words.LEGAL.get((old, fact)) != status:
            return False
        signature = self.layout.signature
        live = [one for one in self.layout.attempts if state[signature(order, one) + at.RECORD] == words.LIVE]
        if record == words.LIVE:  # signed: only from BUILDING, and only one live transaction
            return old == words.BUILDING and not live
        if record:  # a fact about a transaction names its signature
            return live == [attempt]
        if old == words.SUBMITTED:  # only an attempt's own outcome leaves SUBMITTED
            return status == words.SUBMITTED
        return status == words.SUBMITTED or not live

    def _count(self, state: bytearray, order: int) -> None:
        state[order + at.SEQUENCE] += 1
        if self.config.cancel_again == "event" and state[order + at.SEQUENCE] > _SEQUENCE_WRAPS_AT:
            state[order + at.SEQUENCE] = _SEQUENCE_WRAPS_TO

    def _settle(self, state: bytearray, order: int, status: int) -> None:
        """Leaving flight frees the slot and the lease, whoever writes it."""
        if status not in words.IN_FLIGHT:
            if self.config.lease_on_retry == "cleared" or status in words.TERMINAL:
                state[order + at.OWNER] = state[order + at.LEASE_PASSED] = 0
            state[order + at.TAKEOVERS] = 0
        if status == words.SUBMITTED:
            state[order + at.TAKEOVERS] = 0
        if status in words.TERMINAL:
            state[order + at.HINTED] = state[order + at.WAITS] = 0
