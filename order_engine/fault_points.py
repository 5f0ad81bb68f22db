"""Faults at named steps of a process, for tests: they wrap the ports that bootstrap hands out, never product code.

A point is `port.method[/ArgumentType]:before|after:action[:hit]`, several are separated by commas. It strikes at that
call, at the first one unless `hit` says another, at every one if `hit` is `*`. Actions: `kill` (kill -9 of this
process), `stop` (SIGSTOP; someone else must continue it), `drop` (of a call that returns nothing: it is not made),
`repeat=N` (the call is made N times), `shift=SECONDS` (of a call that returns a time).

    store.append/TransactionSigned:after:kill:3     die when the third signature is recorded and not yet sent
"""

import inspect
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeVar, cast

Port = TypeVar("Port")
Moment = Literal["before", "after"]


class UnknownFaultPoint(ValueError):
    """The text is no fault point; the message names it."""


@dataclass(slots=True)
class FaultPoint:
    port: str
    method: str
    argument: str  # "" = any
    moment: Moment
    action: str
    value: int
    hit: int  # 0 = every one
    seen: int = field(default=0, compare=False)

    @classmethod
    def parse(cls, text: str) -> "FaultPoint":
        parts = text.strip().split(":")
        if len(parts) not in (3, 4) or parts[1] not in ("before", "after") or "." not in parts[0]:
            raise UnknownFaultPoint(f"{text!r}: write port.method[/ArgumentType]:before|after:action[:hit]")
        name, _, argument = parts[0].partition("/")
        port, _, method = name.partition(".")
        action, _, value = parts[2].partition("=")
        if action not in ("kill", "stop", "drop", "repeat", "shift"):
            raise UnknownFaultPoint(f"{text!r}: no action {action!r}")
        hit = parts[3] if len(parts) == 4 else "1"
        moment: Moment = "before" if parts[1] == "before" else "after"
        return cls(port, method, argument, moment, action, int(value or 0), 0 if hit == "*" else int(hit))

    def strikes(self, arguments: Sequence[object]) -> bool:
        """Count a call it looks at, and say whether this is the one."""
        if self.argument and self.argument not in {type(argument).__name__ for argument in arguments}:
            return False
        self.seen += 1
        return self.hit in (0, self.seen)


class FaultPoints:
    def __init__(self, text: str) -> None:
        """Read the points; none in the empty text.

        Raises:
            UnknownFaultPoint.
        """
        self._points = [FaultPoint.parse(part) for part in text.split(",") if part.strip()]

    def around(self, name: str, port: Port) -> Port:
        """Return the port with its points around it: itself when it has none."""
        points = [point for point in self._points if point.port == name]
        return cast(Port, _Around(port, points)) if points else port


class _Around:
    def __init__(self, port: object, points: Sequence[FaultPoint]) -> None:
        self._port, self._points = port, points

    def __getattr__(self, name: str) -> object:
        target = getattr(self._port, name)
        points = [point for point in self._points if point.method == name]
        if not points:
            return target
        return _around_async(target, points) if inspect.iscoroutinefunction(target) else _around(target, points)


def _around(target: Callable[..., object], points: Sequence[FaultPoint]) -> Callable[..., object]:
    def call(*arguments: object, **named: object) -> object:
        struck = [point for point in points if point.strikes((*arguments, *named.values()))]
        _strike(struck, "before")
        result: object = None
        for _ in range(_times(struck)):
            result = target(*arguments, **named)
        _strike(struck, "after")
        return _shifted(result, struck)

    return call


def _around_async(target: Callable[..., object], points: Sequence[FaultPoint]) -> Callable[..., object]:
    async def call(*arguments: object, **named: object) -> object:
        struck = [point for point in points if point.strikes((*arguments, *named.values()))]
        _strike(struck, "before")
        result: object = None
        for _ in range(_times(struck)):
            made = target(*arguments, **named)
            assert inspect.isawaitable(made)  # noqa: S101 - it is a coroutine function's
            result = await made
        _strike(struck, "after")
        return result

    return call


def _strike(points: Sequence[FaultPoint], moment: Moment) -> None:
    for point in points:
        if point.moment == moment and point.action in ("kill", "stop"):
            os.kill(os.getpid(), signal.SIGKILL if point.action == "kill" else signal.SIGSTOP)


def _times(points: Sequence[FaultPoint]) -> int:
    if any(point.action == "drop" for point in points):
        return 0
    return max((point.value for point in points if point.action == "repeat"), default=1)


def _shifted(result: object, points: Sequence[FaultPoint]) -> object:
    seconds = sum(point.value for point in points if point.action == "shift")
    return result + timedelta(seconds=seconds) if isinstance(result, datetime) else result
