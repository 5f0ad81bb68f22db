"""A transaction is dead only when that is certain: too early, and the order is bought twice."""

import pytest

from order_engine.domain.finality import Landed, Sighting, verdict

LAST_VALID = 1_000
LANDED = Landed(slot=1_234, error=None)


def sighting(height: int, *, context_ahead: int = 0, landed: Landed | None = None) -> Sighting:
    return Sighting(
        endpoint="e",
        finalized_block_height=height,
        finalized_slot=height + 500,
        context_slot=height + 500 + context_ahead,
        landed=landed,
    )


@pytest.mark.parametrize(("past", "expected"), [(0, "unknown"), (32, "unknown"), (33, "dead")])
def test_dead_needs_the_finalized_height_past_the_margin(past: int, expected: str) -> None:
    assert verdict([sighting(LAST_VALID + past)], LAST_VALID) == expected


def test_a_null_older_than_the_height_does_not_count() -> None:
    assert verdict([sighting(LAST_VALID + 100, context_ahead=-1)], LAST_VALID) == "unknown"


def test_a_lagging_endpoint_does_not_count_but_another_may() -> None:
    lagging = sighting(LAST_VALID - 5)
    assert verdict([lagging], LAST_VALID) == "unknown"
    assert verdict([lagging, sighting(LAST_VALID + 33)], LAST_VALID) == "dead"


def test_one_endpoint_that_found_it_wins_over_any_null() -> None:
    nulls = [sighting(LAST_VALID + 100)] * 3
    assert verdict([*nulls, sighting(LAST_VALID, landed=LANDED)], LAST_VALID) == LANDED


def test_nobody_answering_is_unknown() -> None:
    assert verdict([], LAST_VALID) == "unknown"
