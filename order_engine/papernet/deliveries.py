"""Sent transactions on their way to a block. In memory only: what nobody saw land may be lost, as on mainnet."""

import heapq
from dataclasses import dataclass, field
from itertools import count

from solders.signature import Signature
from solders.transaction import VersionedTransaction


@dataclass(frozen=True, slots=True, order=True)
class Delivery:
    height: int  # lands here, or as soon after as there is room
    number: int
    transaction: VersionedTransaction = field(compare=False)
    raw: bytes = field(compare=False)

    @property
    def signature(self) -> Signature:
        return self.transaction.signatures[0]


class Deliveries:
    def __init__(self) -> None:
        self._heap: list[Delivery] = []
        self._waiting: set[Signature] = set()
        self._numbers = count()

    def __contains__(self, signature: Signature) -> bool:
        return signature in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, height: int, transaction: VersionedTransaction, raw: bytes) -> None:
        delivery = Delivery(height, next(self._numbers), transaction, raw)
        heapq.heappush(self._heap, delivery)
        self._waiting.add(delivery.signature)

    def next_due(self, height: int) -> Delivery | None:
        """Take the next delivery that is due at `height`."""
        if not self._heap or self._heap[0].height > height:
            return None
        delivery = heapq.heappop(self._heap)
        self._waiting.discard(delivery.signature)
        return delivery

    def has_due(self, height: int) -> bool:
        return bool(self._heap) and self._heap[0].height <= height
