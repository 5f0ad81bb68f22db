"""What goes wrong, and when: decided by the seed before anything starts, so that the same seed is the same plan."""

import random
import re
from dataclasses import dataclass
from typing import Final

from tests.faults.stack import CLIENT_LINK, LEASE_SECONDS, LINKS, RPC_LINKS, WORKERS

WORKER_STEPS: Final = (
    "claims.start:before",
    "claims.start:after",
    "claims.take_over:after",
    "claims.reload:after",
    "claims.renew:after",
    "wallet.sign:before",
    "wallet.sign:after",
    "store.append/RouteChosen:before",
    "store.append/RouteChosen:after",
    "store.append/TransactionSigned:before",
    "store.append/TransactionSigned:after",
    "chain.send:before",
    "chain.send:after",
    "chain.sightings:before",
    "chain.sightings:after",
    "chain.fill:after",
    "store.append/TransactionConfirmed:before",
    "store.append/TransactionConfirmed:after",
    "store.append/AttemptFailed:before",
    "store.append/AttemptFailed:after",
    "store.append/OrderFailed:before",
    "store.append/OrderFailed:after",
    "store.append/OrderCancelled:before",
    "store.append/OrderCancelled:after",
    "signals.publish:before",
)
API_STEPS: Final = (
    "store.create:before",
    "store.create:after",
    "queue.hint:before",
    "queue.hint:after",
    "store.append/CancelRequested:before",
    "store.append/CancelRequested:after",
    "store.events:after",
)
PAUSES: Final = (  # longer than the lease, at the steps where a zombie could do harm
    "wallet.sign:after",
    "store.append/TransactionSigned:before",
    "store.append/TransactionSigned:after",
    "chain.send:before",
    "store.append/TransactionConfirmed:before",
    "store.append/AttemptFailed:before",
)
API_MODES: Final = (
    "queue.hint:before:drop:*",
    "queue.hint:before:repeat=10:*",
    "signals.publish:before:drop:*",
    "clock.now:after:shift=7200:*",
    "clock.now:after:shift=-31536000:*",
)
CHAIN_PLANS: Final = (
    "drop=0.5",
    "drop=1",
    "late=0.5",
    "delay=0.5:60",
    "duplicate=0.5",
    "lag=0.7:40",
    "http_429=0.4",
    "malformed=0.3",
    "drop=0.3,late=0.2,lag=0.5:20,http_429=0.1,malformed=0.1,duplicate=0.2",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`kind` names what the injector does; `target` and `detail` are its arguments."""

    at: float  # seconds after the start of the storm
    kind: str
    target: str = ""
    detail: str = ""
    seconds: float = 0.0

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.kind, self.target, self.detail)))

    @property
    def disturbs_recovery(self) -> bool:
        """Say whether no worker can take over meanwhile, because the database is away."""
        return self.target in ("postgres", "worker-postgres")


@dataclass(frozen=True, slots=True)
class Plan:
    faults: tuple[Fault, ...]
    seconds: float
    steps: dict[str, tuple[str, ...]]  # the points at which each mortal process dies, one life after the other


Kind = tuple[str, str, str, float]

SHORTEST_SECONDS: Final = 2.0  # of a fault that begins when the storm is nearly over
ALL_RPC: Final = "+".join(RPC_LINKS)
SILENT_SECONDS: Final = 15.0  # three times as long as one call waits


def make_plan(seed: int, seconds: float, pace: float, hits: int = 3, only: str = "", steps: str = "") -> Plan:
    """Every kind of fault once in random order, then kinds at random, one every `pace` seconds or so.

    A process dies at the first to `hits`-th time that it takes its step: few hits are many deaths.
    `only` and `steps` are regular expressions that the names of faults and of steps must match.
    """
    dice = random.Random(f"plan:{seed}")  # noqa: S311 - not a secret
    kinds = [kind for kind in _kinds() if re.search(only, " ".join(kind[:3]))]
    deck = dice.sample(kinds, len(kinds))
    faults: list[Fault] = []
    at = 1.0
    while at < seconds and kinds:
        kind, target, detail, lasts = deck.pop() if deck else dice.choice(kinds + ([] if only else _KILLS * 2))
        lasts = min(lasts, max(SHORTEST_SECONDS, seconds - at))
        faults.append(Fault(at=at, kind=kind, target=target, detail=detail, seconds=lasts))
        at += pace * dice.uniform(0.5, 1.5)
    lives = {name: _lives(dice, name, hits, int(seconds)) for name in (*WORKERS, "api")}
    chosen = {name: tuple(point for point in points if re.search(steps, point)) for name, points in lives.items()}
    return Plan(tuple(faults), seconds, {name: points for name, points in chosen.items() if points})


_KILLS: Final[list[Kind]] = [
    *(("kill", name, "", 0.0) for name in (*WORKERS, *WORKERS, "api", "gateway", "papernet", "redis", "postgres")),
    ("kill", "all workers", "", 0.0),
]


def fault_names() -> set[str]:
    return {" ".join(filter(None, kind[:3])) for kind in _kinds()}


def _kinds() -> list[Kind]:
    links = [*LINKS, CLIENT_LINK]
    return [
        *_KILLS,
        ("immediate shutdown", "postgres", "", 0.0),
        *(("suspend", worker, "", LEASE_SECONDS + 2) for worker in WORKERS),
        *(("suspend", name, "", 2.0) for name in ("api", "gateway", "papernet", "redis", "postgres")),
        ("flush", "redis", "", 0.0),
        ("flush", "redis", "", 0.0),
        ("out of memory", "redis", "", 4.0),
        ("read-only", "redis", "", 4.0),
        ("disk full", "postgres", "", 4.0),
        ("refuses writes", "postgres", "", 4.0),
        *(("link", link, "reset", 0.0) for link in links),
        *(("link", link, weather, 4.0) for link in links for weather in ("black_hole", "late", "trickle")),
        *(("link", ALL_RPC, weather, 4.0) for weather in ("black_hole", "late")),
        *(("link", link, "silent", SILENT_SECONDS) for link in RPC_LINKS),
        *(("chain", "papernet", plan, 6.0) for plan in CHAIN_PLANS),
        *(("chain fails", "papernet", share, 6.0) for share in ("0.3", "0.8")),
        *(("mode", "api", mode, 6.0) for mode in API_MODES),
    ]


RARE: Final = ("OrderFailed", "OrderCancelled", "CancelRequested", "take_over", "AttemptFailed")


def _lives(dice: random.Random, name: str, hits: int, count: int) -> tuple[str, ...]:
    """Two workers share the deadly steps, the third pauses for longer than its lease, the API dies now and then."""
    lives: list[str] = []
    while len(lives) < count:
        match name:
            case "api":
                lives += [_deadly(dice, step, 12 * hits) for step in dice.sample(API_STEPS, len(API_STEPS))]
            case "worker-3":
                lives += [f"{step}:stop:{dice.randint(1, hits)}" for step in dice.sample(PAUSES, len(PAUSES))]
            case _:
                mine = WORKER_STEPS[int(name[-1]) % 2 :: 2]
                lives += [_deadly(dice, step, hits) for step in dice.sample(mine, len(mine))]
    return tuple(lives[:count])


def _deadly(dice: random.Random, step: str, most: int) -> str:
    return f"{step}:kill:{1 if any(word in step for word in RARE) else dice.randint(1, most)}"
