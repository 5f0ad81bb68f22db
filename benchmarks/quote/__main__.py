"""Quotes per second of every venue beside the official npm SDKs, and the time of a route. See benchmarks/README.md."""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

from benchmarks.quote import sdk
from benchmarks.quote.amounts import AMOUNTS
from benchmarks.quote.cases import AMOUNTS_ONLY, CASES, Case, Swap, as_sdk_reads, swap_of
from benchmarks.quote.route import describe_routes, routes
from benchmarks.results import Figures, save
from order_engine.domain.pool import Pool

WARM_UP_SECONDS: Final = 1.0
BATCH: Final = 50


@dataclass(frozen=True, slots=True)
class Rounds:
    """How long one side quotes one case before the other does, and how often both do."""

    seconds: float
    count: int


def measure(sdks: sdk.Sdks | None, rounds: Rounds) -> Figures:
    """Return microseconds of processor time by case and side, medians of the rounds."""
    figures: Figures = {}
    for case in CASES:
        _say(case.name)
        swap = swap_of(case)
        pool = swap.decode(case.venue)
        if case.shows != AMOUNTS_ONLY:
            figures |= _state_figures(case, swap, pool)
        figures |= _quotes(case, pool, swap, sdks, rounds)
    return figures


def _quotes(case: Case, pool: Pool, swap: Swap, sdks: sdk.Sdks | None, rounds: Rounds) -> Figures:
    ours = _ours(case, pool, swap)
    amount_out = ours()
    if amount_out != swap.recorded_amount_out:
        raise SystemExit(f"{case.name}: we quote {amount_out}, recorded is {swap.recorded_amount_out}")
    figures: Figures = {}
    if sdks is not None:
        theirs = sdks.load(as_sdk_reads(case, swap))
        figures[f"{case.key}_amounts_agree"] = float(theirs == amount_out)
        sdks.cpu_us(case.key, WARM_UP_SECONDS)
    taken: dict[str, list[float]] = {"ours": [], "sdk": []}
    for _ in range(rounds.count):
        taken["ours"].append(_cpu_us(ours, rounds.seconds))
        if sdks is not None:
            taken["sdk"].append(sdks.cpu_us(case.key, rounds.seconds))
    return figures | {f"{case.key}_{side}_us": statistics.median(each) for side, each in taken.items() if each}


def _ours(case: Case, pool: Pool, swap: Swap) -> Callable[[], int]:
    if case.shows == AMOUNTS_ONLY:
        return AMOUNTS[case.venue](pool, swap.request)
    return lambda: pool.quote(swap.request).amount_out


def _state_figures(case: Case, swap: Swap, pool: Pool) -> Figures:
    """What a quote needs once for each state: reading the accounts, moving on in time, and the first quote."""
    decode, at = _cpu_us(lambda: swap.decode(case.venue), 0.1), _cpu_us(lambda: pool.at(swap.snapshot), 0.1)
    fresh = _cpu_us(lambda: swap.decode(case.venue).quote(swap.request), 0.1)
    return {f"{case.key}_decode_us": decode, f"{case.key}_at_us": at, f"{case.key}_first_quote_us": fresh - decode}


def _cpu_us(call: Callable[[], object], seconds: float) -> float:
    calls, began = 0, time.process_time()
    while (used := time.process_time() - began) < seconds:
        for _ in range(BATCH):
            call()
        calls += BATCH
    return used / calls * 1e6


def describe(figures: Mapping[str, float]) -> str:
    """Return the figures as a table."""
    head = f"{'':<37}{'ours':>9}{'SDK':>9}{'ours':>11}{'SDK':>9}{'ratio':>8}   amounts   "
    lines = ["", head + f"{'first':>7}{'decode':>8}{'at':>6}"]
    lines.append(f"{'':<37}{'us':>9}{'us':>9}{'per s':>11}{'per s':>9}{'':>8}{'':>13}{'us':>7}{'us':>8}{'us':>6}")
    lines += [_row(case, figures) for case in CASES]
    return "\n".join(lines)


def _row(case: Case, figures: Mapping[str, float]) -> str:
    ours, theirs = figures[f"{case.key}_ours_us"], figures.get(f"{case.key}_sdk_us")
    row = f"{case.name:<37}{ours:>9.1f}"
    if theirs is None:
        row += f"{'–':>9}{1e6 / ours:>11,.0f}{'–':>9}{'–':>8}   {'':<10}"
    else:
        same = "equal" if figures[f"{case.key}_amounts_agree"] else "DIFFER"
        row += f"{theirs:>9.1f}{1e6 / ours:>11,.0f}{1e6 / theirs:>9,.0f}{theirs / ours:>8.1f}   {same:<10}"
    if case.shows == AMOUNTS_ONLY:
        return row
    state = (figures[f"{case.key}_{name}_us"] for name in ("first_quote", "decode", "at"))
    return row + "{:>7.0f}{:>8.0f}{:>6.0f}".format(*state)


def _sdks(*, wanted: bool) -> bool:
    """Say whether the SDKs are there to be measured, installing them if need be."""
    if not wanted:
        return False
    try:
        _say("installing the SDKs, if they are not there (320 MB, once)")
        sdk.install()
    except sdk.SdkUnusable as problem:
        _say(f"ours only: {problem}")
        return False
    return True


def _say(what: str) -> None:
    print(what, file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quote", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each case; the figures are their medians")
    parser.add_argument("--seconds", type=float, default=0.3, help="of each side in each round")
    parser.add_argument("--no-sdk", action="store_true", help="measure ours only, without Node")
    chosen = parser.parse_args(arguments)
    try:
        with sdk.running() if _sdks(wanted=not chosen.no_sdk) else nullcontext() as sdks:
            figures = measure(sdks, Rounds(chosen.seconds, chosen.rounds))
    except sdk.SdkUnusable as problem:
        raise SystemExit(f"an SDK failed, --no-sdk measures without them: {problem}") from problem
    _say("routes")
    figures |= routes(chosen.rounds)
    print(describe(figures))
    print(f"\n{describe_routes(figures)}")
    print(f"\nkept in {save(figures, 'quote')}")


if __name__ == "__main__":
    main()
