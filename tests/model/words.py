"""The words of the protocol: statuses, facts, the table of what may follow, and what the actors are doing.

Plain ints, because a state is a row of bytes. Statuses and facts are named as the engine names them.
"""

from collections.abc import Mapping
from typing import Final

STATUSES: Final = ("ABSENT", "PENDING", "ROUTING", "BUILDING", "SUBMITTED", "CONFIRMED", "FAILED", "CANCELLED")
ABSENT, PENDING, ROUTING, BUILDING, SUBMITTED, CONFIRMED, FAILED, CANCELLED = range(8)
IN_FLIGHT: Final = (ROUTING, BUILDING, SUBMITTED)
TERMINAL: Final = (CONFIRMED, FAILED, CANCELLED)

PLACED: Final = "OrderPlaced"
STARTED: Final = "AttemptStarted"
ROUTED: Final = "RouteChosen"
SIGNED: Final = "TransactionSigned"
LANDED: Final = "TransactionConfirmed"
ATTEMPT_FAILED: Final = "AttemptFailed"
ORDER_FAILED: Final = "OrderFailed"
CANCEL_REQUESTED: Final = "CancelRequested"
ORDER_CANCELLED: Final = "OrderCancelled"

# The table. A takeover is not in it: it is no event.
LEGAL: Final[Mapping[tuple[int, str], int]] = {
    (ABSENT, PLACED): PENDING,
    (PENDING, STARTED): ROUTING,
    (PENDING, CANCEL_REQUESTED): CANCELLED,
    (ROUTING, ROUTED): BUILDING,
    (ROUTING, ATTEMPT_FAILED): PENDING,
    (ROUTING, ORDER_FAILED): FAILED,
    (ROUTING, CANCEL_REQUESTED): CANCELLED,
    (BUILDING, SIGNED): SUBMITTED,
    (BUILDING, ATTEMPT_FAILED): PENDING,
    (BUILDING, ORDER_FAILED): FAILED,
    (BUILDING, CANCEL_REQUESTED): CANCELLED,
    (SUBMITTED, LANDED): CONFIRMED,
    (SUBMITTED, ATTEMPT_FAILED): PENDING,
    (SUBMITTED, ORDER_FAILED): FAILED,
    (SUBMITTED, CANCEL_REQUESTED): SUBMITTED,
    (SUBMITTED, ORDER_CANCELLED): CANCELLED,
}

# What the store holds about a signature.
UNRECORDED, LIVE, DEAD, FAILED_ON_CHAIN, SUCCEEDED = range(5)
RECORDS: Final = ("unrecorded", "live", "dead", "failed", "landed")

# What the chain did with a signature. Finalized is confirmed, and old enough.
NOTHING, PROCESSED_OK, PROCESSED_FAIL, CONFIRMED_OK, CONFIRMED_FAIL = range(5)
SIGHTS: Final = ("none", "p-ok", "p-fail", "ok", "fail")

# What a worker does next.
IDLE, START, ROUTE, BUILD, RECORD_BYTES, SEND, LOOP, FIND_FIRST, FIND_SECOND, APPEND, RELOAD, HEIGHT = range(12)
STEPS: Final = (
    "IDLE", "START", "ROUTE", "BUILD", "RECORD_BYTES", "SEND", "LOOP", "FIND_FIRST", "FIND_SECOND", "APPEND", "RELOAD",
    "HEIGHT",
)  # fmt: skip

# A worker's decision that waits to be appended.
IS_LANDED, IS_FAILED, IS_DEAD = 1, 2, 3

# Verdicts that callers of CancelOrder were given: bits of one byte.
SAID_CANCELLED, SAID_TOO_LATE, SAID_PENDING = 1, 2, 4

# Wrongs that a step notices itself, because no later state shows them.
EVENT_AFTER_END, TOO_LATE_TOO_SOON, SIGNED_AFTER_CANCELLED, LOST_ALIVE, TOO_LATE_FOR_CANCELLED = 1, 3, 4, 5, 6
WRONGS: Final = {
    EVENT_AFTER_END: "event after a terminal one",
    TOO_LATE_TOO_SOON: "verdict TOO_LATE while not terminal",
    SIGNED_AFTER_CANCELLED: "wallet asked to sign after CANCELLED was acknowledged",
    LOST_ALIVE: "WORKER_LOST for an order whose worker lives",
    TOO_LATE_FOR_CANCELLED: "TOO_LATE for an order that a cancel had CANCELLED",
}
