"""Meteora DAMM v2 against recorded swaps of the real program: 18 pools, every fee mode, Token-2022 transfer fees."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey

from order_engine.domain.errors import QuoteRefused
from order_engine.domain.pool import Account, Trader
from order_engine.papernet.replay import REPLAY_VENUES, replay_file
from order_engine.papernet.replay_case import ReplayCase
from order_engine.papernet.vector_file import Vector, VectorFile
from order_engine.venues.meteora_damm_v2.instructions import swap2
from order_engine.venues.meteora_damm_v2.layout import PoolState, decode_pool, encode_pool, patch_pool
from order_engine.venues.meteora_damm_v2.refusals import SlippageRefused
from order_engine.venues.meteora_damm_v2.swap import SwapMode
from tests.vectors.exact_out import check_cost

FILE = Path(__file__).parent / "data" / "meteora_damm_v2.json.gz"
DOCUMENT: dict[str, Any] = json.loads(gzip.decompress(FILE.read_bytes()))
VECTORS = VectorFile.model_validate(DOCUMENT)
MODES = {"exact_in": SwapMode.EXACT_IN, "partial_fill": SwapMode.PARTIAL_FILL, "exact_out": SwapMode.EXACT_OUT}

EXACT_OUT = [vector for vector in VECTORS.vectors if vector.kind == "exact_out"]


def case_of(vector: Vector) -> ReplayCase:
    return ReplayCase.of(REPLAY_VENUES["meteora_damm_v2"], VECTORS.pools[vector.pool], vector, VECTORS.user)


def pool_account(name: str) -> tuple[Pubkey, Account]:
    dump = next(account for account in VECTORS.pools[name].accounts if account.role == "pool")
    return dump.pubkey, dump.to_account()


def test_every_recorded_swap_replays_to_the_unit() -> None:
    report = replay_file(FILE)
    assert report.failures == ()
    assert report.passed == len(VECTORS.vectors) == 252


@pytest.mark.parametrize("name", VECTORS.pools)
def test_a_recorded_pool_reads_as_recorded_and_encodes_to_the_same_bytes(name: str) -> None:
    address, account = pool_account(name)
    state = decode_pool(address, account)
    recorded = DOCUMENT["pools"][name]["state"]
    compared = [field for field in PoolState.__dataclass_fields__ if field in recorded and not field.endswith("_fee")]
    assert len(compared) == 15
    assert {field: getattr(state, field) for field in compared} == {field: int(recorded[field]) for field in compared}
    assert encode_pool(state) == patch_pool(account.data, state) == account.data


@pytest.mark.parametrize("name", VECTORS.pools)
def test_recorded_fee_settings_read_as_recorded(name: str) -> None:
    state = decode_pool(*pool_account(name))
    recorded = DOCUMENT["pools"][name]["state"]
    assert state.base_fee.cliff_fee_numerator == recorded["base_fee"]["cliff_fee_numerator"]
    assert (state.dynamic_fee is None) == (recorded["dynamic_fee"] is None)
    for field, value in (recorded["dynamic_fee"] or {"initialized": 0}).items():
        assert field == "initialized" or getattr(state.dynamic_fee, field) == int(value)


@pytest.mark.parametrize("vector", VECTORS.vectors, ids=lambda vector: vector.id)
def test_the_instruction_is_built_byte_for_byte(vector: Vector) -> None:
    address, account = pool_account(vector.pool)
    state = decode_pool(address, account)
    owners = {dump.role: dump.owner for dump in VECTORS.pools[vector.pool].accounts}
    user = vector.user
    built = swap2(
        address,
        state,
        (owners["mint_a"], owners["mint_b"]),
        Trader(owner=VECTORS.user, token_account_in=user.token_account_in, token_account_out=user.token_account_out),
        mode=MODES[vector.kind],
        amount=vector.amount,
        threshold=vector.threshold,
    )
    assert built == vector.instruction.to_instruction()


@pytest.mark.parametrize("vector", [one for one in EXACT_OUT if one.expected.ok], ids=lambda vector: vector.id)
def test_an_exact_output_costs_what_was_quoted_and_is_refused_one_unit_below(vector: Vector) -> None:
    check_cost(case_of(vector), vector, excess_input_error=SlippageRefused.program_error)


@pytest.mark.parametrize("vector", [one for one in EXACT_OUT if not one.expected.ok], ids=lambda vector: vector.id)
def test_an_exact_output_that_the_program_refuses_has_no_quote(vector: Vector) -> None:
    with pytest.raises(QuoteRefused):
        case_of(vector)._quote(case_of(vector)._pool())


def test_the_vectors_hold_exact_outputs_of_both_outcomes() -> None:
    assert Counter(vector.expected.ok for vector in EXACT_OUT) == {True: 75, False: 10}
