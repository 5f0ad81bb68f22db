"""Brings a database to the schema this version needs."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from order_engine.adapters.postgres.database import database_url
from order_engine.domain.errors import Unavailable

_LOCK: Final = 0x6F72646572  # any number that is ours alone


def migrate(url: str) -> None:
    """Run every migration that is missing, in one transaction. Concurrent callers wait for each other.

    Raises:
        Unavailable: the database cannot be reached or used; the message says why, without the password.
    """
    engine = create_engine(database_url(url), connect_args={"connect_timeout": 3, "prepare_threshold": None})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as error:
        where = f"{engine.url.host or 'the local socket'}:{engine.url.port or 5432}/{engine.url.database}"
        raise Unavailable(f"DATABASE_URL: cannot use {where}: {_reason(error)}") from error
    finally:
        engine.dispose()


def _reason(error: SQLAlchemyError) -> str:
    """Return the driver's own words, in one line; they hold no secret."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(cause).split())
