"""The ports of the use cases, in memory, each call of which waits at the gate."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from uuid import UUID

from solders.signature import Signature

from order_engine.adapters.memory.order_claims import MemoryOrderClaims
from order_engine.adapters.memory.order_signals import MemoryOrderSignals
from order_engine.adapters.memory.order_store import MemoryOrderStore
from order_engine.domain.errors import ChainUnavailable
from order_engine.domain.finality import Sighting
from order_engine.domain.order import EventId, Fact, Order, OrderEvent, OrderId, SignedTransaction
from order_engine.usecases.cancel_order import CancelOrder
from order_engine.usecases.execute_order import ExecuteOrder
from order_engine.usecases.ports import AdmissionLimits, Claim, TransactionPlan
from tests.model.oracle.gate import Call, Fate, at_gate, through_gate
from tests.model.oracle.ledger import ENDPOINTS, Ledger
from tests.unit.usecases.paper_world import LEASE, World, executor

_SILENT, _UNREACHABLE = 0.1, 0.03  # how often an endpoint, or all of them, give no answer


class GatedStore(MemoryOrderStore):
    async def get(self, order_id: OrderId, owner: str | None = None) -> Order:
        await through_gate(Call(port="get", order_id=order_id), _nothing)
        return await super().get(order_id, owner)

    async def append(self, order: Order, fact: Fact, event_id: EventId) -> tuple[Order, OrderEvent]:
        written: list[tuple[Order, OrderEvent]] = []

        async def act() -> Order:
            written.append(await self.write(order, fact, event_id))
            return written[0][0]

        await through_gate(Call(port="append", order_id=order.order_id, order=order, fact=fact), act)
        return written[0]

    async def write(self, order: Order, fact: Fact, event_id: EventId) -> tuple[Order, OrderEvent]:
        """Append in the moment that it happens."""
        return await super().append(order, fact, event_id)

    async def live_transaction(self, order_id: OrderId) -> SignedTransaction | None:
        await through_gate(Call(port="live_transaction", order_id=order_id), _nothing)
        return await super().live_transaction(order_id)


class GatedClaims(MemoryOrderClaims):
    async def start(self, order_id: OrderId, claim_id: UUID, event_id: EventId) -> tuple[Claim, OrderEvent] | None:
        started: list[tuple[Claim, OrderEvent] | None] = []

        async def act() -> Order | None:
            started.append(await super(GatedClaims, self).start(order_id, claim_id, event_id))
            return started[0][0].order if started[0] else None

        await through_gate(Call(port="start", order_id=order_id), act)
        return started[0]

    async def take_over(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        claims: list[Claim | None] = []

        async def act() -> Order | None:
            claims.append(await self.seize(order_id, claim_id))
            return claims[0].order if claims[0] else None

        await through_gate(Call(port="take_over", order_id=order_id), act)
        return claims[0]

    async def seize(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        """Take over in the moment that it happens."""
        return await super().take_over(order_id, claim_id)

    async def reload(self, order_id: OrderId, claim_id: UUID) -> Claim | None:
        claims: list[Claim | None] = []

        async def act() -> Order | None:
            claims.append(await super(GatedClaims, self).reload(order_id, claim_id))
            return claims[0].order if claims[0] else None

        await through_gate(Call(port="reload", order_id=order_id), act)
        return claims[0]


class Stage(World):
    """One store, one chain, one clock for all workers. What a call meets is drawn from `random`."""

    store: GatedStore
    claims: GatedClaims

    def __init__(self, random: Random, limit: int) -> None:
        super().__init__()
        self.random = random
        self.ledger = Ledger()
        self.limits = AdmissionLimits(max_in_flight=limit, max_starts_per_minute=0)
        self.equip()

    def equip(self) -> None:
        self.store = GatedStore(self)
        self.claims = GatedClaims(self.store, self.limits, LEASE)

    def execute_order(self) -> ExecuteOrder:
        return executor(self)

    def cancel_order(self) -> CancelOrder:
        return CancelOrder(self.store, MemoryOrderSignals(), self, self.identifiers)

    def order_of(self, signature: Signature) -> OrderId:
        return self.ledger.entries[signature].order_id

    async def sleep(self, duration: timedelta) -> None:
        """Sleeping is being stopped: the explorer moves the clock."""
        await at_gate(Call(port="sleep", order_id=OrderId(UUID(int=0))))

    async def sign(self, order_id: OrderId, attempt: int, plan: TransactionPlan) -> SignedTransaction:
        fate = await at_gate(Call(port="sign", order_id=order_id, attempt=attempt))
        if fate is Fate.IS_LOST:
            raise ChainUnavailable("no blockhash")
        return self.ledger.sign(order_id, attempt, self.random.randrange(len(self.ledger.lags)))

    async def send(self, transaction: SignedTransaction) -> None:
        entry = self.ledger.entries[transaction.signature]
        fate = await at_gate(Call(port="send", order_id=entry.order_id, attempt=entry.attempt))
        if fate is Fate.HAPPENS:
            self.broadcast(transaction)

    def broadcast(self, transaction: SignedTransaction) -> None:
        self.ledger.entries[transaction.signature].is_sent = True

    async def sightings(self, signature: Signature) -> Sequence[Sighting]:
        if self.random.random() < _UNREACHABLE:
            raise ChainUnavailable("no endpoint answers")
        sightings = []
        for endpoint in range(len(ENDPOINTS)):
            if self.random.random() >= _SILENT:
                sightings.append(await self.look(endpoint, signature))
        return sightings

    async def look(self, endpoint: int, signature: Signature) -> Sighting:
        """Height first, then find; one endpoint may have another node answer each."""
        where = Call(port="look", order_id=self.order_of(signature))
        await at_gate(where)
        height = self.ledger.finalized(self.random.choice(ENDPOINTS[endpoint]))
        await at_gate(where)
        return self.ledger.sighting(endpoint, height, self.random.choice(ENDPOINTS[endpoint]), signature)


async def _nothing() -> None:
    return None
