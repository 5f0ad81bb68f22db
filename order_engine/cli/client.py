"""What every client command shares: where the engine is, how answers are written, and how failures end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

import grpc
import typer
from google.protobuf.message import Message
from rich.console import Console, RenderableType

from order_engine.cli import running
from order_engine.cli.amounts import BadAmount
from order_engine.cli.engine import Engine, Unreachable, as_json, connect
from order_engine.cli.exits import BAD_USAGE, DONE, FAILED, UNREACHABLE, fail
from order_engine.cli.refused import exit_status, explained
from order_engine.settings import ClientSettings
from protos.order_engine.v1 import order_service_pb2 as pb

_PLAIN_WIDTH = 200  # of tables that go to a file or a pipe


class BadUsage(Exception):
    """The command line asks for something that makes no sense; the message says what."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where answers go: a terminal, plain text, or JSON."""

    console: Console
    json: bool

    @classmethod
    def to_stdout(cls, *, json: bool) -> Output:
        plain = None if sys.stdout.isatty() else _PLAIN_WIDTH
        return cls(Console(width=plain, highlight=False, soft_wrap=False), json)

    @property
    def live(self) -> bool:
        return self.console.is_terminal and not self.json

    def show(self, what: RenderableType, *, soft_wrap: bool = False) -> None:
        """Print to the terminal as it is; elsewhere without the blanks that fill up lines."""
        if self.console.is_terminal:
            self.console.print(what, soft_wrap=soft_wrap)
            return
        with self.console.capture() as captured:
            self.console.print(what, soft_wrap=soft_wrap)
        for line in captured.get().splitlines():
            self.say(line.rstrip())

    def say(self, line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def message(self, message: Message) -> None:
        """Write one JSON line."""
        self.say(as_json(message))


Work = Callable[[Engine], Awaitable[int]]


def use(target: str | None, timeout_seconds: float, work: Work) -> NoReturn:
    """Do `work` against the engine and leave with the exit status it returns, or with that of what went wrong."""
    where = target or running.read(ClientSettings).engine_target
    try:
        status = asyncio.run(_connected(where, timeout_seconds, work))
    except (BadAmount, BadUsage) as error:
        fail(str(error), BAD_USAGE)
    except Unreachable as error:
        fail(str(error), UNREACHABLE)
    except grpc.aio.AioRpcError as error:
        fail(explained(error), exit_status(error))
    raise typer.Exit(status)


async def _connected(target: str, timeout_seconds: float, work: Work) -> int:
    async with connect(target, timeout_seconds) as engine:
        return await work(engine)


def ending(status: pb.OrderStatus.ValueType) -> int:
    """Return the exit status of an order that ended: 0 only when it was executed."""
    return DONE if status == pb.ORDER_STATUS_CONFIRMED else FAILED
