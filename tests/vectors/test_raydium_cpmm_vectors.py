"""280 swaps that the real CPMM program carried out or refused, replayed to the last unit."""

from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from order_engine.domain.errors import QuoteRefused
from order_engine.papernet.replay import REPLAY_VENUES, replay_file
from order_engine.papernet.replay_case import ReplayCase
from order_engine.papernet.vector_file import Vector, VectorFile, load_json
from tests.vectors.exact_out import check_cost

PATH: Final = Path(__file__).parent / "data" / "raydium_cpmm.json.gz"
FILE: Final = VectorFile.model_validate(load_json(PATH))
EXCEEDED_SLIPPAGE: Final = 6005
EXACT_OUT: Final = [vector for vector in FILE.vectors if vector.kind == "exact_out"]


def case_of(vector: Vector) -> ReplayCase:
    return ReplayCase.of(REPLAY_VENUES["raydium_cpmm"], FILE.pools[vector.pool], vector, FILE.user)


@pytest.mark.parametrize("vector", FILE.vectors, ids=lambda vector: vector.id)
def test_program_and_quote_repeat_the_recorded_swap(vector: Vector) -> None:
    assert list(case_of(vector).problems()) == []


def test_the_file_replays_without_a_failure() -> None:
    report = replay_file(PATH)
    assert (report.passed, report.failures) == (280, ())


def test_the_vectors_cover_both_kinds_of_swap_and_every_recorded_error() -> None:
    outcomes = Counter((vector.kind, vector.expected.ok, vector.expected.error) for vector in FILE.vectors)
    assert outcomes == {
        ("exact_in", True, None): 126,
        ("exact_in", False, 2505): 35,
        ("exact_out", True, None): 98,
        ("exact_out", False, 2505): 5,
        ("exact_out", False, "ProgramFailedToComplete"): 16,
    }


@pytest.mark.parametrize("vector", [one for one in EXACT_OUT if one.expected.ok], ids=lambda vector: vector.id)
def test_an_exact_output_costs_what_was_quoted_and_is_refused_one_unit_below(vector: Vector) -> None:
    check_cost(case_of(vector), vector, excess_input_error=EXCEEDED_SLIPPAGE)


@pytest.mark.parametrize("vector", [one for one in EXACT_OUT if not one.expected.ok], ids=lambda vector: vector.id)
def test_an_exact_output_that_the_program_refuses_has_no_quote(vector: Vector) -> None:
    with pytest.raises(QuoteRefused):
        case_of(vector)._quote(case_of(vector)._pool())
