"""Recorded instructions, addresses, tables and transactions: all of them hold, and none still holds when changed."""

import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from order_engine.papernet.replay import checks_of, replay_file
from order_engine.papernet.replay_check import UnusableFile

DATA: Final = Path(__file__).parent / "data"
COUNTS: Final = {"instructions": 200, "pdas": 252, "math": 487, "transactions": 12}
OTHER_KEY: Final = "11111111111111111111111111111112"
Document = dict[str, Any]


def document(name: str) -> Document:
    loaded: Document = json.loads(gzip.decompress((DATA / f"{name}.json.gz").read_bytes()))
    return loaded


def only(name: str, chosen: Callable[[Document], bool]) -> Document:
    """Return the file with the first vector that is chosen, and no other."""
    whole = document(name)
    return {**whole, "vectors": [next(vector for vector in whole["vectors"] if chosen(vector))]}


def of_type(name: str, kind: str) -> Document:
    return only(name, lambda vector: vector.get("type", vector.get("kind")) == kind)


def failures(tmp_path: Path, changed: Document) -> tuple[str, ...]:
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(changed))
    return replay_file(path).failures


@pytest.mark.parametrize("name", COUNTS)
def test_every_vector_of_the_file_holds(name: str) -> None:
    report = replay_file(DATA / f"{name}.json.gz")
    assert (report.passed, report.failures) == (COUNTS[name], ())


def test_all_kinds_of_records_are_in_the_files() -> None:
    instructions = Counter(vector["type"] for vector in document("instructions")["vectors"])
    assert set(instructions.values()) == {10}
    assert len(instructions) == 20
    assert len(Counter(vector["type"] for vector in document("pdas")["vectors"])) == 20
    tables = {name: len(rows) for name, rows in document("math").items() if isinstance(rows, list)}
    assert list(tables.values()) == [127, 120, 120, 120]
    kinds = Counter(vector["kind"] for vector in document("transactions")["vectors"])
    assert kinds == {"legacy": 4, "v0": 4, "v0_alt": 4}


def test_every_vector_has_a_name_of_its_own() -> None:
    for name, count in COUNTS.items():
        assert len({check.name for check in checks_of(DATA / f"{name}.json.gz")}) == count


INSTRUCTIONS: Final = sorted({vector["type"] for vector in document("instructions")["vectors"]})


@pytest.mark.parametrize("kind", INSTRUCTIONS)
def test_an_instruction_with_another_byte_or_account_fails(tmp_path: Path, kind: str) -> None:
    changed = of_type("instructions", kind)
    (vector,) = changed["vectors"]
    data, accounts = vector["instruction"]["data"], vector["instruction"]["accounts"]
    vector["instruction"]["data"] = data[:-1] + ("1" if data[-1] == "0" else "0")
    (line,) = failures(tmp_path, changed)
    assert line.startswith(f"{vector['id']}: data: expected {vector['instruction']['data']}, got {data}")
    vector["instruction"]["data"] = data
    for place, account in enumerate(accounts):
        accounts[place] = {**account, "pubkey": OTHER_KEY}
        (line,) = failures(tmp_path, changed)
        assert f"account {place}: expected {OTHER_KEY}" in line
        accounts[place] = {**account, "is_writable": not account["is_writable"]}
        assert len(failures(tmp_path, changed)) == 1
        accounts[place] = {**account, "is_signer": not account["is_signer"]}
        assert len(failures(tmp_path, changed)) == 1
        accounts[place] = account
    assert failures(tmp_path, changed) == ()


ADDRESSES: Final = sorted({vector["type"] for vector in document("pdas")["vectors"]})


@pytest.mark.parametrize("kind", ADDRESSES)
def test_another_address_bump_or_argument_fails(tmp_path: Path, kind: str) -> None:
    changed = of_type("pdas", kind)
    (vector,) = changed["vectors"]
    whole = dict(vector)
    vector["address"] = OTHER_KEY
    (line,) = failures(tmp_path, changed)
    assert f"address: expected {OTHER_KEY}, got {whole['address']}" in line
    vector.update(whole)
    if "bump" in vector:
        vector["bump"] -= 1
        assert f"bump: expected {vector['bump']}, got {whole['bump']}" in failures(tmp_path, changed)[0]
        vector.update(whole)
    for name, value in whole["args"].items():
        vector["args"] = {**whole["args"], name: value + 1 if isinstance(value, int) else OTHER_KEY}
        assert len(failures(tmp_path, changed)) == 1


@pytest.mark.parametrize("table", [name for name, rows in document("math").items() if isinstance(rows, list)])
def test_another_number_in_a_table_fails(tmp_path: Path, table: str) -> None:
    rows = document("math")[table][:3]
    row = rows[1]
    if isinstance(row, dict):
        row["total_fee"] = str(int(row["total_fee"]) + 1)
    else:
        row[-1] = str(int(row[-1]) + 1)
    (line,) = failures(tmp_path, {"schema": 1, table: rows})
    assert line.startswith(f"{table}[1]: ")
    assert "expected" in line
    assert "got" in line


