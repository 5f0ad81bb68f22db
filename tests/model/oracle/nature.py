"""What the engine does not decide: what the chain does with what was sent, how far its nodes are, and time."""

from datetime import timedelta
from random import Random
from typing import Final

from tests.model import words
from tests.model.oracle.ledger import FINALITY_BLOCKS, LedgerEntry
from tests.model.oracle.stage import Stage
from tests.unit.usecases.paper_world import SLIPPED

_LEAPS: Final = (1, 1, 1, 2, 5, 20, 40)  # blocks at once
_CONFIRMED: Final = {words.PROCESSED_OK: words.CONFIRMED_OK, words.PROCESSED_FAIL: words.CONFIRMED_FAIL}
_TROUBLE: Final = 0.12
_STALLS: Final = (0.05, 0.1, 0.9)  # how often a node does not see what came


class Nature:
    def __init__(self, random: Random, stage: Stage) -> None:
        self.random = random
        self.stage = stage
        self.ledger = stage.ledger
        self._pools = stage.pools
        self._stalls = [random.choice(_STALLS) for _ in self.ledger.lags]  # of each node

    def land(self) -> str:
        entries = [entry for entry in self.ledger.entries.values() if self.ledger.may_land(entry)]
        if not entries:
            return ""
        entry = self.random.choice(entries)
        entry.seen = self.random.choice([words.PROCESSED_OK, words.PROCESSED_OK, words.PROCESSED_FAIL])
        entry.landed_at = self.ledger.tip
        return f"{_name(entry)} lands, {words.SIGHTS[entry.seen]}"

    def settle_fork(self) -> str:
        forks = self.ledger.open_forks()
        return self._settle(self.random.choice(forks)) if forks else ""

    def grow(self) -> str:
        """Blocks come; a fork that would become final is confirmed or dropped before."""
        blocks = self.random.choice(_LEAPS)
        settled = [
            self._settle(entry)
            for entry in self.ledger.open_forks()
            if self.ledger.tip + blocks - entry.landed_at >= FINALITY_BLOCKS
        ]
        stalled = [node for node in range(len(self.ledger.lags)) if self.random.random() < self._stalls[node]]
        self.ledger.grow(blocks, stalled)
        return ", ".join([*settled, f"{blocks} blocks, lags {self.ledger.lags}"])

    def catch_up(self) -> str:
        node = self.random.randrange(len(self.ledger.lags))
        if not self.ledger.lags[node]:
            return ""
        self.ledger.lags[node] -= self.random.randint(1, self.ledger.lags[node])
        return f"node {node} catches up, lags {self.ledger.lags}"

    def let_time_pass(self, time: timedelta) -> str:
        self.stage.time += time
        return f"{time.total_seconds()} s pass"

    def set_the_next_answers(self, *, is_quiet: bool) -> None:
        """Simulations slip, the chain is away for a moment, or there is no pool."""
        trouble = 0.0 if is_quiet else _TROUBLE
        self.stage.simulations = [SLIPPED] if self.random.random() < trouble else []
        self.stage.unreachable_calls = int(self.random.random() < trouble)
        self.stage.pools = {} if self.random.random() < trouble / 2 else self._pools

    def come_to_rest(self) -> None:
        """One block of a chain without trouble: every node follows, and what lands stays."""
        self.ledger.lags = [0 for _ in self.ledger.lags]
        if self.random.random() < 1 / 4:
            self.land()
        for entry in self.ledger.open_forks():
            entry.seen = _CONFIRMED[entry.seen]
        self.ledger.grow(1, ())

    def _settle(self, entry: LedgerEntry) -> str:
        if self.random.random() < 1 / 3:
            entry.seen, entry.landed_at = words.NOTHING, 0
            return f"{_name(entry)} is dropped with its fork"
        entry.seen = _CONFIRMED[entry.seen]
        return f"{_name(entry)} is confirmed, {words.SIGHTS[entry.seen]}"


def _name(entry: LedgerEntry) -> str:
    return f"S{entry.attempt} of {str(entry.order_id)[-2:]}"
