"""Prove that the checks bite: break a copy of the engine in one place after another; each break must be noticed.

`python scripts/mutants.py [--tests-only] [NAME...]` prints a table and fails when a mutant survives. The working tree
is never touched. Whatever catches a mutant is first run on the unbroken copy, where it must pass.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.faults.mutants import MUTANTS, Mutant  # noqa: E402 - not installed: found beside this script

SEED = "7"
AT_MOST_SECONDS = 400
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".local", ".faults", "__pycache__", ".*_cache")


def main() -> int:
    arguments = _arguments()
    chosen = [mutant for mutant in MUTANTS if _is_chosen(mutant, arguments)]
    with tempfile.TemporaryDirectory(prefix="order-engine-mutants-") as directory:
        copy = Path(directory) / "tree"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        if not _unbroken_passes(copy, chosen):
            return 2
        survivors = [mutant.name for mutant in chosen if not _is_caught(copy, mutant)]
    _say(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants caught")
    return 1 if survivors else 0


def _unbroken_passes(copy: Path, mutants: Iterable[Mutant]) -> bool:
    passed = True
    for command in sorted({tuple(_command(mutant)) for mutant in mutants}):
        code, seconds, output = _run(copy, command)
        _say(f"{'passes' if code == 0 else 'FAILS':9} {seconds:5.0f} s  unbroken: {' '.join(command[2:])}")
        if code != 0:
            _say(output[-2000:])
            passed = False
    return passed


def _is_caught(copy: Path, mutant: Mutant) -> bool:
    path = copy / mutant.path
    healthy = path.read_text()
    if healthy.count(mutant.old) != 1:
        _say(f"{'STALE':9}          {mutant.name}: its text is {healthy.count(mutant.old)} times in {mutant.path}")
        return False
    path.write_text(healthy.replace(mutant.old, mutant.new))
    try:
        code, seconds, output = _run(copy, _command(mutant))
    finally:
        path.write_text(healthy)
    caught = code == 1 and ("\nviolations " if mutant.harness else "\nFAILED ") in output  # a crash is no catch
    _say(f"{'caught' if caught else 'SURVIVED':9} {seconds:5.0f} s  {mutant.name}: {_reason(output, code)}")
    return caught


def _command(mutant: Mutant) -> Sequence[str]:
    if mutant.harness:
        return (sys.executable, "-m", "tests.faults", "--seed", SEED, *mutant.harness)
    return (sys.executable, "-m", "pytest", "-q", "-x", "--no-header", *mutant.tests)


def _run(copy: Path, command: Sequence[str]) -> tuple[int, float, str]:
    began = time.monotonic()
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command, cwd=copy, capture_output=True, text=True, check=False, timeout=AT_MOST_SECONDS
        )
    except subprocess.TimeoutExpired:
        return -1, time.monotonic() - began, "it took too long"
    return done.returncode, time.monotonic() - began, done.stdout + done.stderr


def _reason(output: str, code: int) -> str:
    """Return the first thing that was noticed."""
    lines = output.splitlines()
    if "violations" in output:
        after = next((index for index, line in enumerate(lines) if line.startswith("violations")), -1)
        return " · ".join(sorted({line.split(":")[0].strip() for line in lines[after + 1 :]})) or "nothing"
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return failed[0].split(" - ")[0] if failed else f"exit code {code}: {lines[-1] if lines else ''}"


def _is_chosen(mutant: Mutant, arguments: argparse.Namespace) -> bool:
    if arguments.tests_only and mutant.harness:
        return False
    return not arguments.names or any(name in mutant.name for name in arguments.names)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests-only", action="store_true", help="only mutants that plain tests catch: a minute")
    parser.add_argument("names", nargs="*", help="parts of the names of the mutants to try")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
