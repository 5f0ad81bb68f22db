"""What must never be true, and what it means to be finished."""

from tests.model import at, words
from tests.model.config import UNLIMITED
from tests.model.layout import Layout


def violation(layout: Layout, state: bytes) -> str | None:
    """Return what is wrong with a state, None if nothing is."""
    if state[at.WRONG]:
        return words.WRONGS[state[at.WRONG]]
    if layout.config.limit and layout.in_flight(state) > layout.config.limit:
        return "more in flight than the limit"
    for order in layout.orders:
        signatures = [layout.signature(order, attempt) for attempt in layout.attempts]
        wrong = _wrong_sending(state, signatures) or _wrong_end(state, order, signatures)
        if wrong:
            return wrong
        if state[order + at.ATTEMPT] > layout.config.attempts:
            return "too many attempts"
    return None


def is_finished(layout: Layout, state: bytes) -> bool:
    """Whether every order that was placed has ended, and every cancel has its answer."""
    ended = all(state[order + at.STATUS] in (words.ABSENT, *words.TERMINAL) for order in layout.orders)
    return ended and (not state[at.CLIENT_STEP] or layout.config.cancels == UNLIMITED)


def _wrong_sending(state: bytes, signatures: list[int]) -> str | None:
    for signature in signatures:
        if state[signature + at.RECORD] == words.UNRECORDED:
            if state[signature + at.SENT]:
                return "sent before it was recorded"
            if state[signature + at.CHAIN]:
                return "landed without a record"
    return None


def _wrong_end(state: bytes, order: int, signatures: list[int]) -> str | None:
    status, said_cancelled = state[order + at.STATUS], state[order + at.VERDICTS] & words.SAID_CANCELLED
    landed = sum(state[signature + at.CHAIN] == words.CONFIRMED_OK for signature in signatures)
    live = sum(state[signature + at.RECORD] == words.LIVE for signature in signatures)
    rules = (
        (landed > 1, "TWO successful landings"),
        (status == words.CONFIRMED and landed != 1, "CONFIRMED without a successful landing"),
        (status in (words.FAILED, words.CANCELLED) and landed, f"{words.STATUSES[status]} but it landed successfully"),
        (said_cancelled and landed, "verdict CANCELLED, but it landed"),
        (live > 1, "two live transactions recorded"),
        (status in words.TERMINAL and live, "terminal with an unresolved transaction"),
    )
    return next((text for is_broken, text in rules if is_broken), None)
