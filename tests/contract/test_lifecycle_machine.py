"""Both implementations live through the same random lives of orders, step by step, and never differ.

Every run has a seed of its own: LIFECYCLE_RUNS=500 LIFECYCLE_FIRST_SEED=1000 makes a long run over other lives. A
failure names its seed; with LIFECYCLE_SHRINK=1 it takes minutes to find a shorter way to it.
"""

import os
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from order_engine.domain.lifecycle import TRANSITIONS
from tests.contract.lifecycle_machine import LifecycleMachine
from tests.contract.lifecycle_sides import open_world

FIRST: Final = int(os.environ.get("LIFECYCLE_FIRST_SEED", "0"))
RUNS: Final = int(os.environ.get("LIFECYCLE_RUNS", "4"))
PROFILE: Final = settings(
    max_examples=10,  # hypothesis mutates from the 11th on, which is mostly the same steps again
    stateful_step_count=30,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink) if os.environ.get("LIFECYCLE_SHRINK") else (Phase.generate,),
)
ANSWERS: Final = {
    f"{call}: {answer}"
    for call, answers in {
        "create": ("order", "RequestIdReused"),
        "append": ("IllegalTransition", "StaleOrder"),
        "start": ("yes", "no"),
        "take over": ("yes", "no"),
        "start race": ("yes",),
        "race": ("yes",),
        "repeat": ("yes",),
    }.items()
    for answer in answers
}


@pytest.mark.timeout(600 + RUNS * 20)
def test_memory_and_postgres_agree_on_every_step(database_url: str) -> None:
    with open_world(database_url) as world:
        for number in range(FIRST, FIRST + RUNS):
            machine = seed(number)(lambda: LifecycleMachine(world))
            try:
                run_state_machine_as_test(machine, settings=PROFILE)  # type: ignore[arg-type]  # any factory will do
            except Exception as error:
                error.add_note(f"LIFECYCLE_FIRST_SEED={number}")
                raise
    assert world.taken.keys() == TRANSITIONS.keys()
    assert world.answers.keys() >= ANSWERS
