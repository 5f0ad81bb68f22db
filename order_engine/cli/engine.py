"""The engine as its clients see it: one gRPC channel, every call with a deadline."""

from __future__ import annotations  # the async stubs exist for the type checker only

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import grpc
import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from protos.order_engine.v1 import order_service_pb2_grpc as rpc

# Every call here may be repeated: a submit carries its request id, and the rest change nothing the second time.
_SERVICE_CONFIG: Final = orjson.dumps(
    {
        "methodConfig": [
            {
                "name": [
                    {"service": f"order_engine.v1.{name}"} for name in ("OrderService", "QuoteService", "TokenService")
                ],
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
).decode()
_OPTIONS: Final = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
)
_SAY_SO_AFTER_SECONDS: Final = 1.0


class Unreachable(Exception):
    """Nothing answers at the target; the message says where it was looked for and what to do."""

    def __init__(self, target: str) -> None:
        super().__init__(
            f"no order engine answers at {target}\n"
            "  start one:      order-engine up\n"
            "  or say where:   --target HOST:PORT (env GRPC_TARGET)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    orders: rpc.OrderServiceAsyncStub
    quotes: rpc.QuoteServiceAsyncStub
    tokens: rpc.TokenServiceAsyncStub
    timeout: float  # seconds for each answer


@asynccontextmanager
async def connect(target: str, timeout_seconds: float) -> AsyncIterator[Engine]:
    """Connect within `timeout_seconds`.

    Raises:
        Unreachable: nothing answered.
    """
    async with grpc.aio.insecure_channel(target, options=_OPTIONS) as channel:
        await _ready(channel, target, timeout_seconds)
        yield Engine(
            orders=rpc.OrderServiceStub(channel),
            quotes=rpc.QuoteServiceStub(channel),
            tokens=rpc.TokenServiceStub(channel),
            timeout=timeout_seconds,
        )


async def _ready(channel: grpc.aio.Channel, target: str, timeout_seconds: float) -> None:
    ready = asyncio.ensure_future(channel.channel_ready())
    try:
        await asyncio.wait({ready}, timeout=min(_SAY_SO_AFTER_SECONDS, timeout_seconds))
        if not ready.done() and sys.stderr.isatty():
            sys.stderr.write(f"waiting for {target} ...\n")
        await asyncio.wait({ready}, timeout=max(0.0, timeout_seconds - _SAY_SO_AFTER_SECONDS))
        if not ready.done():
            raise Unreachable(target)
        ready.result()
    finally:
        ready.cancel()


def as_json(message: Message) -> str:
    """Return the message in the proto JSON mapping, unset fields too, on one line: as the HTTP bridge writes it."""
    return json_format.MessageToJson(message, always_print_fields_with_no_presence=True, indent=None)
