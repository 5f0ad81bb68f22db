"""The frames of the classic WebSocket: an order's updates, told in its vocabulary."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import orjson
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.classic.numbers import number_text, price_text
from gateway.classic.order_facts import OrderFacts
from protos.order_engine.v1.order_service_pb2 import (
    ORDER_STATUS_BUILDING,
    ORDER_STATUS_CANCELLED,
    ORDER_STATUS_CONFIRMED,
    ORDER_STATUS_EXPIRED,
    ORDER_STATUS_FAILED,
    ORDER_STATUS_PENDING,
    ORDER_STATUS_ROUTING,
    ORDER_STATUS_SUBMITTED,
    Failure,
    OrderStatusUpdate,
    Route,
)

CONNECTED: Final = "Connected - streaming status updates"
CANCELLED: Final = "Order was cancelled"
EXPIRED: Final = "Order expired before it could be executed"

Data = Mapping[str, object]


def iso_time(time: Timestamp) -> str:
    """Return a time as JavaScript's toISOString writes it."""
    return iso_datetime(time.ToDatetime(tzinfo=UTC))


def iso_datetime(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dex_family(route: Route) -> str | None:
    """Return the family of the first leg's venue: raydium_cpmm is raydium."""
    return route.legs[0].venue.split("_", 1)[0] if route.legs else None


def failure_text(failure: Failure) -> str:
    return ": ".join(part for part in (failure.reason, failure.message) if part) or "unknown reason"


class FrameWriter:
    """Writes the frames of one order; feed it every update from the first."""

    def __init__(self, order_id: str, facts: OrderFacts) -> None:
        self._order_id = order_id
        self._facts = facts
        self._dex: str | None = None
        self._tell: Final[Mapping[int, Callable[[OrderStatusUpdate], tuple[str, str, Data | None]]]] = {
            ORDER_STATUS_PENDING: self._pending,
            ORDER_STATUS_ROUTING: self._routing,
            ORDER_STATUS_BUILDING: self._building,
            ORDER_STATUS_SUBMITTED: self._submitted,
            ORDER_STATUS_CONFIRMED: self._confirmed,
            ORDER_STATUS_FAILED: self._failed,
            ORDER_STATUS_CANCELLED: self._failed,
            ORDER_STATUS_EXPIRED: self._failed,
        }

    def frame(self, update: OrderStatusUpdate) -> str | None:
        """Return the frame of an update, None for one the classic API does not know."""
        tell = self._tell.get(update.status)
        asked_to_cancel = update.status == ORDER_STATUS_SUBMITTED and update.HasField("cancel_requested")
        if tell is None or asked_to_cancel:
            return None
        status, message, data = tell(update)
        frame: dict[str, object] = {"orderId": self._order_id, "status": status, "message": message}
        if data is not None:
            frame["data"] = data
        frame["timestamp"] = iso_time(update.event_time)
        return orjson.dumps(frame).decode()

    def _pending(self, update: OrderStatusUpdate) -> tuple[str, str, Data | None]:
        if not update.HasField("retry"):
            return "pending", CONNECTED, None
        error = failure_text(update.retry.cause)
        message = f"Attempt {update.attempt} of {self._facts.max_attempts} failed, trying again"
        return "pending", message, {"attempt": update.attempt, "error": error}

    def _routing(self, _: OrderStatusUpdate) -> tuple[str, str, Data | None]:
        return "routing", "Comparing DEX prices", None

    def _building(self, update: OrderStatusUpdate) -> tuple[str, str, Data | None]:
        self._dex = dex_family(update.route)
        return "building", f"Best price found on {self._dex}, building the transaction", {"dexUsed": self._dex}

    def _submitted(self, _: OrderStatusUpdate) -> tuple[str, str, Data | None]:
        return "submitted", "Transaction sent to the network", None

    def _confirmed(self, update: OrderStatusUpdate) -> tuple[str, str, Data | None]:
        fill, sold, bought = update.fill, self._facts.token_in, self._facts.token_out
        price = amount_out = None
        if sold and bought:
            price = price_text(fill.amount_in, sold.decimals, fill.amount_out, bought.decimals)
            amount_out = number_text(fill.amount_out, bought.decimals)
        data = {
            "txHash": fill.signature,
            "executedPrice": _number(price),
            "amountOut": _number(amount_out),
            "dexUsed": self._dex,
        }
        return "confirmed", "Transaction confirmed", data

    def _failed(self, update: OrderStatusUpdate) -> tuple[str, str, Data | None]:
        message, error = _ending(update)
        data = {
            "error": error,
            "attempts": update.attempt,
            "maxAttempts": self._facts.max_attempts,
            "timestamp": iso_time(update.event_time),
        }
        return "failed", message, data


def _ending(update: OrderStatusUpdate) -> tuple[str, str]:
    if update.status == ORDER_STATUS_CANCELLED:
        return CANCELLED, CANCELLED
    if update.status == ORDER_STATUS_EXPIRED:
        return EXPIRED, EXPIRED
    return "Order failed", failure_text(update.failure)


def _number(text: str | None) -> orjson.Fragment | None:
    """Put a decimal into JSON by its own text."""
    return None if text is None else orjson.Fragment(text)
