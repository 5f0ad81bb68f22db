"""What a run left behind, as plain values: the checker reads these and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

WatcherEnd = Literal["terminal", "vanished", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The promises as numbers, from the settings of the run."""

    max_attempts: int
    retry_delay: timedelta
    max_in_flight: int  # 0 = unlimited
    max_starts_per_minute: int  # 0 = unlimited


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    order_id: str
    request_id: str
    token_in: str
    token_out: str
    swap_mode: str
    amount_in: int  # 0 for exact_out
    amount_out: int  # 0 for exact_in
    slippage_bps: int
    guards: Mapping[str, int]
    max_attempts: int
    status: str
    sequence: int
    attempt: int
    signature: str | None
    fill: Mapping[str, object] | None
    failure: Mapping[str, object] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    order_id: str
    sequence: int
    kind: str
    status: str
    attempt: int
    event_time: datetime
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTransaction:
    order_id: str
    attempt: int
    signature: str
    outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """A transaction of our wallet on the chain. Deltas are what it did to the wallet, the chain's fee apart."""

    signature: str
    order_id: str  # from the memo; "" when it has none of ours
    attempt: int
    succeeded: bool
    slot: int
    fee: int
    deltas: Mapping[str, int]  # by mint, native and wrapped SOL together under the mint of wrapped SOL


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """Token sums at one moment."""

    everywhere: Mapping[str, int]  # by mint, over all accounts of the chain; without wrapped SOL
    wallet: Mapping[str, int]  # by mint, native and wrapped SOL together


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    landings: Sequence[Landing]
    before: Holdings
    after: Holdings


@dataclass(slots=True, kw_only=True)
class Connection:
    """One stream of one watcher: what it delivered. Classic frames have no sequence: theirs is 0."""

    after_sequence: int = 0
    seen: list[tuple[int, str]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Watcher:
    kind: Literal["grpc", "classic"]
    order_id: str
    connections: list[Connection] = field(default_factory=list)
    end: WatcherEnd = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What GetOrder says after the run."""

    status: str
    sequence: int
    signature: str


@dataclass(slots=True, kw_only=True)
class Evidence:
    bounds: Bounds
    acknowledged: Sequence[tuple[str, str]]  # (request_id, order_id) of every OK answer
    orders: Mapping[str, StoredOrder]
    events: Mapping[str, Sequence[StoredEvent]]  # by order, in sequence
    transactions: Sequence[StoredTransaction]
    post_mortems: frozenset[str]
    chain: Chain
    answers: Mapping[str, Answer]
    watchers: Sequence[Watcher]
    logs: Sequence[Path] = ()
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    unsettled: Sequence[str] = ()  # orders that were not terminal when the bound had passed
