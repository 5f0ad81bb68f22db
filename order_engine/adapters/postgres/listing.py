"""The query behind a page of orders: only the conditions that are asked for, so that an index fits each."""

from dataclasses import dataclass
from typing import Final

import orjson
from sqlalchemy import TextClause, text

from order_engine.usecases.ports import OrderFilter, PageKey

_ALL: Final = "FROM orders o"
# Read newest first. It holds every venue that an order ever routed through: the latest route decides.
_BY_VENUE: Final = "FROM order_venues key JOIN orders o USING (order_id)"


@dataclass(frozen=True, slots=True)
class ListQuery:
    statement: TextClause
    parameters: dict[str, object]


def list_query(wanted: OrderFilter, at_most: int, after: PageKey | None) -> ListQuery:
    key = "o" if wanted.venue is None else "key"
    found: dict[str, dict[str, object]] = {
        f"{key}.owner = :owner": {"owner": wanted.owner},
        **_optional("o.status = :status", status=wanted.status and wanted.status.value),
        **_optional("o.token_in = :token_in", token_in=wanted.token_in and str(wanted.token_in)),
        **_optional("o.token_out = :token_out", token_out=wanted.token_out and str(wanted.token_out)),
        **_optional(
            "o.client_order_id = :client_order_id AND o.client_order_id <> ''", client_order_id=wanted.client_order_id
        ),
        **_optional("key.venue = :venue", venue=wanted.venue),
        **_optional("o.route -> 'legs' @> CAST(:leg AS jsonb)", leg=wanted.venue and _leg(wanted.venue)),
        **_optional(f"{key}.create_time > :since", since=wanted.create_time_after),
        **_optional(f"{key}.create_time < :until", until=wanted.create_time_before),
    }
    if after is not None:
        behind = f"({key}.create_time, {key}.order_id) < (:after_time, :after_id)"
        found[behind] = {"after_time": after.create_time, "after_id": after.order_id}
    parameters: dict[str, object] = {"at_most": at_most}
    for values in found.values():
        parameters |= values
    source = _ALL if wanted.venue is None else _BY_VENUE
    # Every fragment is one of the constants above; what callers say travels as parameters.
    statement = (
        f"SELECT o.* {source} WHERE {' AND '.join(found)} "
        f"ORDER BY {key}.create_time DESC, {key}.order_id DESC LIMIT :at_most"
    )
    return ListQuery(text(statement), parameters)


def _optional(condition: str, **values: object) -> dict[str, dict[str, object]]:
    """Return the condition, or nothing when its one value is not given."""
    return {} if None in values.values() else {condition: values}


def _leg(venue: str) -> str:
    return orjson.dumps([{"venue": venue}]).decode()
