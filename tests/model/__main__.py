"""`python -m tests.model`: search the protocol's model, and show that it notices what is wrong."""

import argparse
import gc
import sys
from typing import get_args

from tests.model.runs import GROUPS, Profile, Run, chosen
from tests.model.search import MAX_STATES
from tests.model.verdict import Outcome, carry_out


def main() -> int:
    if sys.argv[1:2] == ["oracle"]:
        from tests.model.oracle.__main__ import main as explore_engine  # the model alone needs no engine

        return explore_engine(sys.argv[2:])
    arguments = _arguments()
    runs = list(chosen(arguments.profile, arguments.runs))
    if not runs:
        say(f"no such run; groups are {', '.join(GROUPS)}")
        return 2
    failures, last = 0, ""
    for group, run in runs:
        if group != last:
            say(f"\n{group:52} {'states':>10} {'seconds':>8}  verdict")
        last = group
        failures += not _report(run, carry_out(run, arguments.max_states), with_trace=arguments.trace)
    say(f"\n{len(runs) - failures} of {len(runs)} runs came out as they must")
    return 1 if failures else 0


def _report(run: Run, outcome: Outcome, *, with_trace: bool) -> bool:
    say(f"{run.config.name:52} {outcome.states:10,} {outcome.seconds:8.1f}  {outcome.verdict}")
    if with_trace or not outcome.is_as_it_must:
        for line in outcome.trace:
            say(f"    {line}")
    return outcome.is_as_it_must


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("runs", nargs="*", help=f"a group ({', '.join(GROUPS)}) or a part of a run's name")
    parser.add_argument("--profile", choices=get_args(Profile), default="short")
    parser.add_argument("--trace", action="store_true", help="print the shortest way to every problem")
    parser.add_argument("--max-states", type=int, default=MAX_STATES)
    return parser.parse_args()


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    gc.disable()  # millions of states live to the end: looking for garbage among them takes half the time
    sys.exit(main())
