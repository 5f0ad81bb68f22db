"""Liveness: from every reachable state the faults stop. Is there a fair run on which some order never ends?

Such a run stays for ever in one strongly connected component of the fault-free graph (a state where nothing happens any
more is one too). It is fair if every class of steps that is possible all along is taken.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.model.model import Model

_UNFAIR = -1


@dataclass(frozen=True, slots=True)
class Stuck:
    """A fair run that never ends: one of its states, and how many it goes round in."""

    state: bytes
    size: int


class Graph:
    """The steps that are no faults, between all states: edges of state n lie from start[n] to start[n + 1]."""

    def __init__(self, model: Model, states: Iterable[bytes]) -> None:
        self.states = list(states)
        index = {state: number for number, state in enumerate(self.states)}
        self.start = array("q", [0])
        self.target = array("i")
        self.fairness = array("b")
        self.possible = array("q")
        self.classes: dict[str, int] = {}
        for state in self.states:
            self.possible.append(self._add_edges(model, state, index))
            self.start.append(len(self.target))

    def _add_edges(self, model: Model, state: bytes, index: dict[bytes, int]) -> int:
        possible = 0
        for edge in model.successors(state):
            if edge.is_fault:
                continue
            number = _UNFAIR
            if edge.fairness is not None:
                number = self.classes.setdefault(edge.fairness, len(self.classes))
                possible |= 1 << number
            self.target.append(index[edge.state])
            self.fairness.append(number)
        return possible

    def components(self) -> Iterator[list[int]]:
        """Yield the strongly connected components: Tarjan's algorithm, with its stack in the open."""
        count = len(self.states)
        self.component = array("i", [-1]) * count
        seen, low = array("i", [0]) * count, array("i", [0]) * count
        stack: list[int] = []
        visited = found = 0
        for root in range(count):
            work = [] if seen[root] else [(root, self.start[root])]
            while work:
                node, edge = work.pop()
                if not seen[node]:
                    visited += 1
                    seen[node] = low[node] = visited
                    stack.append(node)
                descent = self._descend(node, edge, seen, low)
                if descent is not None:
                    work += [(node, descent), (self.target[descent], self.start[self.target[descent]])]
                    continue
                if low[node] == seen[node]:
                    yield self._pop(stack, node, found)
                    found += 1

    def _descend(self, node: int, edge: int, seen: "array[int]", low: "array[int]") -> int | None:
        """Follow the edges of a node up to one that leads somewhere new."""
        while edge < self.start[node + 1]:
            target = self.target[edge]
            if not seen[target]:
                return edge
            if self.component[target] < 0:
                low[node] = min(low[node], low[target])
            edge += 1
        return None

    def _pop(self, stack: list[int], root: int, number: int) -> list[int]:
        at = len(stack) - 1
        while stack[at] != root:
            at -= 1
        members = stack[at:]
        del stack[at:]
        for member in members:
            self.component[member] = number
        return members

    def is_fair(self, members: list[int]) -> bool:
        """Whether a run may stay within these states: each class of steps possible in all of them is taken in them."""
        always, taken = (1 << len(self.classes)) - 1, 0
        inside = self.component[members[0]]
        for member in members:
            always &= self.possible[member]
            for edge in range(self.start[member], self.start[member + 1]):
                if self.component[self.target[edge]] == inside and self.fairness[edge] >= 0:
                    taken |= 1 << self.fairness[edge]
        return not always & ~taken


def find_stuck(model: Model, states: Iterable[bytes]) -> Stuck | None:
    """Return a fair run that never finishes, None if there is none."""
    graph = Graph(model, states)
    for members in graph.components():
        unfinished = any(not model.is_finished(graph.states[member]) for member in members)
        if unfinished and graph.is_fair(members):
            return Stuck(graph.states[members[0]], len(members))
    return None
