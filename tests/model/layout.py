"""How large a state is, where its orders, signatures and workers begin, and what of it can still matter."""

from typing import NamedTuple

from tests.model import at, words
from tests.model.config import Config


class Step(NamedTuple):
    """One atomic step: a transaction of the store, one call, or one thing that happens."""

    actor: str
    text: str
    fairness: str | None  # steps of one class are not put off for ever; None: may never happen
    is_fault: bool
    state: bytearray


class Layout:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.zero_life = config.max_lag + config.finality + config.margin + 2  # LIFE is stored with this added
        self.attempts = range(1, config.attempts + 1)
        order_size = at.ORDER_SIZE + config.attempts * at.SIGNATURE_SIZE
        workers_at = at.HEAD_SIZE + config.orders * order_size
        self.size = workers_at + config.workers * at.WORKER_SIZE
        self.orders = tuple(range(at.HEAD_SIZE, workers_at, order_size))
        self.workers = tuple(range(workers_at, self.size, at.WORKER_SIZE))

    def signature(self, order: int, attempt: int) -> int:
        return order + at.ORDER_SIZE + (attempt - 1) * at.SIGNATURE_SIZE

    def initial(self) -> bytes:
        """Return the first state: nothing placed, or all orders stored with their hints lost."""
        state = bytearray(self.size)
        state[at.CANCELS_LEFT] = self.config.cancels
        for order in self.orders:
            if not self.config.submit:
                state[order + at.STATUS], state[order + at.SEQUENCE] = words.PENDING, 1
        return bytes(state)

    def in_flight(self, state: bytes | bytearray) -> int:
        return sum(1 for order in self.orders if state[order + at.STATUS] in words.IN_FLIGHT)

    def canonical(self, state: bytearray) -> bytes:
        """Forget what can make no difference any more."""
        for order in self.orders:
            for attempt in self.attempts:
                signature = self.signature(order, attempt)
                if state[signature + at.SIGNED]:
                    self._forget(state, order, attempt, signature)
        return bytes(state)

    def _forget(self, state: bytearray, order: int, attempt: int, signature: int) -> None:
        if state[signature + at.LIFE] < self.zero_life:
            state[signature + at.SENT] = 0
        record = state[signature + at.RECORD]
        is_over = state[order + at.ATTEMPT] > attempt or state[order + at.STATUS] in words.TERMINAL
        if record == words.LIVE or (record == words.UNRECORDED and not is_over):
            return
        seen = state[signature + at.CHAIN]
        never_sent = record == words.UNRECORDED and seen == words.NOTHING and not state[signature + at.SENT]
        if never_sent or (state[signature + at.LIFE] < self.zero_life and seen == words.NOTHING):
            state[signature + at.LIFE], state[signature + at.SHIFT] = 1, at.NO_SHIFT
        elif seen in (words.CONFIRMED_OK, words.CONFIRMED_FAIL) and state[signature + at.AGE] >= self.config.finality:
            state[signature + at.LIFE], state[signature + at.SHIFT] = 1, at.NO_SHIFT
            state[signature + at.AGE] = self.config.max_lag

    def show(self, state: bytes) -> str:
        """Return the state for people, on one line."""
        orders = [self._show_order(state, number, order) for number, order in enumerate(self.orders)]
        workers = [
            f"W{number} {words.STEPS[state[worker + at.STEP]]} v{state[worker + at.VERSION]}"
            for number, worker in enumerate(self.workers, 1)
        ]
        return " | ".join([*orders, *workers, f"lags {state[at.LAG]},{state[at.LAG + 1]}"])

    def _show_order(self, state: bytes, number: int, order: int) -> str:
        flags = [
            name
            for offset, name in ((at.WAITS, "waits"), (at.CANCEL_ASKED, "cancel asked"), (at.HINTED, "hinted"))
            if state[order + offset]
        ]
        lease = f"W{state[order + at.OWNER]}'s{' lease passed' if state[order + at.LEASE_PASSED] else ''}"
        signatures = [
            self._show_signature(state, attempt, self.signature(order, attempt))
            for attempt in self.attempts
            if state[self.signature(order, attempt) + at.SIGNED]
        ]
        status, sequence, attempt = state[order + at.STATUS], state[order + at.SEQUENCE], state[order + at.ATTEMPT]
        head = f"O{number} {words.STATUSES[status]} seq {sequence} attempt {attempt}"
        return " ".join([head, *flags, *([lease] if state[order + at.OWNER] else []), *signatures])

    def _show_signature(self, state: bytes, attempt: int, signature: int) -> str:
        sent = "sent" if state[signature + at.SENT] else "-"
        life = state[signature + at.LIFE] - self.zero_life
        record, seen = words.RECORDS[state[signature + at.RECORD]], words.SIGHTS[state[signature + at.CHAIN]]
        return f"S{attempt}:{record},{sent},life{life:+d},{seen}@{state[signature + at.AGE]}"
