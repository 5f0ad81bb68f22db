"""What really is on the chain, and what its nodes have seen of it. Only the explorer moves it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from solders.signature import Signature

from order_engine.domain.finality import Landed, Sighting
from order_engine.domain.order import OrderId, SignedTransaction
from tests.model import words
from tests.unit.usecases.paper_world import SLIPPED

VALIDITY_BLOCKS: Final = 4
FINALITY_BLOCKS: Final = 2
LONGEST_LAG: Final = 60
ENDPOINTS: Final = ((0, 1), (2,))  # the nodes behind each: the first one balances between two
SLOTS_AHEAD: Final = 500  # slots count faster than heights


@dataclass(slots=True)
class LedgerEntry:
    """A signed transaction, and what became of it."""

    order_id: OrderId
    attempt: int
    transaction: SignedTransaction
    is_sent: bool = False
    seen: int = words.NOTHING
    landed_at: int = 0


@dataclass(slots=True)
class Ledger:
    tip: int = 1_000
    lags: list[int] = field(default_factory=lambda: [0, 0, 0])  # of each node
    entries: dict[Signature, LedgerEntry] = field(default_factory=dict)

    def sign(self, order_id: OrderId, attempt: int, node: int) -> SignedTransaction:
        """Sign with the blockhash that a node knows; asked again, return the first transaction."""
        for entry in self.entries.values():
            if (entry.order_id, entry.attempt) == (order_id, attempt):
                return entry.transaction
        signature = Signature((len(self.entries) + 1).to_bytes(64, "big"))
        height = self.tip - self.lags[node] + VALIDITY_BLOCKS
        transaction = SignedTransaction(signature=signature, raw=bytes(signature), last_valid_block_height=height)
        self.entries[signature] = LedgerEntry(order_id, attempt, transaction)
        return transaction

    def may_land(self, entry: LedgerEntry) -> bool:
        return self.life(entry) >= 0 and entry.is_sent and entry.seen == words.NOTHING

    def life(self, entry: LedgerEntry) -> int:
        return entry.transaction.last_valid_block_height - self.tip

    def is_dead(self, entry: LedgerEntry) -> bool:
        """Whether it truly can never land any more."""
        return entry.seen == words.NOTHING and self.life(entry) < 0

    def open_forks(self) -> list[LedgerEntry]:
        return [one for one in self.entries.values() if one.seen in (words.PROCESSED_OK, words.PROCESSED_FAIL)]

    def grow(self, blocks: int, stalled: Sequence[int]) -> None:
        """Add blocks; stalled nodes do not see them. At finality a fork is confirmed or gone before."""
        self.tip += blocks
        for node in stalled:
            self.lags[node] = min(LONGEST_LAG, self.lags[node] + blocks)

    def finalized(self, node: int) -> int:
        return self.tip - self.lags[node] - FINALITY_BLOCKS

    def sighting(self, endpoint: int, height: int, node: int, signature: Signature) -> Sighting:
        """Return what a node says, now, about a signature; `height` was read before, maybe from another node."""
        seen_up_to = self.tip - self.lags[node]
        return Sighting(
            endpoint=f"E{endpoint}",
            finalized_block_height=height,
            finalized_slot=height + SLOTS_AHEAD,
            context_slot=seen_up_to + SLOTS_AHEAD,
            landed=self._landed(signature, seen_up_to),
        )

    def _landed(self, signature: Signature, seen_up_to: int) -> Landed | None:
        entry = self.entries[signature]
        if entry.seen not in (words.CONFIRMED_OK, words.CONFIRMED_FAIL) or entry.landed_at > seen_up_to:
            return None
        error = None if entry.seen == words.CONFIRMED_OK else SLIPPED
        return Landed(slot=entry.landed_at + SLOTS_AHEAD, error=error)
