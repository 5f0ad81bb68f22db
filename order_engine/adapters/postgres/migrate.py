"""Brings a database to the schema this version needs."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from order_engine.adapters.postgres.database import database_url

_LOCK: Final = 0x6F72646572  # any number that is ours alone


def migrate(url: str) -> None:
    """Run every migration that is missing, in one transaction. Concurrent callers wait for each other."""
    engine = create_engine(database_url(url), connect_args={"connect_timeout": 3, "prepare_threshold": None})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
