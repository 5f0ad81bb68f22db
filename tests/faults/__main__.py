"""`python -m tests.faults`: hurt the running engine for a while, then prove that it kept its promises."""

import argparse
import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from tests.faults.plan import API_STEPS, PAUSES, WORKER_STEPS
from tests.faults.run import Profile, Report, run

PROFILES: Final = {
    "short": Profile(storm_seconds=90, orders=600, pace=1.0, hits=2, least_orders=40, least_deaths=20),
    "long": Profile(storm_seconds=3600, orders=100_000, pace=3, hits=10, default_limits=False, least_orders=80),
}
SHOWN: Final = 40


def main() -> int:
    arguments = _arguments()
    profile = PROFILES[arguments.profile]
    if arguments.minutes:
        profile = replace(profile, storm_seconds=arguments.minutes * 60)
    if arguments.minutes or arguments.orders or arguments.only or arguments.steps:
        profile = replace(profile, least_orders=10, least_deaths=0)
    if arguments.orders:
        profile = replace(profile, orders=arguments.orders)
    profile = replace(profile, only=arguments.only, steps=arguments.steps)
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(10**6)
    say(f"seed {seed}: python -m tests.faults --profile {arguments.profile} --seed {seed}")
    kept = arguments.state_dir
    with tempfile.TemporaryDirectory(prefix="order-engine-faults-") as directory:
        report = asyncio.run(run(profile, seed, kept or Path(directory) / "state"))
    report.commit = _commit()
    report.steps_not_reached = _not_reached(report)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(asdict(report), indent=1) + "\n")
    say(shown(report))
    return 1 if report.violations else 0


def shown(report: Report) -> str:
    deaths, faults = sum(report.kills.values()), sum(report.faults.values())
    recovery = report.recovery_seconds
    lines = [
        f"limits {report.limits}",
        f"orders {report.orders} {report.statuses}, attempts {report.attempts}, landings {report.landings}",
        f"faults {faults}, deaths {deaths} {report.kills}",
        f"deaths and pauses at steps {sum(report.steps_struck.values())}, at {len(report.steps_struck)} steps of"
        f" {len(report.steps_struck) + len(report.steps_not_reached)}",
        f"watchers {report.watchers}; cancels {report.cancels}",
        f"answers {report.answers}",
        f"slowest {report.slowest_answer_seconds}",
        f"recovery after a worker's death: {recovery}; with other faults: {report.disturbed_recovery_seconds}",
        f"settled {report.settled_seconds} s after the last fault, promised {report.bound_seconds:.0f} s;"
        f" the run took {report.seconds} s",
        f"violations {len(report.violations)}",
        *(f"  {one['rule']}: {one['what']}" for one in report.violations[:SHOWN]),
    ]
    return "\n".join(lines)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _not_reached(report: Report) -> list[str]:
    wanted = [f"{step}:kill" for step in (*WORKER_STEPS, *API_STEPS)] + [f"{step}:stop" for step in PAUSES]
    return [step for step in wanted if step not in report.steps_struck]


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    return done.stdout.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="short")
    parser.add_argument("--seed", type=int, help="repeats a run's plan; unset: a fresh one, printed")
    parser.add_argument("--orders", type=int, help="at most so many")
    parser.add_argument("--minutes", type=float, help="how long faults go on")
    parser.add_argument("--only", default="", help="only faults whose name matches this regular expression")
    parser.add_argument("--steps", default="", help="only deaths at steps that match this regular expression")
    parser.add_argument("--state-dir", type=Path, help="keep the run's data and logs here")
    default = Path(os.environ.get("FAULTS_REPORT", ".faults/report.json"))
    parser.add_argument("--output", type=Path, default=default, help="the report as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
