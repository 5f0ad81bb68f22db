"""A small run in which all goes well, as evidence, and ways to change it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.faults.evidence import (
    Answer,
    Bounds,
    Chain,
    Connection,
    Evidence,
    Holdings,
    Landing,
    StoredEvent,
    StoredOrder,
    StoredTransaction,
    Watcher,
)
from tests.faults.invariants import WRAPPED_SOL

A, B = "order-a", "order-b"
USDC = "usdc"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

A_LIFE = (
    ("OrderPlaced", "pending", 0, 0.0),
    ("AttemptStarted", "routing", 1, 0.1),
    ("RouteChosen", "building", 1, 0.2),
    ("TransactionSigned", "submitted", 1, 0.3),
    ("AttemptFailed", "pending", 1, 0.4),
    ("AttemptStarted", "routing", 2, 1.5),
    ("RouteChosen", "building", 2, 1.6),
    ("TransactionSigned", "submitted", 2, 1.7),
    ("TransactionConfirmed", "confirmed", 2, 1.8),
)
B_LIFE = (("OrderPlaced", "pending", 0, 0.0), ("AttemptStarted", "routing", 1, 0.15), ("OrderFailed", "failed", 1, 0.2))


BONK = "bonk"


def leg(pool: str, token_in: str, token_out: str, amounts: tuple[int, int], least: int) -> dict[str, object]:
    amount_in, amount_out = amounts
    return {
        "pool": pool,
        "token_in": token_in,
        "token_out": token_out,
        "amount_in": amount_in,
        "amount_out": amount_out,
        "min_amount_out": least,
        "max_amount_in": amount_in,
    }


def route(*legs: dict[str, object]) -> dict[str, object]:
    return {
        "legs": list(legs),
        "amount_in": 10,
        "max_amount_in": 10,
        "amount_out": 100,
        "min_amount_out": 90,
        "price_impact_bps": 7,
        "network_fee_lamports": 5,
        "rent_lamports": 0,
        "quote_age_slots": 1,
    }


GOOD_ROUTE = route(leg("pool-1", WRAPPED_SOL, BONK, (10, 1005), 1000), leg("pool-2", BONK, USDC, (1000, 100), 90))
IMPACT = {"guard": "max_price_impact_bps", "limit": "3", "value": "4"}
DETAILS: dict[str, dict[str, object]] = {
    "RouteChosen": {"route": GOOD_ROUTE},
    "OrderFailed": {"failure": {"reason": "PRICE_IMPACT_TOO_HIGH", "metadata": IMPACT}},
}


def life(order_id: str, steps: tuple[tuple[str, str, int, float], ...]) -> list[StoredEvent]:
    return [
        StoredEvent(
            order_id=order_id,
            sequence=number,
            kind=kind,
            status=status,
            attempt=attempt,
            event_time=NOON + timedelta(seconds=at),
            detail=DETAILS.get(kind, {}),
        )
        for number, (kind, status, attempt, at) in enumerate(steps, start=1)
    ]


def order(order_id: str, status: str, sequence: int, attempt: int, signature: str | None) -> StoredOrder:
    fill = {"amount_in": 10, "amount_out": 95, "fee_lamports": 5} if status == "confirmed" else None
    return StoredOrder(
        order_id=order_id,
        request_id=f"key-{order_id}",
        token_in=WRAPPED_SOL,
        token_out=USDC,
        swap_mode="exact_in",
        amount_in=10,
        amount_out=0,
        slippage_bps=1000,
        guards={"max_price_impact_bps": 7 if status == "confirmed" else 3},
        max_attempts=3,
        status=status,
        sequence=sequence,
        attempt=attempt,
        signature=signature,
        fill=fill,
        failure=None,
    )


def landing(signature: str, attempt: int, *, succeeded: bool = True) -> Landing:
    deltas = {WRAPPED_SOL: -10, BONK: 2, USDC: 95} if succeeded else {}
    return Landing(signature=signature, order_id=A, attempt=attempt, succeeded=succeeded, slot=7, fee=5, deltas=deltas)


def good(log: Path) -> Evidence:
    before = Holdings(everywhere={USDC: 1000}, wallet={WRAPPED_SOL: 100, USDC: 0})
    after = Holdings(everywhere={USDC: 1000}, wallet={WRAPPED_SOL: 80, BONK: 2, USDC: 95})
    lives = {A: life(A, A_LIFE), B: life(B, B_LIFE)}
    watched = [(event.sequence, event.status) for event in lives[A]]
    return Evidence(
        bounds=Bounds(max_attempts=3, retry_delay=timedelta(seconds=1), max_in_flight=2, max_starts_per_minute=3),
        acknowledged=[("key-order-a", A), ("key-order-a", A), ("key-order-b", B)],
        orders={A: order(A, "confirmed", 9, 2, "two"), B: order(B, "failed", 3, 1, None)},
        events={**lives},
        transactions=[
            StoredTransaction(order_id=A, attempt=1, signature="one", outcome="failed"),
            StoredTransaction(order_id=A, attempt=2, signature="two", outcome="landed"),
        ],
        post_mortems=frozenset({B}),
        chain=Chain(landings=[landing("one", 1, succeeded=False), landing("two", 2)], before=before, after=after),
        answers={
            A: Answer(status="confirmed", sequence=9, signature="two"),
            B: Answer(status="failed", sequence=3, signature=""),
        },
        watchers=[
            Watcher(
                kind="grpc",
                order_id=A,
                connections=[Connection(seen=watched[:4]), Connection(after_sequence=4, seen=watched[4:])],
                end="terminal",
            ),
            Watcher(
                kind="classic",
                order_id=A,
                connections=[Connection(seen=[(0, status) for _, status in part]) for part in (watched[:3], watched)],
                end="terminal",
            ),
            Watcher(kind="grpc", order_id=B, connections=[Connection(seen=[(1, "pending")])], end="vanished"),
        ],
        logs=[log],
        secrets={"password": b"hunter2"},
    )


def landed(evidence: Evidence, *more: Landing) -> None:
    evidence.chain = replace(evidence.chain, landings=[*evidence.chain.landings, *more])


def changed_life(evidence: Evidence, index: int, **changes: object) -> None:
    events = list(evidence.events[A])
    events[index] = replace(events[index], **changes)  # type: ignore[arg-type]
    evidence.events = {**evidence.events, A: events}


def changed_order(evidence: Evidence, **changes: object) -> None:
    evidence.orders = {**evidence.orders, A: replace(evidence.orders[A], **changes)}  # type: ignore[arg-type]


def changed_landing(evidence: Evidence, **deltas: int) -> None:
    *others, last = evidence.chain.landings
    names = {"sol": WRAPPED_SOL, "usdc": USDC, "bonk": BONK, "other": "other"}
    changed = {**last.deltas, **{names[name]: amount for name, amount in deltas.items()}}
    evidence.chain = replace(evidence.chain, landings=[*others, replace(last, deltas=changed)])


def changed_route(evidence: Evidence, **changes: object) -> None:
    changed_life(evidence, 6, detail={"route": {**GOOD_ROUTE, **changes}})


def changed_leg(evidence: Evidence, number: int, **changes: object) -> None:
    legs = [dict(one) for one in evidence.events[A][6].detail["route"]["legs"]]  # type: ignore[index]
    legs[number].update(changes)
    changed_route(evidence, legs=legs)
