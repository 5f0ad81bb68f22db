"""`doctor`: all checks, as a table that ends with what to do, or as JSON."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict

import orjson
from rich.table import Table
from rich.text import Text

from order_engine.cli.client import Output
from order_engine.cli.doctor import machine
from order_engine.cli.doctor.chain import check_chain
from order_engine.cli.doctor.database import check_database
from order_engine.cli.doctor.examination import Check, Subject, Verdict
from order_engine.cli.doctor.redis import check_redis
from order_engine.cli.doctor.servers import answers_as_papernet, check_grpc, check_http
from order_engine.cli.exits import DONE, FAILED

_MARKS = {Verdict.GOOD: ("✓", "green"), Verdict.BAD: ("✗", "bold red"), Verdict.IDLE: ("·", "dim")}
_NAME_COLUMNS = 17


def report(subject: Subject, *, json: bool) -> int:
    """Print every check; return 0 when none is bad."""
    checks = asyncio.run(examine(subject))
    faults = [check for check in checks if check.verdict is Verdict.BAD]
    if json:
        answer = {"ok": not faults, "checks": [asdict(check) for check in checks]}
        sys.stdout.write(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _print(checks, faults)
    return FAILED if faults else DONE


async def examine(subject: Subject) -> Sequence[Check]:
    """Return every check, in the order in which faults should be mended."""
    database, redis, chain, grpc_door, http_door, papernet = await asyncio.gather(
        check_database(subject),
        check_redis(subject),
        check_chain(subject),
        check_grpc(subject),
        check_http(subject),
        answers_as_papernet(subject.papernet.port, subject.timeout_seconds),
    )
    settings, answering = subject.settings, set()
    if grpc_door.verdict is Verdict.GOOD or subject.is_up:
        answering.add(settings.grpc_port)
    if http_door.verdict is Verdict.GOOD or subject.is_up:
        answering.add(settings.port)
    if papernet:
        answering.add(subject.papernet.port)
    return [
        machine.check_python(),
        machine.check_packages(),
        machine.check_embedded_servers(subject),
        machine.check_state_dir(subject),
        machine.check_wallet(subject),
        *database,
        *redis,
        *chain,
        grpc_door,
        http_door,
        *machine.check_ports(subject, frozenset(answering)),
    ]


def _print(checks: Sequence[Check], faults: Sequence[Check]) -> None:
    output = Output.to_stdout(json=False)
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(width=_NAME_COLUMNS, no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        mark, style = _MARKS[check.verdict]
        found = Text(check.found, style="dim" if check.verdict is Verdict.IDLE else "")
        if check.mend:
            found.append(f"\n→ {check.mend}", style="yellow")
        table.add_row(Text(mark, style=style), check.name, found)
    output.show(table)
    if faults:
        count = "1 check" if len(faults) == 1 else f"{len(faults)} checks"
        output.show(f"\n[bold red]{count} did not hold[/]: mend the first, then ask again")
    else:
        output.show("\n[green]all good[/]")
