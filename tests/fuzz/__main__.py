"""`python -m tests.fuzz`: start an engine, fuzz every public door of it for a while, and say what was answered."""

import argparse
import re
import secrets
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Final

from tests.e2e.live import live_engine
from tests.fuzz.aftermath import Patient, patient
from tests.fuzz.doors import SETTINGS, doors_of
from tests.fuzz.fuzzing import Door, Tally

EXAMPLES: Final = 25  # of each door in each round


def main() -> int:
    arguments = _arguments()
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(10**6)
    say(f"seed {seed}: python -m tests.fuzz --seconds {arguments.seconds} --seed {seed}")
    tally = Tally()
    with (
        tempfile.TemporaryDirectory(prefix="order-engine-fuzz-") as directory,
        live_engine(Path(directory) / "state", **SETTINGS) as engine,
        patient(engine) as fuzzed,
        doors_of(fuzzed) as every_door,
    ):
        doors = [door for door in every_door if re.search(arguments.only, door.name)]
        findings = run(fuzzed, doors, tally, seed, arguments.seconds)
        memory = {name: f"{fuzzed.memory_before[name]:.0f} -> {now:.0f}" for name, now in fuzzed.memory().items()}
    say(tally.table())
    say(f"seed {seed}, {tally.total} calls at {len(doors)} doors, memory in MiB {memory}, findings {len(findings)}")
    for finding in findings:
        say(finding)
    return 1 if findings else 0


def run(fuzzed: Patient, doors: list[Door], tally: Tally, seed: int, seconds: float) -> list[str]:
    """Fuzz door after door, round after round; a door with a finding is left alone from then on."""
    findings: list[str] = []
    until, start = time.monotonic() + seconds, seed
    left = list(doors)
    while left and time.monotonic() < until:
        for door in list(left):
            found = _fuzz(door, tally, start)
            if found:
                left.remove(door)
                findings.append(found)
            if time.monotonic() > until:
                break
        if trouble := _trouble(fuzzed):
            return [*findings, f"after the round that starts with seed {start}:\n{trouble}"]
        remaining = max(0, until - time.monotonic())
        say(f"round {start - seed + 1}: {tally.total} calls, {len(findings)} findings, {remaining:.0f} s left")
        start += 1
    return findings


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _fuzz(door: Door, tally: Tally, start: int) -> str:
    try:
        door.fuzz(tally, examples=EXAMPLES, start=start)
    except Exception:  # noqa: BLE001 - whatever goes wrong at a door is what we are here for
        again = f"python -m tests.fuzz --seconds 1 --seed {start} --only '^{re.escape(door.name)}$'"
        return f"{door.name}\n{traceback.format_exc(limit=-4)}reproduce: {again}"
    return ""


def _trouble(fuzzed: Patient) -> str:
    try:
        fuzzed.check()
    except Exception:  # noqa: BLE001 - a sick engine shows itself in many ways
        return traceback.format_exc(limit=-4)
    return ""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="how long; the round that runs is finished early")
    parser.add_argument("--seed", type=int, help="repeats a run; unset: a fresh one, printed")
    parser.add_argument("--only", default="", help="only doors whose name matches this regular expression")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
