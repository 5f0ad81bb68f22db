"""The caller of the API: SubmitOrder; CancelOrder, which reads, appends to what it read, and retries its own race."""

from collections.abc import Iterator

from tests.model import at, words
from tests.model.config import UNLIMITED
from tests.model.layout import Layout, Step
from tests.model.store import Store

_CALL_FIELDS = (at.CLIENT_STEP, at.CLIENT_ORDER, at.CLIENT_VERSION, at.CLIENT_STATUS, at.CLIENT_SAW_CANCEL)
_NOT_CALLING, _HAS_READ, _CALLS = 0, 1, 2


class Client:
    def __init__(self, layout: Layout, store: Store) -> None:
        self.layout = layout
        self.config = layout.config
        self.store = store

    def steps(self, now: bytes) -> Iterator[Step]:
        for number, order in enumerate(self.layout.orders):
            if now[order + at.STATUS] == words.ABSENT:
                yield from self._submit(now, number, order)
        if now[at.CLIENT_STEP] == _NOT_CALLING and now[at.CANCELS_LEFT]:
            yield from self._call(now)
        elif now[at.CLIENT_STEP] == _CALLS:
            yield self._read(now)
        elif now[at.CLIENT_STEP] == _HAS_READ:
            yield self._decide(now)

    def _submit(self, now: bytes, number: int, order: int) -> Iterator[Step]:
        for hinted, text in ((0, ", dies before the hint"), (1, "")):
            new = bytearray(now)
            self.store.append(new, order, 0, words.PLACED, words.PENDING)
            new[order + at.HINTED] = hinted
            yield Step("api", f"SubmitOrder O{number}{text}", None, False, new)

    def _call(self, now: bytes) -> Iterator[Step]:
        for number, order in enumerate(self.layout.orders):
            if now[order + at.STATUS] != words.ABSENT:
                new = bytearray(now)
                if self.config.cancels != UNLIMITED:
                    new[at.CANCELS_LEFT] -= 1
                new[at.CLIENT_STEP], new[at.CLIENT_ORDER] = _CALLS, number
                yield Step("client", f"CancelOrder O{number}", None, False, new)

    def _read(self, now: bytes) -> Step:
        order = self.layout.orders[now[at.CLIENT_ORDER]]
        new = bytearray(now)
        new[at.CLIENT_STEP] = _HAS_READ
        new[at.CLIENT_VERSION], new[at.CLIENT_STATUS] = now[order + at.SEQUENCE], now[order + at.STATUS]
        new[at.CLIENT_SAW_CANCEL] = now[order + at.CANCEL_ASKED]
        return Step("cancel", f"reads {words.STATUSES[now[order + at.STATUS]]}", "api", False, new)

    def _decide(self, now: bytes) -> Step:
        order = self.layout.orders[now[at.CLIENT_ORDER]]
        new = bytearray(now)
        new[at.CLIENT_STEP] = new[at.CLIENT_ORDER] = new[at.CLIENT_VERSION] = new[at.CLIENT_STATUS] = new[
            at.CLIENT_SAW_CANCEL
        ] = 0
        if now[at.CLIENT_STATUS] in words.TERMINAL:
            text = self._answer_ended(now, new, order)
        elif self.config.mutant == "cancel_flag":
            text = _set_flag(now, new, order)
        else:
            text = self._cancel(now, new, order)
        if self.config.cancels == UNLIMITED:
            new[order + at.VERDICTS] &= words.SAID_CANCELLED
        return Step("cancel", text, "api", False, new)

    def _answer_ended(self, now: bytes, new: bytearray, order: int) -> str:
        is_cancelled = now[at.CLIENT_STATUS] == words.CANCELLED
        if is_cancelled and self.config.verdict_again == "cancelled":
            new[order + at.VERDICTS] |= words.SAID_CANCELLED
            return "answers words.CANCELLED again"
        new[order + at.VERDICTS] |= words.SAID_TOO_LATE
        if now[order + at.STATUS] not in words.TERMINAL:
            new[at.WRONG] = words.TOO_LATE_TOO_SOON
        if is_cancelled and self.config.strict_too_late:
            new[at.WRONG] = words.TOO_LATE_FOR_CANCELLED
        return "answers TOO_LATE"

    def _cancel(self, now: bytes, new: bytearray, order: int) -> str:
        version = now[at.CLIENT_VERSION]
        if now[at.CLIENT_STATUS] == words.SUBMITTED:
            if now[at.CLIENT_SAW_CANCEL] and self.config.cancel_again == "idempotent":
                new[order + at.VERDICTS] |= words.SAID_PENDING
                return "writes nothing, answers PENDING"
            if self.store.append(new, order, version, words.CANCEL_REQUESTED, words.SUBMITTED):
                new[order + at.CANCEL_ASKED] = 1
                new[order + at.VERDICTS] |= words.SAID_PENDING
                return "appends CancelRequested, answers PENDING"
        elif self.store.append(new, order, version, words.CANCEL_REQUESTED, words.CANCELLED):
            new[order + at.VERDICTS] |= words.SAID_CANCELLED
            return "appends words.CANCELLED, answers CANCELLED"
        new[at.CLIENT_STEP], new[at.CLIENT_ORDER] = _CALLS, now[at.CLIENT_ORDER]
        return "StaleOrder, reads again"


def _set_flag(now: bytes, new: bytearray, order: int) -> str:
    """The mutant: a flag on the row, no event, no new sequence."""
    new[order + at.CANCEL_ASKED] = 1
    if now[at.CLIENT_STATUS] == words.SUBMITTED:
        new[order + at.VERDICTS] |= words.SAID_PENDING
        return "sets the flag, answers PENDING"
    new[order + at.VERDICTS] |= words.SAID_CANCELLED
    return "sets the flag, answers CANCELLED"
