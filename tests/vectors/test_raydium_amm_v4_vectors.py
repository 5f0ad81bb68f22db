"""264 swaps that the real AMM v4 program carried out or refused, replayed to the last unit."""

import gzip
import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from order_engine.papernet.replay import REPLAY_VENUES, replay_file
from order_engine.papernet.replay_case import ReplayCase
from order_engine.papernet.vector_file import Vector, VectorFile, load_json
from order_engine.venues.raydium_amm_v4.layout import PoolState, decode_pool, encode_pool

PATH: Final = Path(__file__).parent / "data" / "raydium_amm_v4.json.gz"
FILE: Final = VectorFile.model_validate(load_json(PATH))
VENUE: Final = REPLAY_VENUES["raydium_amm_v4"]
Document = dict[str, Any]


def state_of(name: str) -> PoolState:
    dump = next(account for account in FILE.pools[name].accounts if account.role == "pool")
    return decode_pool(dump.pubkey, dump.to_account())


@pytest.mark.parametrize("vector", FILE.vectors, ids=lambda vector: vector.id)
def test_program_quote_and_instruction_repeat_the_recorded_swap(vector: Vector) -> None:
    case = ReplayCase.of(VENUE, FILE.pools[vector.pool], vector, FILE.user)
    assert list(case.problems()) == []


def test_the_file_replays_without_a_failure() -> None:
    report = replay_file(PATH)
    assert (report.passed, report.failures) == (264, ())


def test_the_vectors_cover_both_kinds_of_swap_and_every_recorded_error() -> None:
    outcomes = Counter((vector.kind, vector.expected.ok, vector.error(VENUE.error_codes)) for vector in FILE.vectors)
    assert outcomes == {
        ("exact_in", True, None): 128,
        ("exact_in", False, 29): 32,
        ("exact_out", True, None): 82,
        ("exact_out", False, 29): 9,
        ("exact_out", False, "ProgramFailedToComplete"): 13,
    }


@pytest.mark.parametrize("name", FILE.pools)
def test_a_recorded_pool_reads_as_recorded(name: str) -> None:
    state, recorded = state_of(name), json.loads(gzip.decompress(PATH.read_bytes()))["pools"][name]["state"]
    assert (state.status, state.nonce) == (int(recorded["status"]), int(recorded["nonce"]))
    assert state.decimals == (recorded["mint_a_decimals"], recorded["mint_b_decimals"])
    assert state.need_take_pnl == (int(recorded["base_need_take_pnl"]), int(recorded["quote_need_take_pnl"]))
    fee = state.swap_fee_numerator, state.swap_fee_denominator
    assert fee == (int(recorded["swap_fee_numerator"]), int(recorded["swap_fee_denominator"]))
    dump = FILE.pools[name]
    assert (state.mints, state.vaults) == (
        (dump.address("mint_a"), dump.address("mint_b")),
        (dump.address("vault_a"), dump.address("vault_b")),
    )
    others = ("open_orders", "target_orders", "market")
    assert [getattr(state, role) for role in others] == [dump.address(role) for role in others]


@pytest.mark.parametrize("name", FILE.pools)
def test_an_encoded_pool_reads_as_the_recorded_one(name: str) -> None:
    dump = next(account for account in FILE.pools[name].accounts if account.role == "pool")
    encoded = encode_pool(state_of(name))
    assert decode_pool(dump.pubkey, dump.model_copy(update={"data": encoded}).to_account()) == state_of(name)
    # what differs does not matter to a swap: reset flag, smallest size, amount wave, lots, decimal value
    differing = {place // 8 for place, (a, b) in enumerate(zip(encoded, dump.data, strict=True)) if a != b}
    assert differing <= {7, 8, 10, 11, 12, 15}


def replay_changed(
    tmp_path: Path, chosen: Callable[[Document], bool], change: Callable[[Document], None]
) -> tuple[str, ...]:
    """Return the failures of one recorded swap after a change to its record."""
    document: Document = json.loads(gzip.decompress(PATH.read_bytes()))
    vector = next(vector for vector in document["vectors"] if chosen(vector))
    path = tmp_path / "vectors.json"
    path.write_text(json.dumps({**document, "vectors": [vector]}))
    assert replay_file(path).failures == ()
    change(vector)
    path.write_text(json.dumps({**document, "vectors": [vector]}))
    return replay_file(path).failures


def paid(kind: str) -> Callable[[Document], bool]:
    return lambda vector: vector["kind"] == kind and vector["expected"]["ok"] and int(vector["amount"]) > 1_000


def refused(reason: str) -> Callable[[Document], bool]:
    return lambda vector: vector["expected"].get("reason") == reason


@pytest.mark.parametrize("kind", ["exact_in", "exact_out"])
@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        (lambda vector: vector["expected"].update(fee="1"), "quote takes a fee of"),
        (lambda vector: vector["expected"].update(amount_in="1"), "quote "),
        (lambda vector: vector["expected"].update(amount_out="1"), "quote "),
        (lambda vector: vector["expected"]["after"].update(status="7"), "status is 6 instead of 7"),
        (lambda vector: vector["expected"]["after"].update(base_need_take_pnl="-1"), "base_need_take_pnl is"),
        (lambda vector: vector["expected"]["after"].update(vault_b_amount="1"), "vault_b_amount is"),
        (lambda vector: vector.update(threshold=str(int(vector["threshold"]) ^ 1)), "the instruction differs"),
    ],
)
def test_a_different_record_is_a_failure(
    tmp_path: Path, kind: str, change: Callable[[Document], None], noticed: str
) -> None:
    (failure,) = replay_changed(tmp_path, paid(kind), change)
    assert noticed in failure


