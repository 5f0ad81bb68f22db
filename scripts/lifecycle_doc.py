"""Print docs/lifecycle.md from the state table, so that picture and code cannot differ."""

import sys

from order_engine.domain.lifecycle import IN_FLIGHT, TERMINAL, TRANSITIONS
from order_engine.domain.order import OrderStatus

MEANING = {
    OrderStatus.PENDING: "stored, or waiting for its next attempt",
    OrderStatus.ROUTING: "a worker was admitted and asks the venues",
    OrderStatus.BUILDING: "the route is chosen and recorded; the transaction is built and simulated",
    OrderStatus.SUBMITTED: "the signed bytes are recorded; they are sent until found or dead",
    OrderStatus.CONFIRMED: "landed: the fill is known",
    OrderStatus.FAILED: "over, with a reason and a post-mortem",
    OrderStatus.CANCELLED: "over because it was asked for",
    OrderStatus.EXPIRED: "reserved for order types with a deadline of their own",
}


def lifecycle_markdown() -> str:
    """Return the whole document."""
    return "\n".join([*_intro(), *_diagram(), "", *_statuses(), "", *_transitions(), ""])


def _intro() -> list[str]:
    return [
        "# The life of an order",
        "",
        "Printed from `order_engine/domain/lifecycle.py` by `make docs`; do not edit by hand.",
        "",
        "An order is a row and a numbered list of facts about it. Each fact moves it along this table or is refused:",
        "by `lifecycle.apply` first, and by PostgreSQL's own guards again. A retry is an ordinary step back to",
        "`pending` that says why and when; a worker that takes over from a dead one adds no step at all.",
        "",
    ]


def _diagram() -> list[str]:
    steps = [f"    {old} --> {new}: {fact.__name__}" for (old, fact), new in TRANSITIONS.items()]
    ends = [f"    {status} --> [*]" for status in OrderStatus if status in set(TRANSITIONS.values()) & TERMINAL]
    return ["```mermaid", "stateDiagram-v2", "    [*] --> pending: OrderPlaced", *steps, *ends, "```"]


def _statuses() -> list[str]:
    rows = [f"| `{status}` | {_kind(status)} | {MEANING[status]} |" for status in OrderStatus]
    return ["| status | | meaning |", "| --- | --- | --- |", *rows]


def _kind(status: OrderStatus) -> str:
    if status in TERMINAL:
        return "terminal"
    return "in flight" if status in IN_FLIGHT else "waiting"


def _transitions() -> list[str]:
    rows = [f"| `{old}` | {fact.__name__} | `{new}` |" for (old, fact), new in TRANSITIONS.items()]
    return ["| from | fact | to |", "| --- | --- | --- |", *rows]


if __name__ == "__main__":
    sys.stdout.write(lifecycle_markdown())