def _change_instruction(vector: Document) -> None:
    vector["instructions"][0]["data"] = "02e1930400"


def _change_account(vector: Document) -> None:
    vector["instructions"][2]["accounts"][1]["pubkey"] = OTHER_KEY


def _drop_instruction(vector: Document) -> None:
    vector["instructions"].pop()


def _change_signature(vector: Document) -> None:
    vector["transaction_base64"] = "AQ" + "B" + vector["transaction_base64"][3:]


def _sign_by_another(vector: Document) -> None:
    vector["signer_seed_hex"] = "00" * 32


def _rename_kind(vector: Document) -> None:
    vector["kind"] = "v0" if vector["kind"] == "legacy" else "legacy"


def _change_blockhash(vector: Document) -> None:
    vector["blockhash"] = "1" * 32


def _change_size(vector: Document) -> None:
    vector["bytes"] += 1


def _append_a_byte(vector: Document) -> None:
    vector["transaction_base64"] = vector["transaction_base64"].rstrip("=") + "AAAA"


@pytest.mark.parametrize("kind", ["legacy", "v0", "v0_alt"])
@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        (_change_instruction, "instruction 0, data: expected 02e1930400, got 02e0930400"),
        (_change_account, f"instruction 2, account 1: expected {OTHER_KEY}"),
        (_drop_instruction, "number of instructions: expected 6, got 7"),
        (_change_signature, "signature verification"),
        (_sign_by_another, "payer: expected"),
        (_rename_kind, "kind: expected"),
        (_change_blockhash, "blockhash: expected 1111"),
        (_change_size, "size: expected"),
        (_append_a_byte, "cannot be replayed"),
    ],
)
def test_a_transaction_that_says_something_else_fails(
    tmp_path: Path, kind: str, change: Callable[[Document], None], noticed: str
) -> None:
    changed = of_type("transactions", kind)
    (vector,) = changed["vectors"]
    change(vector)
    (line,) = failures(tmp_path, changed)
    assert line.startswith(f"{vector['id']}: ")
    assert noticed in line


def test_a_lookup_table_that_is_missing_fails(tmp_path: Path) -> None:
    changed = of_type("transactions", "v0_alt")
    changed["vectors"][0]["lookup_tables"] = []
    assert "AddressLookupTableNotFound" in failures(tmp_path, changed)[0]


def test_what_is_not_known_here_fails_vector_by_vector(tmp_path: Path) -> None:
    (instruction,) = of_type("instructions", "system.transfer")["vectors"]
    (address,) = of_type("pdas", "ata")["vectors"]
    strangers = [{**instruction, "type": "nobody.swap"}, {**address, "type": "nobody.pool"}, {"id": "x", "other": 1}]
    lines = failures(tmp_path, {"vectors": [*strangers, instruction, address]})
    assert lines == (
        f"{instruction['id']}: cannot be replayed: unknown kind of instruction nobody.swap",
        "nobody.pool[1]: cannot be replayed: unknown kind of address nobody.pool",
        "x: neither a swap nor an instruction, an address or a transaction",
    )
    assert failures(tmp_path, {"dlmm_fee": [], "of_tomorrow": [1]}) == (
        "of_tomorrow[0]: a table that is not known here",
    )


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("raydium_cpmm.swap_base_input", "pool", "no address"),
        ("raydium_cpmm.swap_base_input", "arg0", "many"),
        ("raydium_cpmm.swap_base_input", "arg0", str(2**64)),
        ("raydium_cpmm.swap_base_input", "arg0", True),
        ("raydium_clmm.swap_v2", "is_base_input", "yes"),
        ("raydium_clmm.swap_v2", "tick_arrays", "none"),
        ("raydium_amm_v4.swap_base_in", "pool", "flat"),
        ("meteora_damm_v2.swap2", "swap_mode", 9),
        ("compute_budget.set_compute_unit_limit", "units", 2**32),
    ],
)
def test_an_argument_that_cannot_be_fails_and_stops_nothing(
    tmp_path: Path, kind: str, name: str, value: object
) -> None:
    changed = of_type("instructions", kind)
    sound = of_type("instructions", "system.transfer")["vectors"]
    changed["vectors"][0]["args"][name] = value
    path = tmp_path / "changed.json"
    path.write_text(json.dumps({**changed, "vectors": [*changed["vectors"], *sound]}))
    report = replay_file(path)
    assert report.passed == 1
    assert "cannot be replayed" in report.failures[0]


def test_a_missing_argument_is_named(tmp_path: Path) -> None:
    changed = of_type("pdas", "raydium_clmm.vault")
    del changed["vectors"][0]["args"]["mint"]
    assert "argument mint is missing" in failures(tmp_path, changed)[0]


@pytest.mark.parametrize(
    "content", [{"vectors": []}, {"vectors": {}}, {"vectors": [1]}, {"schema": 1}, {"dlmm_fee": []}]
)
def test_a_file_without_vectors_is_unusable(tmp_path: Path, content: Document) -> None:
    with pytest.raises(UnusableFile, match="not a vector file"):
        failures(tmp_path, content)
