"""One way to fuzz any door: examples from a strategy, an answer to each, and a count of what was answered."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

_SHOWN: Final = 4_000  # characters of an example
_INTERNALS: Final = ("Traceback", "object at 0x", "psycopg", "sqlalchemy", "asyncio.", "site-packages")


@dataclass(frozen=True, slots=True)
class Target(Generic[T]):
    """A door, and what is said to it. `ask` returns a short word for the answer.

    `ask` raises AssertionError for an answer that nobody may get.
    """

    name: str
    examples: SearchStrategy[T]
    ask: Callable[[T], str]
    shown: Callable[[T], str] = repr
    may_be_empty: bool = False  # the strategy may find nothing to say

    def fuzz(self, tally: "Tally", *, examples: int, start: int) -> None:
        """Ask so many times; `start` decides what.

        Raises:
            AssertionError: what the door answers to the smallest example that shows it, which its notes tell.
        """

        def ask(example: T) -> None:
            try:
                answer = self.ask(example)
            except Exception as error:
                error.add_note(f"{self.name}, start {start}: {self.shown(example)[:_SHOWN]}")
                raise
            tally.count(self.name, answer)

        bounded = settings(
            max_examples=examples,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )
        try:
            seed(start)(bounded(given(self.examples)(ask)))()
        except Unsatisfiable:
            if not self.may_be_empty:
                raise
            tally.count(self.name, "nothing-to-say")


class Door(Protocol):
    """A Target, whatever its examples are."""

    @property
    def name(self) -> str: ...

    def fuzz(self, tally: "Tally", *, examples: int, start: int) -> None: ...


@dataclass(slots=True)
class Tally:
    calls: dict[str, Counter[str]] = field(default_factory=dict)

    def count(self, name: str, answer: str) -> None:
        self.calls.setdefault(name, Counter())[answer] += 1

    @property
    def total(self) -> int:
        return sum(counter.total() for counter in self.calls.values())

    def table(self) -> str:
        """Return one line for each operation: calls, and how many had which answer."""
        width = max((len(name) for name in self.calls), default=0)
        lines = [
            f"{name:{width}} {counter.total():7}  " + " ".join(f"{word}:{many}" for word, many in counter.most_common())
            for name, counter in sorted(self.calls.items())
        ]
        return "\n".join([f"{'operation':{width}} {'calls':>7}  answers", *lines])


def no_internals(text: str) -> None:
    """Check that an answer tells nothing of how we are made."""
    assert not [word for word in _INTERNALS if word in text], text
