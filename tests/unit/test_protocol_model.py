"""The protocol's model searches all it should, notices what is wrong, and speaks of things that do happen."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from tests.model import at, words
from tests.model.__main__ import main
from tests.model.config import Config
from tests.model.model import Model
from tests.model.runs import MUTANTS, Run
from tests.model.search import explore
from tests.model.verdict import carry_out

ENOUGH_STATES = 20_000
LONGER = {
    "append to a version read again",
    "a takeover of SUBMITTED signs",
    "the signer's bytes, the caller's height",
}
QUICK = [run for run in MUTANTS if run.config.name not in LONGER]
TWO_ATTEMPTS = Config(name="", workers=1, takeovers=1, lagging=(), max_lag=1, quorum="answered", own_height=True)
LAGGING = replace(TWO_ATTEMPTS, attempts=1, lagging=(1,), max_lag=2)


@pytest.mark.parametrize("run", QUICK, ids=lambda run: run.config.name)
def test_a_wrong_protocol_is_noticed(run: Run) -> None:
    outcome = carry_out(run, ENOUGH_STATES)
    assert outcome.problem
    assert outcome.verdict.startswith("caught: ")
    assert outcome.trace[-1].startswith("=> O0 ")


def test_the_shortest_way_to_a_violation_is_shown() -> None:
    (run,) = (run for run in MUTANTS if run.config.name == "send, then record")
    assert [step.split(maxsplit=1)[1] for step in carry_out(run, ENOUGH_STATES).trace[:-1]] == [
        "hints O0",
        "takes the hint, reads O0 PENDING seq 1",
        "appends seq 2: ROUTING (start)",
        "appends seq 3: BUILDING",
        "signs S0.1, blockhash from E0 (lag 0)",
    ]


@pytest.mark.parametrize(
    ("config", "holds", "verdict"),
    [
        (replace(TWO_ATTEMPTS, name="sound", attempts=1, cancels=0), False, "SURVIVED"),
        (replace(TWO_ATTEMPTS, name="unsound", mutant="send_first"), True, "BROKEN: sent before it was recorded"),
        (replace(TWO_ATTEMPTS, name="too wide", cancels=0), True, "BROKEN: too wide: more than 1000 states"),
    ],
    ids=lambda value: value.name if isinstance(value, Config) else "",
)
def test_what_does_not_come_out_as_it_must_is_a_failure(config: Config, holds: bool, verdict: str) -> None:
    outcome = carry_out(Run(config, holds=holds), max_states=1_000)
    assert not outcome.is_as_it_must
    assert outcome.verdict.startswith(verdict)


@pytest.mark.parametrize(("name", "status"), [("send, then record", 0), ("no such run", 2)])
def test_the_exit_status_tells(name: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["tests.model", name])
    assert main() == status


def test_what_the_rules_speak_of_does_happen() -> None:
    model = Model(TWO_ATTEMPTS)
    states = explore(model).parents
    order = model.layout.orders[0]
    first, second = (model.layout.signature(order, attempt) for attempt in (1, 2))

    def happens(*wanted: tuple[int, Iterable[int]]) -> bool:
        return any(all(state[offset] in values for offset, values in wanted) for state in states)

    assert all(happens((order + at.STATUS, [status])) for status in words.TERMINAL)
    assert happens((first + at.RECORD, [words.DEAD]), (second + at.CHAIN, [words.CONFIRMED_OK]))
    assert happens((first + at.RECORD, [words.FAILED_ON_CHAIN]), (second + at.CHAIN, [words.CONFIRMED_OK]))
    assert happens((order + at.STATUS, [words.CONFIRMED]), (order + at.CANCEL_ASKED, [1]))
    assert happens((order + at.STATUS, [words.CANCELLED]), (order + at.CANCEL_ASKED, [1]))
    assert happens((order + at.VERDICTS, [words.SAID_TOO_LATE]))
    assert happens((order + at.TAKEOVERS, [1]), (order + at.LEASE_PASSED, [1]))


def test_what_is_found_dead_can_never_land() -> None:
    """The oracle relies on this when it checks a fact that names a dead transaction."""
    model = Model(LAGGING)
    order, worker = model.layout.orders[0], model.layout.workers[0]
    signature = model.layout.signature(order, 1)
    found = [state for state in explore(model).parents if state[worker + at.DECISION] == words.IS_DEAD]
    assert found
    assert all(state[signature + at.CHAIN] == words.NOTHING for state in found)
    assert all(state[signature + at.LIFE] < model.layout.zero_life for state in found)
