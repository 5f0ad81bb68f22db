"""Lets workers, callers, chain and clock take steps in an order drawn from a seed, and judges each of them."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Final

from order_engine.domain.lifecycle import TERMINAL
from tests.model.config import Config
from tests.model.model import Model
from tests.model.oracle.abstraction import Abstraction
from tests.model.oracle.cast import Cast
from tests.model.oracle.judge import Judge, Wrong
from tests.model.oracle.nature import Nature
from tests.model.oracle.stage import Stage
from tests.unit.usecases.paper_world import LEASE, placed

STEPS: Final = 200
PATIENCE_ROUNDS: Final = 2_000  # of everybody, until all orders must have ended

# how often workers crash, leases pass, callers cancel, and how many calls are lost
_TEMPERS: Final = ((0.2, 2, 0.2, 0.08), (0.2, 2, 1.5, 0.08), (0.5, 1, 0, 0.08))
_POISONED: Final = 0.1  # how many explorations have orders that kill every worker that would sign

StageMaker = Callable[[Random, int], Stage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """What came of one seed: `history` is every step that was taken, `seen` counts what happened in it."""

    seed: int
    wrong: str | None
    history: list[str]
    seen: Counter[str]


async def explore(seed: int, make_stage: StageMaker = Stage) -> Exploration:
    """Explore from one seed; then stop the faults, and see every order end."""
    random = Random(seed)  # noqa: S311 a seed must give the same run again
    explorer = await _set_up(random, make_stage)
    wrong = None
    try:
        for _ in range(STEPS):
            await explorer.step()
        await explorer.come_to_rest()
    except Wrong as error:
        wrong = str(error)
    finally:
        await explorer.cast.dismiss()
    return Exploration(seed=seed, wrong=wrong, history=explorer.cast.history, seen=explorer.cast.seen)


async def _set_up(random: Random, make_stage: StageMaker) -> "Explorer":
    limit, workers, orders = random.choice([0, 1]), random.choice([2, 3]), random.choice([1, 1, 2])
    stage = make_stage(random, limit)
    order_ids = [(await placed(stage)).order_id for _ in range(orders)]
    attempts = max(record.order.max_attempts for record in stage.store.records.values())
    model = Model(Config(name="oracle", workers=workers, orders=orders, attempts=attempts, limit=limit))
    abstraction = Abstraction(model.layout, stage, order_ids)
    nature = Nature(random, stage)
    cast = Cast(random, stage, abstraction, Judge(model, abstraction), nature.set_the_next_answers)
    return Explorer(random, cast, nature)


class Explorer:
    def __init__(self, random: Random, cast: Cast, nature: Nature) -> None:
        self.random = random
        self.cast = cast
        self.nature = nature
        crashes, pauses, cancels, cast.losses = random.choice(_TEMPERS)
        cast.is_poisoned = random.random() < _POISONED
        moves: tuple[tuple[float, Callable[[], Awaitable[str]]], ...] = (
            (60, cast.let_someone_go_on),
            (8, cast.hint_anything),
            (4, cast.sweep),
            (crashes, cast.crash),
            (0.5, cast.drain),
            (cancels, cast.cancel),
            (3, self._renew),
            (pauses, self._pause),
            (5, _quietly(self.nature.land)),
            (4, _quietly(self.nature.settle_fork)),
            (3, _quietly(self.nature.grow)),
            (1, _quietly(self.nature.catch_up)),
        )
        self._weights = [weight for weight, _ in moves]
        self._moves = [move for _, move in moves]

    async def step(self) -> None:
        (move,) = self.random.choices(self._moves, self._weights)
        text = await move()
        if text:  # what an actor does was judged already
            self.cast.note(text)
            self.cast.judge.world_moved()

    async def come_to_rest(self) -> None:
        """No more faults: everybody goes on in turn, and every order ends.

        Raises:
            Wrong: also when an order does not.
        """
        self.cast.is_quiet = True
        for _ in range(PATIENCE_ROUNDS):
            if self._all_ended():
                return
            self.cast.note(self.nature.let_time_pass(timedelta(milliseconds=400)))
            await self.cast.renew_all()
            self.nature.come_to_rest()
            await self.cast.sweep()
            await self.cast.everyone_goes_on()
        raise Wrong("an order does not end, though the faults have")

    def _all_ended(self) -> bool:
        return not self.cast.clients and all(
            record.order.status in TERMINAL for record in self.cast.stage.store.records.values()
        )

    async def _renew(self) -> str:
        """A moment passes, and no holder is late."""
        await self.cast.renew_all()
        return self.nature.let_time_pass(timedelta(milliseconds=500))

    async def _pause(self) -> str:
        """A lease passes; some holders renewed theirs in time, the others may be paused or their news late."""
        text = self.nature.let_time_pass(LEASE / 2)
        await self.cast.renew_some()
        return f"{text}, some renew, {self.nature.let_time_pass(LEASE / 2)}"


def _quietly(move: Callable[[], str]) -> Callable[[], Awaitable[str]]:
    async def moved() -> str:
        return move()

    return moved