@pytest.mark.parametrize("place", [*range(9), 15, 16, 17])
def test_every_account_that_the_pool_names_is_compared(tmp_path: Path, place: int) -> None:
    def change(vector: Document) -> None:
        vector["instruction"]["accounts"][place]["pubkey"] = vector["user"]["mint_in"]

    (failure,) = replay_changed(tmp_path, paid("exact_in"), change)
    assert "differs" in failure


@pytest.mark.parametrize("place", range(18))
def test_every_accounts_privileges_are_compared(tmp_path: Path, place: int) -> None:
    def change(vector: Document) -> None:
        meta = vector["instruction"]["accounts"][place]
        meta["is_writable"] = not meta["is_writable"]

    (failure,) = replay_changed(tmp_path, paid("exact_out"), change)
    assert "the instruction differs" in failure


def test_another_error_than_that_of_the_bytecode_is_a_failure(tmp_path: Path) -> None:
    def change(vector: Document) -> None:
        vector["bytecode_2024_10"]["error"] = "InstructionErrorCustom(40)"

    (failure,) = replay_changed(tmp_path, refused("InvalidInput"), change)
    assert "refused with 29 instead of 40" in failure


def test_where_the_bytecode_is_too_old_the_named_reason_counts(tmp_path: Path) -> None:
    def chosen(vector: Document) -> bool:
        return refused("InvalidInput")(vector) and not vector["bytecode_agrees"]

    def change(vector: Document) -> None:
        vector["expected"]["reason"] = "InsufficientFunds"

    (failure,) = replay_changed(tmp_path, chosen, change)
    assert "refused with 29 instead of 40" in failure


@pytest.mark.parametrize("kind", ["exact_in", "exact_out"])
def test_a_swap_refused_for_its_threshold_is_no_failure_of_the_quote(tmp_path: Path, kind: str) -> None:
    def change(vector: Document) -> None:
        amounts = vector["expected"]
        limit = int(amounts["amount_out"]) + 1 if kind == "exact_in" else int(amounts["amount_in"]) - 1
        data = bytearray.fromhex(vector["instruction"]["data"])
        place = slice(9, 17) if kind == "exact_in" else slice(1, 9)
        data[place] = limit.to_bytes(8, "little")
        vector["instruction"]["data"], vector["threshold"] = data.hex(), str(limit)
        vector["expected"] = {"ok": False, "program_error": "InstructionErrorCustom(30)"}

    assert replay_changed(tmp_path, paid(kind), change) == ()


def test_a_pool_that_is_not_readable_is_a_failure_only_where_the_program_swaps(tmp_path: Path) -> None:
    document: Document = json.loads(gzip.decompress(PATH.read_bytes()))
    vector = next(vector for vector in document["vectors"] if paid("exact_in")(vector))
    pool = next(dump for dump in document["pools"][vector["pool"]]["accounts"] if dump["role"] == "pool")
    pool["data"] = b64encode(bytes(8) + b64decode(pool["data"])[8:]).decode()
    path = tmp_path / "vectors.json"
    path.write_text(json.dumps({**document, "vectors": [vector]}))
    (failure,) = replay_file(path).failures
    assert "refused with 22" in failure
    assert "pool unreadable" in failure
    vector["expected"] = {"ok": False, "reason": "InvalidStatus"}
    path.write_text(json.dumps({**document, "vectors": [vector]}))
    assert replay_file(path).failures == ()
