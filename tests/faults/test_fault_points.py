"""Fault points strike where they are told to and nowhere else."""

from datetime import UTC, datetime, timedelta

import pytest

from order_engine.fault_points import FaultPoints, UnknownFaultPoint
from order_engine.settings import Settings

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Port:
    address = "here"

    def __init__(self) -> None:
        self.hints: list[str] = []

    def hint(self, order_id: str) -> None:
        self.hints.append(order_id)

    def now(self) -> datetime:
        return NOON

    async def create(self, order: str) -> str:
        return order.upper()


class Death(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(autouse=True)
def deaths(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(pid: int, number: int) -> None:
        raise Death

    monkeypatch.setattr("order_engine.fault_points.os.kill", die)


def test_without_points_the_port_is_itself() -> None:
    port = Port()
    assert FaultPoints("").around("queue", port) is port
    assert FaultPoints("store.create:before:kill").around("queue", port) is port


async def test_what_has_no_point_goes_through() -> None:
    around = FaultPoints("queue.hint:before:drop").around("queue", Port())
    assert around.address == "here"
    assert await around.create("order") == "ORDER"


@pytest.mark.parametrize(("action", "hints"), [("drop", []), ("repeat=3", ["a", "a", "a", "b", "b", "b"])])
def test_hints_are_dropped_and_repeated(action: str, hints: list[str]) -> None:
    port = Port()
    around = FaultPoints(f"queue.hint:before:{action}:*").around("queue", port)
    around.hint("a")
    around.hint("b")
    assert port.hints == hints


def test_the_clock_jumps() -> None:
    around = FaultPoints("clock.now:after:shift=-7200:*").around("clock", Port())
    assert around.now() == NOON - timedelta(hours=2)


def test_a_point_strikes_at_its_hit_after_the_call() -> None:
    port = Port()
    around = FaultPoints("queue.hint/str:after:kill:2").around("queue", port)
    around.hint("a")
    with pytest.raises(Death):
        around.hint("b")
    assert port.hints == ["a", "b"]


async def test_a_point_before_a_call_keeps_it_from_happening() -> None:
    around = FaultPoints("store.create:before:kill, store.create/int:before:kill").around("store", Port())
    with pytest.raises(Death):
        await around.create("order")


@pytest.mark.parametrize(
    "text", ["store", "store.create:now:kill", "store.create:before:explode", "create:before:kill"]
)
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(UnknownFaultPoint):
        FaultPoints(text)


def test_there_are_no_faults_with_real_money(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULT_POINTS", "chain.send:before:kill")
    monkeypatch.setenv("LIVE_TRADING", "true")
    with pytest.raises(ValueError, match="FAULT_POINTS"):
        Settings.model_validate({})
