"""Carry out one run and say what came of it."""

import time
from dataclasses import dataclass

from tests.model.liveness import find_stuck
from tests.model.model import Model
from tests.model.runs import Run
from tests.model.search import Search, TooManyStates, explore, path_to


@dataclass(frozen=True, slots=True)
class Outcome:
    states: int
    seconds: float
    problem: str  # "" = none found
    is_as_it_must: bool
    trace: tuple[str, ...]  # the shortest way to the problem, then the state

    @property
    def verdict(self) -> str:
        if not self.problem:
            return "holds" if self.is_as_it_must else "SURVIVED: nothing was noticed"
        found = f"{self.problem} ({len(self.trace) - 1} steps)"
        return f"caught: {found}" if self.is_as_it_must else f"BROKEN: {found}"


def carry_out(run: Run, max_states: int) -> Outcome:
    """Search the run's states for a violation; without one, for a fair run that never ends."""
    model, begun = Model(run.config), time.perf_counter()
    try:
        search = explore(model, max_states)
    except TooManyStates as error:
        return Outcome(max_states, time.perf_counter() - begun, str(error), False, ("", ""))
    problem, state = search.violation or "", search.bad
    if not problem and run.checks_liveness:
        stuck = find_stuck(model, search.parents)
        if stuck:
            problem, state = f"never ends, going round in {stuck.size} states", stuck.state
    seconds = time.perf_counter() - begun
    return Outcome(len(search.parents), seconds, problem, bool(problem) != run.holds, _trace(model, search, state))


def _trace(model: Model, search: Search, state: bytes | None) -> tuple[str, ...]:
    if state is None:
        return ()
    return (*path_to(model, search, state), f"=> {model.show(state)}")
