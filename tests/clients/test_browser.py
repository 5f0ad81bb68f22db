"""The browser example in headless Chromium: EventSource and WebSocket, whole, broken, and from other origins."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import pytest

from tests.clients.conftest import LISTED_HOST
from tests.clients.programs import ROOT, Break, install, need, run
from tests.e2e.live import LiveEngine

DRIVER: Final = ROOT / "tests" / "clients" / "browser"
LIFE: Final = [[1, "pending"], [2, "routing"], [3, "building"], [4, "submitted"], [5, "confirmed"]]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page showed at the end, and which streams it had opened."""

    updates: Sequence[Sequence[object]]
    candidates: int
    state: str
    problem: str
    streams: Sequence[str]
    lastEventIds: Sequence[str]  # noqa: N815 - as the driver writes it
    errors: Sequence[str]


class Visitor:
    def __init__(self, engine: LiveEngine, port: int) -> None:
        self._engine = engine
        self._port = port

    def visit(
        self, *, watcher: str = "events", buy: str = "USDC", host: str = "127.0.0.1", breaking: Break | None = None
    ) -> Shown:
        query = urlencode({"engine": self._engine.http, "watcher": watcher})
        url = f"http://{host}:{self._port}/?{query}"
        folder = os.environ.get("SCREENSHOTS", "")
        ended = run(["node", str(DRIVER / "drive.mjs"), url, buy, folder], breaking=breaking)
        assert ended.status == 0, ended.output
        return Shown(**json.loads(ended.lines[-1]))


@pytest.fixture
def visitor(engine: LiveEngine, pages_port: int) -> Visitor:
    need(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
    install(DRIVER)
    return Visitor(engine, pages_port)


@pytest.mark.parametrize(
    ("host", "watcher", "scheme"), [("127.0.0.1", "events", "http"), (LISTED_HOST, "socket", "ws")]
)
def test_the_page_submits_an_order_and_shows_its_life(visitor: Visitor, host: str, watcher: str, scheme: str) -> None:
    shown = visitor.visit(host=host, watcher=watcher)
    assert shown.updates == LIFE
    assert (shown.state, shown.problem, shown.errors) == ("complete", "", [])
    assert shown.candidates > 1
    assert [url.split(":")[0] for url in shown.streams] == [scheme]


def test_an_event_source_comes_back_with_its_last_event_id(visitor: Visitor, engine: LiveEngine) -> None:
    shown = visitor.visit(breaking=Break(after="shown: submitted", how=lambda: engine.kill("-m gateway")))
    assert shown.updates == LIFE
    assert shown.state == "complete"
    assert set(shown.lastEventIds) == {"4"}


def test_a_web_socket_is_opened_again_after_its_last_sequence(visitor: Visitor, engine: LiveEngine) -> None:
    kill = Break(after="shown: submitted", how=lambda: engine.kill("-m gateway"))
    shown = visitor.visit(watcher="socket", breaking=kill)
    assert shown.updates == LIFE
    assert shown.state == "complete"
    assert shown.streams[-1].endswith("after_sequence=4")


def test_a_refused_order_is_explained_on_the_page(visitor: Visitor) -> None:
    shown = visitor.visit(buy="SOL")
    assert shown.problem == "token_out: must be another token than token_in"
    assert shown.streams == []


def test_a_page_from_another_origin_may_not(visitor: Visitor) -> None:
    shown = visitor.visit(host="other.test")
    assert shown.problem.startswith("no answer from http://127.0.0.1:")
    assert shown.updates == []
