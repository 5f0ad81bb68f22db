"""Breadth-first search through every reachable state: the first wrong one found has the shortest way to it."""

import itertools
from dataclasses import dataclass
from typing import Final

from tests.model.model import Model

MAX_STATES: Final = 40_000_000


class TooManyStates(Exception):
    """The run's bounds are too wide to be searched."""


@dataclass(frozen=True, slots=True)
class Search:
    """Every state that was seen, with the one it was reached from."""

    parents: dict[bytes, bytes | None]
    steps: int
    depth: int
    violation: str | None
    bad: bytes | None  # the state that is wrong


def explore(model: Model, max_states: int = MAX_STATES) -> Search:
    """Visit every reachable state, or stop at the first wrong one.

    Raises:
        TooManyStates.
    """
    parents: dict[bytes, bytes | None] = {model.initial(): None}
    level = [model.initial()]
    steps = depth = 0
    while level:
        following = []
        for state in level:
            for *_, after in model.successors(state):
                steps += 1
                if after in parents:
                    continue
                parents[after] = state
                wrong = model.violation(after)
                if wrong:
                    return Search(parents, steps, depth + 1, wrong, after)
                following.append(after)
        if len(parents) > max_states:
            raise TooManyStates(f"{model.config.name}: more than {max_states} states")
        level = following
        depth += 1
    return Search(parents, steps, depth, None, None)


def path_to(model: Model, search: Search, state: bytes) -> list[str]:
    """Return the steps that lead from the first state to this one."""
    path = [state]
    while (parent := search.parents[path[-1]]) is not None:
        path.append(parent)
    path.reverse()
    return [_step(model, before, after) for before, after in itertools.pairwise(path)]


def _step(model: Model, before: bytes, after: bytes) -> str:
    return next(f"{edge.actor:8} {edge.text}" for edge in model.successors(before) if edge.state == after)
