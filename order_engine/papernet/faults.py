"""The fault plan: what the network does wrong on purpose, how often, and the same again with the same seed."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Final

from solders.signature import Signature

from order_engine.papernet.genesis import fraction

MAX_LAG: Final = 128


class InvalidFaultPlan(ValueError):
    """The text is no fault plan; the message names the item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """Shares are of sends (drop), of transactions (delay, late, duplicate) or of HTTP requests (the others)."""

    drop: float = 0.0  # accepted and lost; a resend is another chance
    delay: float = 0.0  # lands `delay_slots` later
    delay_slots: int = 0
    late: float = 0.0  # lands at its last valid height
    duplicate: float = 0.0  # reaches the leader twice
    lag: float = 0.0  # answered by a node that is `lag_slots` behind
    lag_slots: int = 0
    http_429: float = 0.0
    malformed: float = 0.0  # the reply is cut short

    @classmethod
    def parse(cls, text: str) -> "FaultPlan":
        """Read "drop=0.05,delay=0.1:20,late=0.02,duplicate=0.1,lag=8,http_429=0.02,malformed=0.01".

        `delay` is a share and slots; `lag` is slots, or a share and slots. What is not named does not happen.

        Raises:
            InvalidFaultPlan.
        """
        plan = cls()
        for item in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = item.partition("=")
            reader = _ITEMS.get(name.strip())
            if reader is None:
                raise InvalidFaultPlan(f"{item!r}: unknown fault; known are {', '.join(_ITEMS)}")
            try:
                plan = reader(plan, value.strip())
            except ValueError as error:
                raise InvalidFaultPlan(f"{item!r}: {error}") from error
        return plan

    def as_items(self) -> dict[str, float]:
        return asdict(self)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a share between 0 and 1") from None
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r} is not a share between 0 and 1")
    return share


def _slots(text: str, at_most: int) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > at_most:
        raise ValueError(f"{text!r} is not a number of slots between 0 and {at_most}")
    return int(text)


def _with_delay(plan: FaultPlan, value: str) -> FaultPlan:
    share, colon, slots = value.partition(":")
    if not colon:
        raise ValueError("delay is SHARE:SLOTS")
    return replace(plan, delay=_share(share), delay_slots=_slots(slots, 10_000))


def _with_lag(plan: FaultPlan, value: str) -> FaultPlan:
    share, colon, slots = value.partition(":")
    if not colon:
        share, slots = "1", value
    return replace(plan, lag=_share(share), lag_slots=_slots(slots, MAX_LAG))


_ITEMS: Final[Mapping[str, Callable[[FaultPlan, str], FaultPlan]]] = MappingProxyType(
    {
        "drop": lambda plan, value: replace(plan, drop=_share(value)),
        "delay": _with_delay,
        "late": lambda plan, value: replace(plan, late=_share(value)),
        "duplicate": lambda plan, value: replace(plan, duplicate=_share(value)),
        "lag": _with_lag,
        "http_429": lambda plan, value: replace(plan, http_429=_share(value)),
        "malformed": lambda plan, value: replace(plan, malformed=_share(value)),
    }
)


class Faults:
    """Decides by seed and signature, or by seed and a counter of sends or requests."""

    def __init__(self, seed: int, plan: FaultPlan, failure_rate: float) -> None:
        self._seed, self.plan, self.failure_rate = seed, plan, failure_rate
        self._sends = self._requests = 0

    def next_send_is_dropped(self) -> bool:
        self._sends += 1
        return self._happens("drop", self._sends, self.plan.drop)

    def next_request(self) -> int:
        self._requests += 1
        return self._requests

    def is_throttled(self, request: int) -> bool:
        return self._happens("http_429", request, self.plan.http_429)

    def is_malformed(self, request: int) -> bool:
        return self._happens("malformed", request, self.plan.malformed)

    def lag(self, request: int) -> int:
        return self.plan.lag_slots if self._happens("lag", request, self.plan.lag) else 0

    def delay(self, signature: Signature) -> int:
        return self.plan.delay_slots if self._happens("delay", signature, self.plan.delay) else 0

    def is_late(self, signature: Signature) -> bool:
        return self._happens("late", signature, self.plan.late)

    def is_duplicated(self, signature: Signature) -> bool:
        return self._happens("duplicate", signature, self.plan.duplicate)

    def fails_on_chain(self, signature: Signature) -> bool:
        return self._happens("fail", signature, self.failure_rate)

    def landing_slots(self, signature: Signature, minimum: int, maximum: int) -> int:
        return minimum + int(fraction(self._seed, "land", signature) * (maximum - minimum + 1))

    def _happens(self, kind: str, key: object, share: float) -> bool:
        return share > 0 and fraction(self._seed, kind, key) < share
