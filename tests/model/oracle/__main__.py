"""`python -m tests.model oracle`: explore the real use cases from one seed after another, for as long as you like."""

import argparse
import asyncio
import secrets
import sys
import time
from collections import Counter

from tests.model.oracle.explorer import explore


def main(arguments: list[str]) -> int:
    asked = _parse(arguments)
    seed = secrets.randbelow(10**9) if asked.seed is None else asked.seed
    sys.stdout.write(f"from seed {seed}: python -m tests.model oracle --seed {seed} --seconds {asked.seconds}\n")
    return asyncio.run(_explore_all(seed, asked.seconds, show_all=asked.show))


async def _explore_all(first: int, seconds: float, *, show_all: bool) -> int:
    seen: Counter[str] = Counter()
    steps, seed, until = 0, first, time.monotonic() + seconds
    while seed == first or time.monotonic() < until:
        exploration = await explore(seed)
        seen += exploration.seen
        steps += len(exploration.history)
        if exploration.wrong or show_all:
            sys.stdout.write("\n".join(exploration.history) + "\n")
        if exploration.wrong:
            sys.stdout.write(f"WRONG at seed {seed}: {exploration.wrong}\n")
            return 1
        seed += 1
    for what, times in sorted(seen.items()):
        sys.stdout.write(f"  {times:8,}  {what}\n")
    sys.stdout.write(
        f"{seed - first} explorations, {steps:,} steps: each is one of the model's, and every order ended\n"
    )
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.model oracle", description=__doc__)
    parser.add_argument("--seed", type=int, help="the first seed; the next ones follow it")
    parser.add_argument("--seconds", type=float, default=20, help="0: this one seed only")
    parser.add_argument("--show", action="store_true", help="print every step")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
