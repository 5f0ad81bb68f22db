"""Price observations that are cut off or point beyond their end: the program panics, and so does its stand-in."""

from collections.abc import Callable

import pytest

from order_engine.papernet.programs import PANIC, RuntimeProgramError
from order_engine.papernet.programs.meteora_dlmm_state import observed as dlmm_observed
from order_engine.papernet.programs.raydium_clmm_state import observed as clmm_observed
from order_engine.papernet.programs.raydium_cpmm_observation import observe as cpmm_observe
from order_engine.venues.meteora_dlmm.fresh_pool import empty_oracle
from order_engine.venues.raydium_clmm import layout as clmm
from order_engine.venues.raydium_clmm.fresh_pool import empty_observation
from order_engine.venues.raydium_cpmm import layout as cpmm
from tests.unit.raydium_clmm_samples import STATE, TRADER, World, execute, owned, request

NOW = 1_800_000_000
CPMM, CLMM, DLMM = cpmm.empty_observation(STATE.owner), empty_observation(STATE.owner), empty_oracle()

Write = Callable[[bytes], bytes]


def _cpmm(data: bytes) -> bytes:
    return cpmm_observe(data, NOW, (1, 1))


def _clmm(data: bytes) -> bytes:
    return clmm_observed(data, NOW, 5)


def _dlmm(data: bytes) -> bytes:
    return dlmm_observed(data, 5, NOW)


@pytest.mark.parametrize(("write", "whole"), [(_cpmm, CPMM), (_clmm, CLMM), (_dlmm, DLMM)])
def test_a_whole_account_is_written(write: Write, whole: bytes) -> None:
    assert len(write(whole)) == len(whole)


@pytest.mark.parametrize("length", [0, 8, 10, 31])
@pytest.mark.parametrize(("write", "whole"), [(_cpmm, CPMM), (_clmm, CLMM), (_dlmm, DLMM)])
def test_a_cut_off_account_is_a_panic(write: Write, whole: bytes, length: int) -> None:
    with pytest.raises(RuntimeProgramError) as refused:
        write(whole[:length])
    assert refused.value.name == PANIC


@pytest.mark.parametrize(("write", "whole"), [(_cpmm, CPMM), (_clmm, CLMM)])
def test_one_missing_byte_is_a_panic_too(write: Write, whole: bytes) -> None:
    with pytest.raises(RuntimeProgramError):
        write(whole[:-1])


@pytest.mark.parametrize(("write", "whole", "at"), [(_cpmm, CPMM, 9), (_clmm, CLMM, 17)])
def test_a_latest_observation_beyond_the_last_is_a_panic(write: Write, whole: bytes, at: int) -> None:
    with pytest.raises(RuntimeProgramError):
        write(whole[:at] + b"\x64\0" + whole[at + 2 :])


def test_a_swap_with_cut_off_observations_panics() -> None:
    world = World(others={STATE.observation: owned(clmm.PROGRAM_ID, World().observation[:-1])})
    pool = World().pool()
    with pytest.raises(RuntimeProgramError) as refused:
        execute(world.ledger(0), pool.swap_instruction(pool.quote(request(10**9)), 1, TRADER))
    assert refused.value.name == PANIC
