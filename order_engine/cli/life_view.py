"""One order's life on a terminal, as plain lines, and as JSON."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from order_engine.cli.candidate_table import candidate_lines, candidate_table
from order_engine.cli.order_life import Step
from order_engine.cli.token_book import TokenBook
from protos.order_engine.v1 import order_service_pb2 as pb

Say = Callable[[str], None]

STATUS_STYLES: Final = {
    "pending": "default",
    "routing": "cyan",
    "building": "cyan",
    "submitted": "blue",
    "confirmed": "bold green",
    "failed": "bold red",
    "cancelled": "bold yellow",
    "expired": "bold yellow",
}
_WAITING_FOR: Final = {
    "pending": "waiting for a worker",
    "routing": "looking for the best way",
    "building": "building, simulating, signing",
    "submitted": "sent, waiting for the chain",
}
_REFRESH_PER_SECOND: Final = 10


class PlainView:
    """One line for each update, one for each candidate: for files, pipes and logs."""

    def __init__(self, order: pb.Order, tokens: TokenBook, say: Say) -> None:
        self._order, self._tokens, self._say = order, tokens, say

    def step(self, step: Step) -> None:
        self._say(plain(step))

    def candidates(self, candidates: list[pb.Candidate]) -> None:
        for line in candidate_lines(candidates, self._order, self._tokens):
            self._say(f"{'':24}{line}")

    def lost(self, after_sequence: int) -> None:
        self._say(f"  connection lost, resuming after update {after_sequence}")


def plain(step: Step) -> str:
    return f"  {step.seconds:7.3f} s  {step.status:<10} {'; '.join(step.facts)}".rstrip()


class TerminalView:
    """Updates stay on the screen as they come; the last line moves while something is awaited."""

    def __init__(self, order: pb.Order, tokens: TokenBook, console: Console) -> None:
        self._order, self._tokens, self._console = order, tokens, console
        self._awaited = ""
        self._since = time.monotonic()

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show what is awaited while the body runs."""
        spinner = Spinner("dots", style="cyan")
        with Live(
            console=self._console,
            transient=True,
            refresh_per_second=_REFRESH_PER_SECOND,
            get_renderable=lambda: self._waiting(spinner),
        ):
            yield

    def step(self, step: Step) -> None:
        self._console.print(step_row(step))
        self._await(_WAITING_FOR.get(step.status, ""))

    def candidates(self, candidates: list[pb.Candidate]) -> None:
        table = candidate_table(candidates, self._order, self._tokens, self._console.width, brief=True)
        self._console.print(Padding(table, (1, 0)))

    def lost(self, after_sequence: int) -> None:
        self._console.print(f"  [yellow]connection lost[/], resuming after update {after_sequence}")
        self._await("looking for the engine")

    def _await(self, what: str) -> None:
        self._awaited, self._since = what, time.monotonic()

    def _waiting(self, spinner: Spinner) -> Group:
        if not self._awaited:
            return Group()
        spinner.update(text=Text(f"{self._awaited} ({time.monotonic() - self._since:.1f} s)", style="dim"))
        return Group(Padding(spinner, (0, 0, 0, 2), expand=False))


def step_row(step: Step) -> Table:
    """Return the update as time, status, and facts below each other."""
    row = Table.grid(padding=(0, 1))
    row.add_column(justify="right", no_wrap=True, width=11, style="dim")
    row.add_column(no_wrap=True, width=10)
    row.add_column(overflow="fold")
    status = Text(step.status, style=STATUS_STYLES.get(step.status, ""))
    row.add_row(f"{step.seconds:.3f} s", status, Text("\n".join(step.facts)))
    return row
