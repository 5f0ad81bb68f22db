"""Gathers the evidence after a run, past every proxy: rows, answers, logs and the secrets that no log may hold."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
import psycopg
from base58 import b58encode
from psycopg.rows import DictRow, dict_row

from order_engine.adapters.solana.wallet import load_keypair
from order_engine.domain.lifecycle import TERMINAL
from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as rpc
from tests.faults.evidence import Answer, StoredEvent, StoredOrder, StoredTransaction

_AT_ONCE = 16
_TERMINAL = [status.value for status in TERMINAL]


class Database:
    """The rows, read over a connection of our own for each question."""

    def __init__(self, url: str) -> None:
        self._url = url

    def rows(self, statement: str, *parameters: object) -> list[DictRow]:
        with psycopg.connect(self._url, row_factory=dict_row, connect_timeout=3) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def unsettled(self) -> Sequence[str]:
        rows = self.rows("SELECT order_id::text FROM orders WHERE NOT status = ANY(%s)", _TERMINAL)
        return [row["order_id"] for row in rows]

    def orders(self) -> Mapping[str, StoredOrder]:
        rows = self.rows(
            "SELECT order_id::text, request_id, token_in, token_out, swap_mode, amount_in::bigint, amount_out::bigint,"
            " slippage_bps, guards, max_attempts, status, sequence, attempt, signature, fill, failure FROM orders"
        )
        return {row["order_id"]: StoredOrder(**row) for row in rows}

    def events(self) -> Mapping[str, Sequence[StoredEvent]]:
        found: dict[str, list[StoredEvent]] = {}
        rows = self.rows(
            "SELECT order_id::text, sequence, kind, status, attempt, event_time, detail FROM order_events"
            " ORDER BY order_id, sequence"
        )
        for row in rows:
            found.setdefault(row["order_id"], []).append(StoredEvent(**row))
        return found

    def transactions(self) -> Sequence[StoredTransaction]:
        rows = self.rows("SELECT order_id::text, attempt, signature, outcome FROM transactions")
        return [StoredTransaction(**row) for row in rows]

    def post_mortems(self) -> frozenset[str]:
        return frozenset(row["order_id"] for row in self.rows("SELECT order_id::text FROM post_mortems"))


async def answers(target: str, order_ids: Sequence[str]) -> Mapping[str, Answer]:
    """Ask the API about every order; one that it does not know is left out."""
    turn = asyncio.Semaphore(_AT_ONCE)
    async with grpc.aio.insecure_channel(target) as channel:
        orders: rpc.OrderServiceAsyncStub = rpc.OrderServiceStub(channel)

        async def ask(order_id: str) -> tuple[str, Answer | None]:
            async with turn:
                try:
                    order = await orders.GetOrder(
                        pb.GetOrderRequest(order_id=order_id), timeout=20, wait_for_ready=True
                    )
                except grpc.aio.AioRpcError:
                    return order_id, None
            return order_id, Answer(
                status=status_name(order.status), sequence=order.sequence, signature=order.signature
            )

        found = await asyncio.gather(*(ask(order_id) for order_id in order_ids))
    return {order_id: answer for order_id, answer in found if answer is not None}


def status_name(status: pb.OrderStatus.ValueType) -> str:
    return pb.OrderStatus.Name(status).removeprefix("ORDER_STATUS_").lower()


def secrets_of(state_dir: Path, password: str) -> Mapping[str, bytes]:
    """Return the forms in which a secret could be printed."""
    key = bytes(load_keypair(state_dir / "wallet.json"))
    numbers = list(key)
    return {
        "database password": password.encode(),
        "wallet key in base58": b58encode(key),
        "wallet seed in base58": b58encode(key[:32]),
        "wallet key as JSON": json.dumps(numbers).encode(),
        "wallet key as compact JSON": json.dumps(numbers, separators=(",", ":")).encode()[:-1],
        "wallet seed as numbers": json.dumps(numbers[:32]).encode()[1:-1],
        "wallet seed in hex": key[:32].hex().encode(),
        "wallet key in base64": base64.b64encode(key)[:40],
        "wallet seed as Python bytes": repr(key[:32]).encode()[2:-1],
    }
