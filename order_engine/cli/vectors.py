"""Replays vector files one after another and adds up how many vectors held."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson
import typer

from order_engine.cli.exits import BAD_USAGE, DONE, FAILED
from order_engine.papernet.replay import checks_of
from order_engine.papernet.replay_check import Check, UnusableFile

_CLEAR_LINE: Final = "\r\x1b[K"
_SHOWN_EVERY: Final = 25  # vectors


@dataclass(slots=True)
class _Total:
    passed: int = 0
    failures: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        return f"{self.passed} passed, {len(self.failures)} failed"

    @property
    def status(self) -> int:
        return BAD_USAGE if self.unusable else FAILED if self.failures else DONE


def replay_files(files: Sequence[Path], *, json: bool) -> int:
    """Replay the files, tell what failed and how many held, and return the exit status."""
    total = _Total()
    for path in files:
        try:
            checks = checks_of(path)
        except UnusableFile as unusable:
            total.unusable.append(str(unusable))
            typer.echo(str(unusable), err=True)
            continue
        passed_before, failed_before = total.passed, len(total.failures)
        for failure in _failures(str(path), checks, total):
            if not json:
                typer.echo(failure)
        if len(files) > 1 and not json:
            passed, failed = total.passed - passed_before, len(total.failures) - failed_before
            typer.echo(f"{path}: {passed} passed, {failed} failed")
    typer.echo(_document(total) if json else total.line)
    return total.status


def _failures(name: str, checks: Sequence[Check], total: _Total) -> Iterator[str]:
    for check in _with_progress(name, checks):
        failure = check.failure()
        if failure is None:
            total.passed += 1
        else:
            total.failures.append(f"{name}: {failure}")
            yield total.failures[-1]


def _with_progress(name: str, checks: Sequence[Check]) -> Iterable[Check]:
    """Yield the checks; somebody who sits at a terminal sees how far they are."""
    if not sys.stderr.isatty():
        yield from checks
        return
    for number, check in enumerate(checks):
        if number % _SHOWN_EVERY == 0:
            typer.echo(f"{_CLEAR_LINE}{name}: {number} of {len(checks)}", nl=False, err=True)
        yield check
    typer.echo(_CLEAR_LINE, nl=False, err=True)


def _document(total: _Total) -> str:
    document = {
        "passed": total.passed,
        "failed": len(total.failures),
        "failures": total.failures,
        "unusable": total.unusable,
    }
    return orjson.dumps(document).decode()
