"""The chain's height and time: never back, over restarts and clock jumps."""

from typing import Final

from solders.clock import Clock
from solders.hash import Hash

from order_engine.papernet.genesis import (
    BLOCKHASH_VALID_BLOCKS,
    FIRST_HEIGHT,
    SLOTS_PER_EPOCH,
    blockhash,
    slot_of,
)
from order_engine.papernet.journal import Journal

_RESERVED_AHEAD: Final = 16  # more would expire everything in flight at a restart
_RESERVE_WHEN_LEFT: Final = 8
_REMEMBERED_HASHES: Final = 400


class Heights:
    """Heights are reserved on disk before anybody sees them; a restart goes on where the reservation ends.

    Chain time is the machine's time at the start plus one slot length per height: it does not follow the machine's
    clock afterwards, so it cannot jump.
    """

    def __init__(self, journal: Journal, genesis: Hash, slot_ms: int, now_ms: int) -> None:
        self._journal, self._genesis, self._slot_ms = journal, genesis, slot_ms
        self.head = int(journal.setting("height_ceiling") or FIRST_HEIGHT)
        self._first = self.head
        self._first_ms = max(now_ms, int(journal.setting("ceiling_ms") or 0))
        self._ceiling = self.head
        self._heights: dict[Hash, int] = {}
        for height in range(max(0, self.head - _REMEMBERED_HASHES), self.head + 1):
            self._heights[self.blockhash(height)] = height
        self._reserve()

    def advance(self) -> None:
        if self._ceiling - self.head <= _RESERVE_WHEN_LEFT:
            self._reserve()
        self.head += 1
        self._heights[self.blockhash(self.head)] = self.head
        self._heights.pop(self.blockhash(self.head - _REMEMBERED_HASHES), None)

    def _reserve(self) -> None:
        ceiling = self.head + _RESERVED_AHEAD
        with self._journal.transaction():
            self._journal.put_settings({"height_ceiling": ceiling, "ceiling_ms": self._ms(ceiling)})
        self._ceiling = ceiling

    def blockhash(self, height: int) -> Hash:
        return blockhash(self._genesis, height)

    def height_of(self, recent: Hash) -> int | None:
        """Return the height of a blockhash that is recent enough to be remembered."""
        return self._heights.get(recent)

    def is_valid(self, recent: Hash, at: int) -> bool:
        """Say whether a transaction with this blockhash may land at a height."""
        height = self.height_of(recent)
        return height is not None and height <= at <= height + BLOCKHASH_VALID_BLOCKS

    def unix_timestamp(self, height: int) -> int:
        return self._ms(height) // 1000

    def clock(self, height: int) -> Clock:
        slot = slot_of(height)
        epoch = slot // SLOTS_PER_EPOCH
        epoch_start = self._ms(height - slot % SLOTS_PER_EPOCH) // 1000
        return Clock(slot, epoch_start, epoch, epoch + 1, self.unix_timestamp(height))

    def _ms(self, height: int) -> int:
        return self._first_ms + (height - self._first) * self._slot_ms
