"""The real use cases on fake ports, each step of theirs held against the protocol's model: see tests/model."""

import asyncio
from collections import Counter

import pytest

from tests.model.oracle.explorer import Exploration, explore
from tests.model.oracle.mutants import MUTANTS
from tests.model.oracle.stage import Stage

SEEDS = 200
SEEDS_PER_MUTANT = 2_000  # the rarest is noticed after a few hundred
MUST_BE_MET = {
    "pending AttemptStarted routing",
    "pending CancelRequested cancelled",
    "routing RouteChosen building",
    "routing AttemptFailed pending",
    "routing CancelRequested cancelled",
    "building TransactionSigned submitted",
    "building AttemptFailed pending",
    "building CancelRequested cancelled",
    "submitted TransactionConfirmed confirmed",
    "submitted AttemptFailed pending",
    "submitted OrderFailed failed",
    "submitted CancelRequested submitted",
    "submitted OrderCancelled cancelled",
    "takeover of routing",
    "takeover of building",
    "takeover of submitted",
    "worker lost",
    "confirmed by a later attempt",
    "a worker that lost its lease appends",
    "TransactionSigned refused",
    "AttemptFailed refused",
    "TransactionConfirmed refused",
    "CancelRequested refused",
    "answered cancelled",
    "answered pending",
    "answered too_late",
}


@pytest.fixture(scope="module")
def explorations() -> list[Exploration]:
    async def explore_all() -> list[Exploration]:
        return [await explore(seed) for seed in range(SEEDS)]

    return asyncio.run(explore_all())


def test_every_step_of_the_engine_is_one_of_the_models_and_every_order_ends(explorations: list[Exploration]) -> None:
    wrong = next((one for one in explorations if one.wrong), None)
    assert wrong is None, "\n".join([*wrong.history, f"seed {wrong.seed}: {wrong.wrong}"])


def test_the_explorations_meet_what_the_protocol_is_about(explorations: list[Exploration]) -> None:
    met = sum((one.seen for one in explorations), Counter[str]())
    assert set(met) >= MUST_BE_MET


def test_a_seed_gives_the_same_exploration_again(explorations: list[Exploration]) -> None:
    assert asyncio.run(explore(7)).history == explorations[7].history


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_an_engine_that_is_wrong_in_one_place_is_noticed(mutant: type[Stage]) -> None:
    async def is_noticed() -> bool:
        for seed in range(SEEDS_PER_MUTANT):
            if (await explore(seed, mutant)).wrong:
                return True
        return False

    assert asyncio.run(is_noticed())
