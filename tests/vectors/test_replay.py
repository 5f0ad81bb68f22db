"""The replay must notice: every kind of difference is a failure, and nothing is skipped."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from order_engine.papernet.replay import replay_file
from order_engine.papernet.replay_check import UnusableFile

SOURCE: Final = Path(__file__).parent / "data" / "raydium_cpmm.json.gz"
Document = dict[str, Any]


@pytest.fixture
def one_swap() -> Document:
    """A file with one exact-in swap that succeeded."""
    document: Document = json.loads(gzip.decompress(SOURCE.read_bytes()))
    paid = [v for v in document["vectors"] if v["kind"] == "exact_in" and v["expected"]["ok"] and int(v["amount"]) > 9]
    return {**document, "vectors": paid[:1]}


@pytest.fixture
def one_refusal() -> Document:
    document: Document = json.loads(gzip.decompress(SOURCE.read_bytes()))
    refused = [v for v in document["vectors"] if v["kind"] == "exact_in" and not v["expected"]["ok"]]
    return {**document, "vectors": refused[:1]}


def write(tmp_path: Path, document: object) -> Path:
    path = tmp_path / "vectors.json"
    path.write_text(json.dumps(document))
    return path


def test_plain_json_is_read_as_well_as_gzip(tmp_path: Path, one_swap: Document) -> None:
    report = replay_file(write(tmp_path, one_swap))
    assert (report.passed, report.failures) == (1, ())


def _raise_by_one(*keys: str) -> Callable[[Document], None]:
    def change(vector: Document) -> None:
        for key in keys[:-1]:
            vector = vector[key]
        vector[keys[-1]] = str(int(vector[keys[-1]]) + 1)

    return change


@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        (_raise_by_one("expected", "amount_in"), "amount_in is"),
        (_raise_by_one("expected", "amount_out"), "amount_out is"),
        (_raise_by_one("expected", "after", "protocol_fees_a"), "protocol_fees_a is"),
        (_raise_by_one("expected", "after", "fund_fees_b"), "fund_fees_b is"),
        (_raise_by_one("expected", "after", "creator_fees_a"), "creator_fees_a is"),
        (_raise_by_one("expected", "after", "vault_a_amount"), "vault_a_amount is"),
        (_raise_by_one("expected", "after", "vault_b_amount"), "vault_b_amount is"),
        (_raise_by_one("threshold"), "the instruction differs"),
        (lambda vector: vector["expected"]["after"].update(unheard_of="1"), "unheard_of is None"),
        (lambda vector: vector["expected"].update(ok=False), "succeeded instead of failing"),
        (lambda vector: vector["instruction"]["accounts"][4].update(is_writable=False), "refused with 2000"),
        (lambda vector: vector["instruction"]["accounts"].append(vector["instruction"]["accounts"][0]), "differs"),
    ],
)
def test_a_different_record_is_a_failure(
    tmp_path: Path, one_swap: Document, change: Callable[[Document], None], noticed: str
) -> None:
    vector = one_swap["vectors"][0]
    change(vector)
    report = replay_file(write(tmp_path, one_swap))
    assert report.passed == 0
    (failure,) = report.failures
    assert failure.startswith(f"{vector['id']}: ")
    assert noticed in failure


def test_another_error_than_the_recorded_one_is_a_failure(tmp_path: Path, one_refusal: Document) -> None:
    one_refusal["vectors"][0]["expected"]["program_error"] = "InstructionErrorCustom(6005)"
    (failure,) = replay_file(write(tmp_path, one_refusal)).failures
    assert "refused with 2505 instead of 6005" in failure


def test_what_was_sent_counts_in_a_refusal_too(tmp_path: Path, one_refusal: Document) -> None:
    one_refusal["vectors"][0]["instruction"]["accounts"][3].update(is_signer=True)
    (failure,) = replay_file(write(tmp_path, one_refusal)).failures
    assert "the instruction differs: account 3: expected" in failure


def test_a_direction_that_does_not_fit_the_mints_is_a_failure(tmp_path: Path, one_swap: Document) -> None:
    vector = one_swap["vectors"][0]
    vector["direction"] = "b_to_a" if vector["direction"] == "a_to_b" else "a_to_b"
    (failure,) = replay_file(write(tmp_path, one_swap)).failures
    assert "does not fit its mints" in failure


def test_what_was_sent_counts_where_a_swap_may_be_filled_in_part(tmp_path: Path) -> None:
    document: Document = json.loads(gzip.decompress(SOURCE.with_name("meteora_damm_v2.json.gz").read_bytes()))
    partial = next(v for v in document["vectors"] if v["kind"] == "partial_fill" and v["expected"]["ok"])
    path = write(tmp_path, {**document, "vectors": [partial]})
    assert replay_file(path).failures == ()
    partial["instruction"]["accounts"][9].update(is_signer=True)
    (failure,) = replay_file(write(tmp_path, {**document, "vectors": [partial]})).failures
    assert "the instruction differs: account 9" in failure


def test_a_refusal_without_a_recorded_code_must_still_be_a_refusal(
    tmp_path: Path, one_refusal: Document, one_swap: Document
) -> None:
    for document in (one_refusal, one_swap):
        document["vectors"][0]["expected"] = {"ok": False, "program_error": ""}
    assert replay_file(write(tmp_path, one_refusal)).passed == 1
    assert replay_file(write(tmp_path, one_swap)).passed == 0


def test_a_recorded_success_that_is_refused_is_a_failure(tmp_path: Path, one_refusal: Document) -> None:
    one_refusal["vectors"][0]["expected"] = {"ok": True, "amount_in": "1", "amount_out": "1", "after": {}}
    (failure,) = replay_file(write(tmp_path, one_refusal)).failures
    assert "refused with 2505" in failure
    assert "quote refused" in failure


def test_every_vector_of_an_unknown_venue_is_a_failure(tmp_path: Path) -> None:
    document = {"venue": "nowhere", "vectors": [{"id": "a"}, {"id": "b"}]}
    report = replay_file(write(tmp_path, document))
    assert report.passed == 0
    assert report.failures == ("a: unknown venue nowhere", "b: unknown venue nowhere")


@pytest.mark.parametrize("document", [{}, [], {"venue": "raydium_cpmm", "vectors": []}, {"venue": "x", "vectors": [1]}])
def test_what_is_not_a_vector_file_is_unusable(tmp_path: Path, document: object) -> None:
    with pytest.raises(UnusableFile, match=r"vectors\.json: not a vector file"):
        replay_file(write(tmp_path, document))


@pytest.mark.parametrize("content", [b"", b"{", b"\x1f\x8bgarbage", gzip.compress(b"{}" * 99)[:-9], b"\xff\xfe"])
def test_an_unreadable_file_is_unusable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(UnusableFile, match="broken: "):
        replay_file(path)


def test_a_missing_file_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match=r"nothing\.json\.gz"):
        replay_file(tmp_path / "nothing.json.gz")


def test_a_vector_without_its_pool_makes_a_file_unusable(tmp_path: Path, one_swap: Document) -> None:
    with pytest.raises(UnusableFile, match="is not in the file"):
        replay_file(write(tmp_path, {**one_swap, "pools": {}}))
