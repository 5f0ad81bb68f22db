"""The `vectors` command: one line for each failure, the total last, and an exit status that says it."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from order_engine.cli.app import app

DATA: Final = Path(__file__).parent / "data"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["vectors", *map(str, arguments)])


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A file of which one address is another."""
    document: dict[str, Any] = json.loads(gzip.decompress((DATA / "pdas.json.gz").read_bytes()))
    document["vectors"][7]["bump"] = 1
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(document))
    return path


def test_files_of_all_kinds_are_replayed_together(tmp_path: Path) -> None:
    plain = tmp_path / "math.json"
    plain.write_bytes(gzip.decompress((DATA / "math.json.gz").read_bytes()))
    files = [DATA / f"{name}.json.gz" for name in ("raydium_cpmm", "instructions", "pdas", "transactions")]
    done = run(*files, plain)
    assert done.exit_code == 0, done.output
    *each, total = done.stdout.splitlines()
    assert total == "1231 passed, 0 failed"
    assert each[0] == f"{files[0]}: 280 passed, 0 failed"
    assert len(each) == 5


def test_a_failure_is_a_line_and_status_1(changed: Path) -> None:
    done = run(changed)
    assert done.exit_code == 1
    line, total = done.stdout.splitlines()
    assert line.startswith(f"{changed}: ")
    assert "bump: expected 1, got" in line
    assert total == "251 passed, 1 failed"


def test_an_unusable_file_is_named_on_the_error_stream_and_the_others_are_replayed(
    tmp_path: Path, changed: Path
) -> None:
    broken = tmp_path / "broken.json.gz"
    broken.write_bytes(b"\x1f\x8bgarbage")
    done = run(broken, changed, DATA / "transactions.json.gz")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"{broken}: ")
    assert done.stdout.splitlines()[-1] == "263 passed, 1 failed"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"vectors": []}', '{"venue": "raydium_cpmm", "vectors": []}']
)
def test_what_is_no_vector_file_is_status_2(tmp_path: Path, content: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(content)
    done = run(path)
    assert done.exit_code == 2
    assert str(path) in done.stderr
    assert done.stdout == "0 passed, 0 failed\n"


def test_a_file_that_is_not_there_is_bad_usage(tmp_path: Path) -> None:
    assert run(tmp_path / "nothing.json").exit_code == 2


def test_json_is_one_document(changed: Path, tmp_path: Path) -> None:
    shutil.copy(changed, tmp_path / "odd.json")
    (tmp_path / "odd.json").write_text("{}")
    done = run("--json", changed, tmp_path / "odd.json")
    assert done.exit_code == 2
    told = json.loads(done.stdout)
    assert (told["passed"], told["failed"], len(told["failures"]), len(told["unusable"])) == (251, 1, 1, 1)


def test_help_says_what_a_file_may_hold_and_what_the_status_means() -> None:
    told = " ".join(run("--help").stdout.replace("│", " ").split())
    for words in ("instructions", "program addresses", "tables of prices", "signed transactions", "Status 2"):
        assert words in told
