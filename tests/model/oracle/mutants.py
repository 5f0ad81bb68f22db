"""Engines that are wrong in one place: the oracle must notice each of them.

Each is the real use case behind a port that makes it do the wrong thing at the right moment.
"""

from dataclasses import replace
from typing import Final
from uuid import UUID

from solders.signature import Signature

from order_engine.domain.finality import Landed, Sighting
from order_engine.domain.order import EventId, Fact, Order, OrderEvent, OrderId, SignedTransaction
from order_engine.usecases.ports import Claim, TransactionPlan
from tests.model import words
from tests.model.oracle.gate import Call, at_gate
from tests.model.oracle.ledger import ENDPOINTS
from tests.model.oracle.stage import GatedClaims, GatedStore, Stage
from tests.unit.usecases.paper_world import LEASE, SLIPPED

_SLOW: Final = 12  # how long the height is on its way, in moves of everybody


class SendsBeforeRecording(Stage):
    async def sign(self, order_id: OrderId, attempt: int, plan: TransactionPlan) -> SignedTransaction:
        transaction = await super().sign(order_id, attempt, plan)
        self.broadcast(transaction)
        return transaction


class SignsAgainTooEarly(Stage):
    """Takes a transaction for dead as soon as one look does not find it."""

    async def look(self, endpoint: int, signature: Signature) -> Sighting:
        sighting = await super().look(endpoint, signature)
        return replace(sighting, finalized_block_height=10**6, finalized_slot=0)


class FindsBeforeReadingTheHeight(Stage):
    async def look(self, endpoint: int, signature: Signature) -> Sighting:
        found = await super().look(endpoint, signature)
        for _ in range(_SLOW):
            await at_gate(Call(port="look", order_id=self.order_of(signature)))
        height = self.ledger.finalized(self.random.choice(ENDPOINTS[endpoint]))
        return replace(found, finalized_block_height=height, finalized_slot=0)


class BelievesAFork(Stage):
    """Takes `processed` for the last word."""

    async def look(self, endpoint: int, signature: Signature) -> Sighting:
        sighting = await super().look(endpoint, signature)
        if self.ledger.entries[signature].seen == words.PROCESSED_FAIL:
            return replace(sighting, landed=Landed(slot=sighting.context_slot, error=SLIPPED))
        return sighting


class _ReadsAgain(GatedStore):
    async def write(self, order: Order, fact: Fact, event_id: EventId) -> tuple[Order, OrderEvent]:
        return await super().write(self.records[order.order_id].order, fact, event_id)


class AppendsToWhatItReadsAgain(Stage):
    def equip(self) -> None:
        self.store = _ReadsAgain(self)
        self.claims = GatedClaims(self.store, self.limits, LEASE)


class _Grabs(GatedClaims):
    async def seize(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        record = self._store.records[order_id]
        if record.claimed_until is not None:
            record.claimed_until = self._store.clock.now()
        return await super().seize(order_id, claim_id)


class TakesOverTheLiving(Stage):
    def equip(self) -> None:
        self.store = GatedStore(self)
        self.claims = _Grabs(self.store, self.limits, LEASE)


class _ForgetsTheCancel(GatedClaims):
    async def reload(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        claim = await super().reload(order_id, claim_id)
        return claim and replace(claim, order=replace(claim.order, cancel_requested=False))


class SendsWhatIsCancelled(Stage):
    def equip(self) -> None:
        self.store = GatedStore(self)
        self.claims = _ForgetsTheCancel(self.store, self.limits, LEASE)


class _Hurries(GatedStore):
    async def write(self, order: Order, fact: Fact, event_id: EventId) -> tuple[Order, OrderEvent]:
        written = await super().write(order, fact, event_id)
        record = self.records[order.order_id]
        record.due_at = record.due_at and self.clock.now()
        return written


class RetriesWithoutWaiting(Stage):
    def equip(self) -> None:
        self.store = _Hurries(self)
        self.claims = GatedClaims(self.store, self.limits, LEASE)


MUTANTS: Final[tuple[type[Stage], ...]] = (
    SendsBeforeRecording,
    SignsAgainTooEarly,
    FindsBeforeReadingTheHeight,
    BelievesAFork,
    AppendsToWhatItReadsAgain,
    TakesOverTheLiving,
    SendsWhatIsCancelled,
    RetriesWithoutWaiting,
)
