"""The workers and the callers of CancelOrder: who has an order in hand, who dies, who goes on."""

from collections import Counter
from random import Random
from typing import Final, Protocol
from uuid import UUID

from order_engine.domain.errors import Unavailable
from order_engine.domain.order import LOCAL_OWNER, OrderId
from order_engine.usecases.cancel_order import Cancellation
from order_engine.usecases.sweep_orders import SweepOrders
from tests.model.oracle.abstraction import Abstraction
from tests.model.oracle.gate import Actor, Call, Fate
from tests.model.oracle.judge import Judge, Wrong
from tests.model.oracle.stage import Stage
from tests.model.oracle.tally import met

CLIENTS_AT_ONCE: Final = 2
_LOSABLE: Final = ("start", "take_over", "reload", "append", "get", "live_transaction", "sign", "send")


class NextAnswers(Protocol):
    def __call__(self, *, is_quiet: bool) -> None:
        """Decide what the next step meets."""
        ...


class Cast:
    def __init__(
        self,
        random: Random,
        stage: Stage,
        abstraction: Abstraction,
        judge: Judge,
        set_the_next_answers: NextAnswers,
    ) -> None:
        self.random = random
        self.set_the_next_answers = set_the_next_answers
        self.stage = stage
        self.abstraction = abstraction
        self.judge = judge
        self.workers = abstraction.workers
        self.claim_ids: dict[Actor, UUID] = {}
        self.clients: list[Actor] = []
        self.history: list[str] = []
        self.seen: Counter[str] = Counter()
        self.is_quiet = False  # no more faults
        self.losses = 0.0  # how many of the calls
        self.is_poisoned = False  # whoever would sign dies

    def note(self, text: str) -> None:
        if text:
            self.history.append(text)

    async def let_someone_go_on(self) -> str:
        actors = self._actors()
        if actors:
            await self._go_on(self.random.choice(actors))
        return ""

    async def everyone_goes_on(self) -> None:
        for actor in self._actors():
            await self._go_on(actor)

    async def hint_anything(self) -> str:
        """A hint may be a duplicate, or of an order that needs none."""
        return await self._hint(self.random.choice(self.abstraction.order_ids))

    async def sweep(self) -> str:
        """Carry out the real sweep. Its hints may be lost."""
        hints = Hints()
        await SweepOrders(claims=self.stage.claims, queue=hints)(at_most=len(self.workers))
        texts = [await self._hint(order_id) for order_id in hints.order_ids if self._is_lucky()]
        return ", ".join(["sweep", *filter(None, texts)])

    async def crash(self) -> str:
        busy = [actor for actor in self.workers if actor]
        if not busy:
            return ""
        victim = self.random.choice(busy)
        await self._remove(victim)
        return f"{victim.name} crashes"

    async def drain(self) -> str:
        """A worker stops in order: it gives its claims back."""
        busy = [actor for actor in self.workers if actor]
        if not busy:
            return ""
        leaver = self.random.choice(busy)
        claim_id = self.claim_ids[leaver]
        await self._remove(leaver)
        await self.stage.claims.release([claim_id])
        return f"{leaver.name} drains"

    async def cancel(self) -> str:
        if len(self.clients) == CLIENTS_AT_ONCE:
            return ""
        order_id = self.random.choice(self.abstraction.order_ids)
        client = Actor("cancel", lambda: self.stage.cancel_order()(order_id, LOCAL_OWNER))
        self.clients.append(client)
        await client.settle()
        return f"CancelOrder of {_short(order_id)}"

    async def renew_all(self) -> None:
        await self.stage.claims.renew(list(self.claim_ids.values()))

    async def renew_some(self) -> None:
        await self.stage.claims.renew([one for one in self.claim_ids.values() if self._is_lucky()])

    async def dismiss(self) -> None:
        for actor in self._actors():
            await self._remove(actor)

    def _actors(self) -> list[Actor]:
        return [*filter(None, self.workers), *self.clients]

    def _is_lucky(self) -> bool:
        return self.is_quiet or self.random.random() < 1 / 2

    async def _hint(self, order_id: OrderId) -> str:
        """An idle worker takes the hint; one that has the order in hand does not take it twice."""
        idle = [number for number, actor in enumerate(self.workers) if actor is None]
        if not idle:
            return ""
        number = self.random.choice(idle)
        claim_id = self.stage.identifiers.claim_id()
        self.abstraction.claims[claim_id] = number
        worker = Actor(f"W{number + 1}", lambda: self.stage.execute_order()(order_id, claim_id))
        self.workers[number] = worker
        self.claim_ids[worker] = claim_id
        await worker.settle()
        return f"{worker.name} takes a hint of {_short(order_id)}"

    async def _go_on(self, actor: Actor) -> None:
        call = actor.call
        if call is None:
            return
        if call.port == "sign" and self.is_poisoned:
            await self._remove(actor)
            self.note(f"{actor.name} dies of {_short(call.order_id)}")
            return
        before = self.judge.before(actor, call)
        self.set_the_next_answers(is_quiet=self.is_quiet)
        fate = self._fate(call)
        self.note(f"{actor.name} {_describe(call)}{'' if fate is Fate.HAPPENS else f': {fate.name}'}")
        await self._pass(actor, call, fate)
        self.judge.after(actor, call, before)
        if actor.task.done():
            self._end(actor)

    async def _pass(self, actor: Actor, call: Call, fate: Fate) -> None:
        record = self.stage.store.records.get(call.order_id)
        if record is None:  # sleeping concerns no order
            await actor.go_on(fate)
            return
        sequence, owner = record.order.sequence, f"W{1 + self.abstraction.claims.get(record.claimed_by, -1)}"
        await actor.go_on(fate)
        self.seen.update(met(actor, call, record, sequence, owner))
        if call.fact and fate is Fate.HAPPENS and record.order.sequence == sequence:
            self.seen[f"{type(call.fact).__name__} refused"] += 1

    def _fate(self, call: Call) -> Fate:
        if self.is_quiet or call.port not in _LOSABLE or self.random.random() >= self.losses:
            return Fate.HAPPENS
        return self.random.choice([Fate.IS_LOST, Fate.ANSWER_IS_LOST])

    def _end(self, actor: Actor) -> None:
        error = actor.task.exception()
        self._forget(actor)
        if error is not None and not isinstance(error, Unavailable):
            raise Wrong(f"{actor.name} fails with {error!r}")
        if error is None:
            answer = actor.task.result()
            if isinstance(answer, Cancellation):
                self.seen[f"answered {answer.verdict}"] += 1
                self.note(f"cancel is answered {answer.verdict}")
            self.judge.answered(answer)

    async def _remove(self, actor: Actor) -> None:
        await actor.die()
        self._forget(actor)

    def _forget(self, actor: Actor) -> None:
        self.claim_ids.pop(actor, None)
        if actor in self.clients:
            self.clients.remove(actor)
        else:
            self.workers[self.workers.index(actor)] = None


class Hints:
    """The TaskQueue port: what the sweep would hint."""

    def __init__(self) -> None:
        self.order_ids: list[OrderId] = []

    def hint(self, order_id: OrderId) -> None:
        self.order_ids.append(order_id)


def _short(order_id: OrderId) -> str:
    return str(order_id)[-2:]


def _describe(call: Call) -> str:
    what = type(call.fact).__name__ if call.fact else f"attempt {call.attempt}" if call.attempt else ""
    version = f"at {call.order.sequence}" if call.order else ""
    return " ".join(part for part in (call.port, _short(call.order_id), what, version) if part)
