"""Tells the log every fact that is stored: one line each, the routing decision with all its candidates in one."""

from collections.abc import Mapping

import structlog

from order_engine.domain.order import (
    AttemptFailed,
    Order,
    OrderCancelled,
    OrderEvent,
    OrderFailed,
    RouteChosen,
    TransactionConfirmed,
    TransactionSigned,
)
from order_engine.domain.route import Candidate
from order_engine.usecases.ports import OrderObserver

log = structlog.get_logger("order_engine.orders")

Fields = Mapping[str, object]


class Observers:
    """Tells each of them, in order."""

    def __init__(self, *observers: OrderObserver) -> None:
        self._observers = observers

    def recorded(self, order: Order, event: OrderEvent) -> None:
        for observer in self._observers:
            observer.recorded(order, event)


class LoggingObserver:
    def recorded(self, order: Order, event: OrderEvent) -> None:
        log.info(
            "order_moved",
            order_id=str(order.order_id),
            status=event.status.value,
            sequence=event.sequence,
            attempt=event.attempt,
            **_fields(event),
        )


def _fields(event: OrderEvent) -> Fields:
    match event.fact:
        case RouteChosen() as fact:
            return {
                "venue": fact.route.legs[0].venue,
                "pool": str(fact.route.legs[0].pool),
                "slot": fact.route.slot,
                "amount_in": fact.route.amount_in,
                "amount_out": fact.route.amount_out,
                "min_amount_out": fact.route.min_amount_out,
                "candidates": [_candidate(one) for one in fact.candidates],
            }
        case TransactionSigned() as fact:
            return {
                "signature": str(fact.signature),
                "last_valid_block_height": fact.last_valid_block_height,
            }
        case TransactionConfirmed() as fact:
            return {
                "signature": str(fact.fill.signature),
                "slot": fact.fill.slot,
                "amount_out": fact.fill.amount_out,
                "fee_lamports": fact.fill.fee_lamports,
            }
        case AttemptFailed() | OrderFailed() as fact:
            return {
                "reason": fact.failure.reason,
                "message": fact.failure.message,
                "candidates": [_candidate(one) for one in fact.candidates],
            }
        case OrderCancelled() as fact:
            return {"signature": str(fact.transaction.signature), "outcome": fact.transaction.outcome.value}
        case _:
            return {}


def _candidate(one: Candidate) -> Fields:
    return {
        "venue": one.venue,
        "pool": str(one.pool) if one.pool else None,
        "slot": one.route.slot if one.route else None,
        "amount_out": one.route.amount_out if one.route else None,
        "net_amount_out": one.net_amount_out,
        "reject_reason": one.reject_reason,
        "chosen": one.chosen,
    }
