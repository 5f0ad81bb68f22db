"""What can be wrong with a database that answers: no room, no writes, and a clock that jumps."""

from datetime import timedelta
from typing import Final

import psycopg

_WRITTEN: Final = ("orders", "order_events", "attempts")
_NO_ROOM: Final = """
    CREATE OR REPLACE FUNCTION public.no_room() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
    END $$
"""
_CLOCK: Final = (  # found before those of pg_catalog by every statement that names no schema
    "CREATE SCHEMA faults",
    "CREATE TABLE faults.clock (shift interval NOT NULL)",
    "INSERT INTO faults.clock VALUES ('0')",
    """CREATE FUNCTION faults.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
        'SELECT pg_catalog.clock_timestamp() + shift FROM faults.clock'""",
    """CREATE FUNCTION faults.now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
        'SELECT pg_catalog.now() + shift FROM faults.clock'""",
)
_FIND_IN: Final = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {path}', current_database()); END $$"
_END_ALL: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_SECONDS: Final = 5


async def full_disk(url: str, *, full: bool) -> None:
    """Refuse every write of orders as a full disk does, or let them be written again."""
    statements = [f"DROP TRIGGER IF EXISTS no_room ON {table}" for table in _WRITTEN]
    if full:
        create = "CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION no_room()"
        statements = [_NO_ROOM, *statements, *(create.format(table) for table in _WRITTEN)]
    await _run(url, *statements)


async def read_only(url: str, *, on: bool) -> None:
    """Refuse every write as a standby does, or take them again."""
    change = "SET default_transaction_read_only = on" if on else "RESET default_transaction_read_only"
    await _run(url, f"ALTER SYSTEM {change}", "SELECT pg_reload_conf()")


async def bend_clock(url: str) -> None:
    """Let the clock of every connection from now on be one that `shift_clock` moves, and end all that there are."""
    await _run(url, *_CLOCK, _FIND_IN.format(path="SET search_path = faults, pg_catalog, public"), _END_ALL)


async def unbend_clock(url: str) -> None:
    await _run(url, _FIND_IN.format(path="RESET search_path"), _END_ALL, "DROP SCHEMA faults CASCADE")


async def shift_clock(url: str, shift: timedelta) -> None:
    """Set how far the clock is from the right time."""
    await _run(url, f"UPDATE faults.clock SET shift = interval '{shift.total_seconds()} s'")  # noqa: S608 - ours


async def _run(url: str, *statements: str) -> None:
    async with await psycopg.AsyncConnection.connect(
        url, autocommit=True, connect_timeout=_SECONDS, options="-c default_transaction_read_only=off"
    ) as connection:
        for statement in statements:
            await connection.execute(statement.encode())
