"""How much waits and how much is worked on, at a cost that does not grow with the table.

Every part finds by an index only orders that are not over, and stops counting at a bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from order_engine.adapters.postgres.database import read

COUNTED_AT_MOST: Final = 10_000

# Ordered as the indexes are: whatever the statistics say, a scan of the whole table would have to sort it, too.
BACKLOG: Final = text("""
    WITH flight AS MATERIALIZED (
        SELECT status, claimed_until FROM orders WHERE status IN ('routing', 'building', 'submitted')
        ORDER BY claimed_by LIMIT :at_most
    ), waiting AS MATERIALIZED (
        SELECT next_attempt_at FROM orders WHERE status = 'pending'
        ORDER BY next_attempt_at, create_time, order_id LIMIT :at_most
    )
    SELECT
        (SELECT count(*) FROM waiting) AS pending,
        greatest(clock_timestamp() - (SELECT min(next_attempt_at) FROM waiting), interval '0') AS oldest_due,
        (SELECT count(*) FROM flight WHERE status = 'routing') AS routing,
        (SELECT count(*) FROM flight WHERE status = 'building') AS building,
        (SELECT count(*) FROM flight WHERE status = 'submitted') AS submitted,
        (SELECT count(*) FROM flight WHERE claimed_until <= clock_timestamp()) AS abandoned
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBacklog:
    """No count is above COUNTED_AT_MOST."""

    pending: int
    oldest_due: timedelta  # since the oldest due order fell due; 0 when none is due
    in_flight: Mapping[str, int]  # by status
    abandoned: int  # in flight, and the lease has passed


async def read_backlog(engine: AsyncEngine) -> OrderBacklog:
    """Read the backlog.

    Raises:
        Unavailable: there was no answer, or none in time.
    """
    (row,) = await read(engine, BACKLOG, at_most=COUNTED_AT_MOST)
    return OrderBacklog(
        pending=row["pending"],
        oldest_due=row["oldest_due"],
        in_flight={status: row[status] for status in ("routing", "building", "submitted")},
        abandoned=row["abandoned"],
    )
