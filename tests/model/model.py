"""The model: every step that is possible from a state, what is wrong with a state, and when all is finished."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from tests.model import invariants
from tests.model.client import Client
from tests.model.config import Config
from tests.model.environment import Environment
from tests.model.layout import Layout, Step
from tests.model.store import Store
from tests.model.worker import Worker


class Actor(Protocol):
    def steps(self, now: bytes) -> Iterator[Step]: ...


class Edge(NamedTuple):
    """A step, and the state it leads to."""

    actor: str
    text: str
    fairness: str | None
    is_fault: bool
    state: bytes


class Model:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.layout = Layout(config)
        store = Store(self.layout)
        self._actors: tuple[Actor, ...] = (
            Environment(self.layout),
            Client(self.layout, store),
            *(Worker(self.layout, store, number) for number in range(config.workers)),
        )

    def initial(self) -> bytes:
        return self.layout.initial()

    def successors(self, state: bytes) -> list[Edge]:
        """Return every step that changes something."""
        edges = []
        canonical = self.layout.canonical
        for actor in self._actors:
            for name, text, fairness, is_fault, new in actor.steps(state):
                after = canonical(new)
                if after != state:
                    edges.append(Edge(name, text, fairness, is_fault, after))
        return edges

    def violation(self, state: bytes) -> str | None:
        """Return what is wrong with a state, as far as this run is about it."""
        wrong = invariants.violation(self.layout, state)
        return wrong if wrong and self.config.only in wrong else None

    def is_finished(self, state: bytes) -> bool:
        return invariants.is_finished(self.layout, state)

    def show(self, state: bytes) -> str:
        return self.layout.show(state)
