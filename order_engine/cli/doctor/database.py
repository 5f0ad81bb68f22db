"""PostgreSQL: reachable, new enough, durable, with our schema, and by the same clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import ArgumentError

from order_engine.adapters.postgres import migrate
from order_engine.adapters.postgres.database import database_url
from order_engine.cli.doctor.examination import Check, Subject, bad, good, idle

OLDEST_SERVER: Final = 15
SKEW_AT_MOST: Final = timedelta(seconds=1)
_FACTS: Final = """
    SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_setting('fsync'),
           current_setting('synchronous_commit'), clock_timestamp(), to_regclass('alembic_version') IS NOT NULL
"""


async def check_database(subject: Subject) -> list[Check]:
    if not subject.database_url:
        return [idle("database", "DATABASE_URL is not set: `up` starts an embedded PostgreSQL")]
    try:
        url = database_url(subject.database_url).set(drivername="postgresql")
        where = f"{url.host}:{url.port or 5432}/{url.database}"
        connection = await psycopg.AsyncConnection.connect(
            url.render_as_string(hide_password=False), connect_timeout=max(1, round(subject.timeout_seconds))
        )
    except (ArgumentError, ValueError):
        return [bad("database", "DATABASE_URL is no URL", "write postgresql://USER:PASSWORD@HOST:5432/DATABASE")]
    except psycopg.Error as error:
        why = str(error).strip().partition("\n")[0]
        return [
            bad("database", f"{where}: {why}", "start PostgreSQL, or correct DATABASE_URL; unset it to use `up`'s own")
        ]
    async with connection:
        return await _examine(connection, where)


async def _examine(connection: psycopg.AsyncConnection[tuple[object, ...]], where: str) -> list[Check]:
    asked = datetime.now(UTC)
    row = await (await connection.execute(_FACTS)).fetchone()
    answered = datetime.now(UTC)
    match row:
        case (int(number), str(version), str(fsync), str(commit), datetime() as at, bool(migrated)):
            return [
                _version(number // 10_000, version, where),
                *_durability(fsync, commit),
                await _schema(connection, migrated=migrated),
                _clock(at, asked, answered),
            ]
        case _:
            return [bad("database", f"{where} does not answer as PostgreSQL does", "correct DATABASE_URL")]


def _version(major: int, version: str, where: str) -> Check:
    if major < OLDEST_SERVER:
        return bad("database", f"PostgreSQL {version} at {where}", f"upgrade to PostgreSQL {OLDEST_SERVER} or newer")
    return good("database", f"PostgreSQL {version.split()[0]} at {where}")


def _durability(fsync: str, commit: str) -> Iterator[Check]:
    found = f"fsync {fsync}, synchronous_commit {commit}"
    if fsync == "on" and commit != "off":
        yield good("durability", found)
    else:
        yield bad("durability", found, "set both on in postgresql.conf: else an accepted order can be lost")


async def _schema(connection: psycopg.AsyncConnection[tuple[object, ...]], *, migrated: bool) -> Check:
    head, current = _newest_revision(), ""
    if migrated:
        row = await (await connection.execute("SELECT version_num FROM alembic_version")).fetchone()
        current = str(row[0]) if row else ""
    if current == head:
        return good("schema", f"at {head}, the newest")
    known = f"at {current}, this version needs {head}" if current else "there is none yet"
    return bad("schema", known, "order-engine migrate")


def _newest_revision() -> str:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    return ScriptDirectory.from_config(config).get_current_head() or ""


def _clock(at: datetime, asked: datetime, answered: datetime) -> Check:
    """Compare with the middle of the question; half of its length is uncertain."""
    uncertain = (answered - asked) / 2
    skew = abs(at - (asked + uncertain))
    found = f"{skew.total_seconds() * 1000:.0f} ms apart from the database's"
    if skew - uncertain > SKEW_AT_MOST:
        return bad("clock", found, "let NTP set both clocks: timedatectl set-ntp true")
    return good("clock", found)
