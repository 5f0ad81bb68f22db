"""A worker: takes a hint, starts or takes over, routes, builds, signs, records, sends, and looks until it is certain.

Between any two of its steps every other process may run: pauses, stale reads and zombies are simply interleavings. An
ambiguous COMMIT is a success or a crash, and a lost message a send that sets nothing, so neither has a step of its own.
"""

from collections.abc import Callable, Iterator

from tests.model import at, words
from tests.model.building import Building
from tests.model.claiming import Claiming
from tests.model.hands import Hands, Job
from tests.model.layout import Layout, Step
from tests.model.looking import Looking
from tests.model.store import Store


class Worker(Hands):
    def __init__(self, layout: Layout, store: Store, number: int) -> None:
        super().__init__(layout, store, number)
        self._claiming = Claiming(layout, store, number)
        building, looking = Building(layout, store, number), Looking(layout, store, number)
        self._doing: dict[int, Callable[[bytes, Job], Iterator[Step]]] = {
            words.START: self._claiming.start,
            words.ROUTE: building.route,
            words.BUILD: building.build,
            words.RECORD_BYTES: building.record,
            words.SEND: building.send,
            words.LOOP: looking.look,
            words.HEIGHT: looking.height_at_last,
            words.FIND_FIRST: looking.find,
            words.FIND_SECOND: looking.find,
            words.APPEND: looking.append,
            words.RELOAD: self._reload,
        }

    def steps(self, now: bytes) -> Iterator[Step]:
        doing = now[self.at + at.STEP]
        if doing == words.IDLE:
            yield from self._claiming.take_hint(now)
            return
        job = self.job(now)
        if self.config.faults:
            new = bytearray(now)
            self.clear(new)
            yield Step(self.name, "crashes, restarts", None, True, new)
        if self.owns(now, job.order) and now[job.order + at.LEASE_PASSED]:
            new = bytearray(now)
            new[job.order + at.LEASE_PASSED] = 0
            yield self.step("renews its passed lease (nobody took over)", new)
        yield from self._doing[doing](now, job)

    def _reload(self, now: bytes, job: Job) -> Iterator[Step]:
        new = bytearray(now)
        self.resume(new, job.order)
        yield self.step("reloads, decides again", new)
