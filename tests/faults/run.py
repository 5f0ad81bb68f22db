"""One run: start everything, let users and faults loose, calm down, gather the evidence, check it."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from order_engine.settings import Settings
from tests.faults import collect
from tests.faults.clients import Users
from tests.faults.collect_chain import ChainReader
from tests.faults.evidence import Bounds, Chain, Evidence, Holdings, Watcher
from tests.faults.inject import Injector
from tests.faults.invariants import Violation, check
from tests.faults.plan import make_plan
from tests.faults.recovery import Recovery, RecoveryWatch, percentile, undisturbed
from tests.faults.stack import CLIENT_LINK, DEFAULT_LIMITS, LEASE_SECONDS, SLOT_MS, WIDE_LIMITS, Processes

DEAD_AFTER_SLOTS: Final = 150 + 32 + 33  # a blockhash's life, finality, the margin
WATCHERS_END_WITHIN: Final = 15.0
RECOVERED_WITHIN: Final = 10.0
BACK_WITHIN: Final = 60.0  # every process, on a busy machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    storm_seconds: float
    orders: int
    pace: float  # seconds between faults, on average
    hits: int = 3  # how often a process takes its step, at most, before it dies there
    in_flight: int = 50  # more than the limit, so that some wait
    default_limits: bool | None = None  # None: the seed decides
    only: str = ""  # regular expressions for the names of faults and steps
    steps: str = ""
    least_orders: int = 10  # a run that did less proves nothing
    least_deaths: int = 0


@dataclass(slots=True, kw_only=True)
class Report:
    seed: int
    commit: str = ""
    limits: str = ""
    orders: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    attempts: int = 0
    landings: int = 0
    watchers: dict[str, int] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    steps_struck: dict[str, int] = field(default_factory=dict)
    steps_not_reached: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    faults_not_done: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    slowest_answer_seconds: dict[str, float] = field(default_factory=dict)
    cancels: dict[str, int] = field(default_factory=dict)
    recovery_seconds: dict[str, float] = field(default_factory=dict)  # while nothing else was away
    disturbed_recovery_seconds: dict[str, float] = field(default_factory=dict)  # all of them
    settled_seconds: float = 0.0
    bound_seconds: float = 0.0
    seconds: float = 0.0
    violations: list[dict[str, str]] = field(default_factory=list)


def settle_bound(settings: Settings, waiting: int) -> float:
    """Return within how many seconds every order ends once nothing goes wrong any more.

    `waiting`: how many orders there are at most; the limits let them start one after the other.
    """
    dead = DEAD_AFTER_SLOTS * SLOT_MS / 1000 + 1.0
    waits: float = sum(settings.retry_delay_ms / 1000 * 2**number for number in range(settings.max_attempts - 1))
    bound: float = LEASE_SECONDS + 1.0 + settings.max_attempts * (dead + 2.0) + waits
    starts = waiting * settings.max_attempts
    if 2 * starts > settings.max_starts_per_minute:  # the storm may have used up the minute
        bound += 60.0 * -(-starts // settings.max_starts_per_minute)
    return bound


async def run(profile: Profile, seed: int, state_dir: Path) -> Report:
    began = time.monotonic()
    by_default = seed % 2 == 0 if profile.default_limits is None else profile.default_limits
    processes = Processes(state_dir, limits=DEFAULT_LIMITS if by_default else WIDE_LIMITS)
    report = Report(seed=seed, limits=", ".join(f"{name}={limit}" for name, limit in processes.limits.items()))
    try:
        await processes.start()
        chain = ChainReader(processes.stack.rpc_url, processes.stack.wallet)
        before = await chain.holdings()
        users, injector, recovery = await _storm(profile, seed, processes, chain, report)
        evidence = await gather(processes, chain, before, users.acknowledged, users.watchers)
        _fill(report, evidence, processes, users, injector, recovery)
        found = [*check(evidence), *_of_the_run(profile, processes, users, report)]
        report.violations = [asdict(one) for one in found]
    finally:
        await processes.stop()
    report.seconds = round(time.monotonic() - began, 1)
    return report


async def _storm(
    profile: Profile, seed: int, processes: Processes, chain: ChainReader, report: Report
) -> tuple[Users, Injector, RecoveryWatch]:
    users = Users(
        target=f"127.0.0.1:{processes.links[CLIENT_LINK].port}",
        http=f"http://127.0.0.1:{processes.stack.settings.port}",
        seed=seed,
        in_flight=_users(profile, processes.stack.settings),
        most=profile.orders,
    )
    plan = make_plan(
        seed, profile.storm_seconds, profile.pace, hits=profile.hits, only=profile.only, steps=profile.steps
    )
    injector = Injector(processes, chain, plan, patience=4.0 * profile.hits)
    recovery = RecoveryWatch(processes.stack.database_url, lambda: processes.deaths)
    looking, using = asyncio.create_task(recovery.run()), asyncio.create_task(users.run())
    await injector.storm()
    users.stop()
    await injector.calm()
    await _settle(processes, users, using, report)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    return users, injector, recovery


def _users(profile: Profile, settings: Settings) -> int:
    """More than may be in flight, so that some wait, but not for minutes once the storm is over."""
    return min(profile.in_flight, 2 * settings.max_in_flight)


async def _settle(processes: Processes, users: Users, using: "asyncio.Task[None]", report: Report) -> None:
    """Wait until all is quiet, but no longer than promised from when every process is back."""
    with suppress(TimeoutError):
        async with asyncio.timeout(BACK_WITHIN):
            await processes.all_back()
    calm = time.monotonic()
    database = collect.Database(processes.stack.database_url)
    report.bound_seconds = settle_bound(processes.stack.settings, users.in_flight)
    while time.monotonic() - calm < report.bound_seconds:
        with suppress(Exception):
            if not await asyncio.to_thread(database.unsettled):
                break
        await asyncio.sleep(0.25)
    report.settled_seconds = round(time.monotonic() - calm, 1)
    await asyncio.wait([using], timeout=WATCHERS_END_WITHIN)
    if not using.done():
        await users.give_up_watching()
        using.cancel()
    await asyncio.gather(using, return_exceptions=True)


async def gather(
    processes: Processes,
    chain: ChainReader,
    before: Holdings,
    acknowledged: Sequence[tuple[str, str]],
    watchers: Sequence[Watcher],
) -> Evidence:
    settings, stack = processes.stack.settings, processes.stack
    database = collect.Database(stack.database_url)
    unsettled = await asyncio.to_thread(database.unsettled)
    orders = await asyncio.to_thread(database.orders)
    return Evidence(
        bounds=Bounds(
            max_attempts=settings.max_attempts,
            retry_delay=timedelta(milliseconds=settings.retry_delay_ms),
            max_in_flight=settings.max_in_flight,
            max_starts_per_minute=settings.max_starts_per_minute,
        ),
        acknowledged=acknowledged,
        orders=orders,
        events=await asyncio.to_thread(database.events),
        transactions=await asyncio.to_thread(database.transactions),
        post_mortems=await asyncio.to_thread(database.post_mortems),
        chain=Chain(landings=await chain.landings(), before=before, after=await chain.holdings()),
        answers=await collect.answers(stack.grpc_target, list(orders)),
        watchers=watchers,
        logs=sorted(path for path in (processes.state_dir / "logs").iterdir() if path.is_file()),
        secrets=collect.secrets_of(processes.state_dir, (processes.state_dir / "password").read_text()),
        unsettled=unsettled,
    )


def _of_the_run(profile: Profile, processes: Processes, users: Users, report: Report) -> Sequence[Violation]:
    """What only the run itself can know: deaths nobody asked for, requests refused for good, slow recovery."""
    found = [
        Violation("no_process_dies_by_itself", f"{death.process} {death.detail}")
        for death in processes.deaths
        if not death.why
    ]
    found += [Violation("a_good_order_is_never_refused", what) for what in users.refused_for_good]
    if report.recovery_seconds["p99"] > RECOVERED_WITHIN:
        found.append(Violation("recovery_is_quick", f"{report.recovery_seconds}"))
    deaths = len(processes.deaths)
    if report.landings == 0 or report.orders < profile.least_orders or deaths < profile.least_deaths:
        found.append(
            Violation("a_run_does_enough", f"{report.orders} orders, {report.landings} landings, {deaths} deaths")
        )
    return found


def _fill(
    report: Report,
    evidence: Evidence,
    processes: Processes,
    users: Users,
    injector: Injector,
    recovery: RecoveryWatch,
) -> None:
    report.orders = len(evidence.orders)
    report.statuses = dict(Counter(order.status for order in evidence.orders.values()))
    report.attempts = sum(order.attempt for order in evidence.orders.values())
    report.landings = sum(one.succeeded for one in evidence.chain.landings)
    report.watchers = dict(Counter(f"{one.kind} {one.end}" for one in evidence.watchers))
    report.kills = dict(Counter(death.process for death in processes.deaths))
    report.steps_struck = dict(sorted(_without_hits(processes.struck).items()))
    report.faults = dict(sorted(injector.done.items()))
    report.faults_not_done = dict(injector.failed)
    report.answers = dict(users.refusals)
    report.slowest_answer_seconds = {why: round(seconds, 2) for why, seconds in users.slowest.items()}
    report.cancels = dict(users.cancels)
    report.recovery_seconds = _seconds(undisturbed(recovery.recoveries, processes.away, injector.disturbances))
    report.disturbed_recovery_seconds = _seconds(recovery.recoveries)


def _seconds(recoveries: Sequence[Recovery]) -> dict[str, float]:
    seconds = [one.seconds for one in recoveries]
    return {
        "orders": len(seconds),
        "p50": round(percentile(seconds, 0.5), 2),
        "p99": round(percentile(seconds, 0.99), 2),
        "max": round(max(seconds, default=0.0), 2),
    }


def _without_hits(struck: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for point, count in struck.items():
        found[point.rpartition(":")[0]] += count
    return found
