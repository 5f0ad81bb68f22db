"""The whole engine's metrics say what happened: scraped from every process, summed, and compared."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.live import LiveEngine, live_engine, statuses, submit, watch

ORDERS, DUST = 5, 2
WORKERS = ("worker-1", "worker-2")
STREAMS = "order_engine.v1.OrderService/StreamOrderStatus"


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveEngine]:
    """An engine whose counters nobody else moves."""
    with live_engine(tmp_path_factory.mktemp("counting") / "state") as running:
        yield running


class Scraped:
    """Samples of some processes, summed."""

    def __init__(self, *texts: str) -> None:
        self._samples = [
            sample
            for text in texts
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith(("order_engine_", "process_"))
        ]

    def sum(self, name: str, **labels: str) -> float:
        """Sum the samples with this name and at least these labels."""
        return sum(
            one.value
            for one in self._samples
            if one.name == f"order_engine_{name}" and labels.items() <= one.labels.items()
        )

    def names(self) -> set[str]:
        return {one.name for one in self._samples}


async def scrape(engine: LiveEngine, *names: str) -> Scraped:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        answers = await asyncio.gather(*(http.get(engine.metrics_url(name)) for name in names))
    assert all(answer.status_code == 200 for answer in answers)
    return Scraped(*(answer.text for answer in answers))


def recorded(engine: LiveEngine) -> dict[tuple[str, str], int]:
    """Return how many events the database holds, by status and kind."""
    with psycopg.connect(engine.database_url.replace("+psycopg", "")) as connection:
        rows = connection.execute("SELECT status, kind, count(*) FROM order_events GROUP BY 1, 2").fetchall()
    return {(status, kind): count for status, kind, count in rows}


def snake(kind: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind).removeprefix("_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Some orders, executed to their end, and what was scraped afterwards."""

    ends: list[str]
    events: dict[tuple[str, str], int]  # in the database, by status and kind
    api: Scraped
    gateway: Scraped
    workers: Scraped
    papernet: Scraped


async def happen(engine: LiveEngine) -> Happened:
    async with engine.orders() as orders, httpx.AsyncClient(trust_env=False) as http:
        ids = [await submit(orders) for _ in range(ORDERS)] + [await submit(orders, amount_in=1) for _ in range(DUST)]
        lives = await asyncio.gather(*(watch(orders, order_id) for order_id in ids))
        for order_id in ids:
            assert (await http.get(f"{engine.http}/v1/orders/{order_id}")).status_code == 200
    return Happened(
        ends=[statuses(life)[-1] for life in lives],
        events=recorded(engine),
        api=await scrape(engine, "api"),
        gateway=await scrape(engine, "gateway"),
        workers=await scrape(engine, *WORKERS),
        papernet=await scrape(engine, "papernet"),
    )


@pytest.fixture(scope="module")
def happened(counting: LiveEngine) -> Happened:
    happened = asyncio.run(happen(counting))
    assert sorted(happened.ends) == ["confirmed"] * ORDERS + ["failed"] * DUST
    return happened


def test_every_event_in_the_database_was_counted_once(happened: Happened) -> None:
    counted = {
        (status, kind): sum(
            one.sum("order_events_total", status=status, fact=snake(kind)) for one in (happened.api, happened.workers)
        )
        for status, kind in happened.events
    }
    assert counted == happened.events
    assert happened.workers.sum("order_events_total") == sum(happened.events.values()) - ORDERS - DUST
    assert happened.workers.sum("order_events_total", reason="AMOUNT_TOO_SMALL") == DUST


def test_ends_attempts_and_times_are_observed_for_every_order(happened: Happened) -> None:
    workers = happened.workers
    assert workers.sum("order_duration_seconds_count", status="confirmed") == ORDERS
    assert workers.sum("order_duration_seconds_count", status="failed") == DUST
    assert workers.sum("order_attempts_count") == ORDERS + DUST
    for status in ("pending", "routing", "building", "submitted"):
        assert workers.sum("order_status_seconds_sum", status=status) > 0, status
    assert workers.sum("order_status_seconds_count", status="submitted") >= ORDERS


def test_venues_claims_and_the_chain_are_counted_by_the_workers(happened: Happened) -> None:
    workers, events = happened.workers, happened.events
    assert workers.sum("venue_wins_total") == events["building", "RouteChosen"]
    assert workers.sum("venue_quotes_total", outcome="AMOUNT_TOO_SMALL") >= DUST
    assert workers.sum("claims_total", outcome="started") == events["routing", "AttemptStarted"]
    assert workers.sum("solana_rpc_seconds_count", method="sendTransaction", outcome="ok") >= ORDERS
    assert workers.sum("sweeps_total", outcome="ok") > 0
    assert workers.sum("database_statement_seconds_count", statement="update orders") > 0


def test_rpcs_hints_and_the_backlog_are_the_apis(happened: Happened) -> None:
    api = happened.api
    assert api.sum("rpcs_total", method="order_engine.v1.OrderService/SubmitOrder", code="OK") == ORDERS + DUST
    assert api.sum("rpcs_total", method=STREAMS, code="OK") == ORDERS + DUST
    assert api.sum("hints_sent_total") == ORDERS + DUST
    assert (api.sum("orders_pending"), api.sum("orders_in_flight"), api.sum("queue_age_seconds")) == (0, 0, 0)


def test_requests_are_the_bridges_and_transactions_the_paper_networks(happened: Happened) -> None:
    asked = {"method": "GET", "route": "/v1/orders/{order_id}", "status": "200"}
    assert happened.gateway.sum("gateway_http_requests_total", **asked) == ORDERS + DUST
    assert happened.papernet.sum("papernet_transactions") >= ORDERS


def test_every_process_tells_its_own_use_of_the_machine(happened: Happened) -> None:
    for scraped in (happened.api, happened.gateway, happened.workers, happened.papernet):
        assert {"process_cpu_seconds_total", "process_resident_memory_bytes"} <= scraped.names()


async def test_open_streams_are_shown_while_they_are_open(counting: LiveEngine) -> None:
    async with counting.orders() as orders:
        order_id = await submit(orders)
        life = asyncio.create_task(watch(orders, order_id))
        while (await scrape(counting, "api")).sum("streams_open", method=STREAMS) != 1:
            assert not life.done(), "the stream ended before it was seen"
        await life
        assert (await scrape(counting, "api")).sum("streams_open", method=STREAMS) == 0
