"""The engine's state table and guards are those of the protocol's model, fact by fact: see tests/model."""

import importlib
import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final, get_args

import pytest
from solders.signature import Signature

from order_engine.domain.errors import IllegalTransition, StaleOrder
from order_engine.domain.lifecycle import TERMINAL, TRANSITIONS
from order_engine.domain.order import (
    AttemptFailed,
    AttemptStarted,
    CancelRequested,
    Fact,
    Failure,
    OrderCancelled,
    OrderFailed,
    OrderPlaced,
    OrderStatus,
    ResolvedTransaction,
    RouteChosen,
    TransactionConfirmed,
    TransactionOutcome,
    TransactionSigned,
)
from tests.model import at, words
from tests.model.config import Config
from tests.model.layout import Layout
from tests.model.store import Store
from tests.unit.usecases.paper_world import World, executor, placed

# Every fact has its name in the model; a new one must be given one here, and a place in the model.
NAMES: Final[dict[type[Fact], str]] = {
    OrderPlaced: words.PLACED,
    AttemptStarted: words.STARTED,
    RouteChosen: words.ROUTED,
    TransactionSigned: words.SIGNED,
    TransactionConfirmed: words.LANDED,
    AttemptFailed: words.ATTEMPT_FAILED,
    OrderFailed: words.ORDER_FAILED,
    CancelRequested: words.CANCEL_REQUESTED,
    OrderCancelled: words.ORDER_CANCELLED,
}
RESERVED: Final = {OrderStatus.EXPIRED}  # no fact leads there yet
LIVE, OTHER, NONE = "the live transaction", "another transaction", "no transaction"
UNKNOWN: Final = Signature(bytes([9] * 64))
RECORDS: Final = {words.SIGNED: words.LIVE, words.LANDED: words.SUCCEEDED}  # what becomes of a signature, else dead
REFUSED_BY_GUARDS: Final = {
    # a fact about a transaction names the live one, and only an attempt's own outcome leaves SUBMITTED
    ("submitted", words.LANDED, OTHER),
    ("submitted", words.ATTEMPT_FAILED, OTHER),
    ("submitted", words.ATTEMPT_FAILED, NONE),
    ("submitted", words.ORDER_FAILED, OTHER),
    ("submitted", words.ORDER_FAILED, NONE),
    ("submitted", words.ORDER_CANCELLED, OTHER),
    # before anything is signed there is nothing to name
    ("routing", words.ATTEMPT_FAILED, OTHER),
    ("routing", words.ORDER_FAILED, OTHER),
    ("building", words.ATTEMPT_FAILED, OTHER),
    ("building", words.ORDER_FAILED, OTHER),
}


def status_in_model(status: OrderStatus) -> int:
    return words.STATUSES.index(status.name)


def test_engine_and_model_know_the_same_facts() -> None:
    assert set(NAMES) == set(get_args(Fact))
    assert {fact for _, fact in words.LEGAL} == set(NAMES.values())
    assert {fact.__name__: name for fact, name in NAMES.items()} == {name: name for name in NAMES.values()}


def test_engine_and_model_know_the_same_statuses() -> None:
    assert {status.name for status in set(OrderStatus) - RESERVED} | {"ABSENT"} == set(words.STATUSES)
    assert {status_in_model(status) for status in TERMINAL - RESERVED} == set(words.TERMINAL)
    assert not RESERVED & {status for (source, _), target in TRANSITIONS.items() for status in (source, target)}


def test_the_state_table_is_the_models() -> None:
    engine = {
        (status_in_model(source), NAMES[fact]): status_in_model(target)
        for (source, fact), target in TRANSITIONS.items()
    }
    assert {(words.ABSENT, words.PLACED): words.PENDING} | engine == words.LEGAL


def test_the_databases_table_is_the_models() -> None:
    migration = importlib.import_module("order_engine.adapters.postgres.migrations.versions.0002_guards")
    database = {
        (words.STATUSES.index(source.upper()), fact): words.STATUSES.index(target.upper())
        for source, fact, target in migration.TRANSITIONS
    }
    assert {(words.ABSENT, words.PLACED): words.PENDING} | database == words.LEGAL


@pytest.fixture
async def lived() -> World:
    """A world whose one order went all the way: its events show every version it had."""
    world = World()
    order = await placed(world)
    await executor(world)(order.order_id, world.identifiers.claim_id())
    return world


async def test_the_guards_refuse_beyond_the_table_what_the_models_guards_refuse(lived: World) -> None:
    refused = set()
    for status, (fact, named) in itertools.product(set(OrderStatus) - RESERVED - TERMINAL, facts(lived)):
        is_live = status is OrderStatus.SUBMITTED
        if (status, type(fact)) not in TRANSITIONS or (named == LIVE and not is_live):
            continue
        is_admitted = await engine_admits(lived, status, fact)
        assert is_admitted == model_admits(status, fact, named), (status, fact)
        if not is_admitted:
            refused.add((status.value, NAMES[type(fact)], named))
    assert refused == REFUSED_BY_GUARDS


def facts(lived: World) -> Iterator[tuple[Fact, str]]:
    """Yield every fact; one that may name a transaction in each way that it can."""
    for event in lived.events:
        if isinstance(event.fact, TransactionConfirmed):
            yield event.fact, LIVE
            yield TransactionConfirmed(replace(event.fact.fill, signature=UNKNOWN)), OTHER
        else:
            yield event.fact, NONE
    yield CancelRequested(), NONE
    failure = Failure("SLIPPAGE_EXCEEDED", "less than min_amount_out")
    for named, signature in ((LIVE, next(iter(lived.landed))), (OTHER, UNKNOWN), (NONE, None)):
        end = ResolvedTransaction(signature=signature, outcome=TransactionOutcome.DEAD) if signature else None
        yield AttemptFailed(failure=failure, retry_after=timedelta(seconds=1), transaction=end), named
        yield OrderFailed(failure=failure, transaction=end), named
        if end:
            yield OrderCancelled(end), named


async def engine_admits(lived: World, status: OrderStatus, fact: Fact) -> bool:
    """Bring an order to a status by the facts of the one that lived, then append the fact."""
    world = World()
    order = await placed(world)
    for event in lived.events:
        if order.status is status:
            break
        order, _ = await world.store.append(order, event.fact, world.identifiers.event_id())
    try:
        await world.store.append(order, fact, world.identifiers.event_id())
    except (IllegalTransition, StaleOrder):
        return False
    return True


def model_admits(status: OrderStatus, fact: Fact, named: str) -> bool:
    layout = Layout(Config(name="guards", workers=1))
    state, order = bytearray(layout.initial()), layout.orders[0]
    old = state[order + at.STATUS] = status_in_model(status)
    state[order + at.ATTEMPT] = 1
    if status is OrderStatus.SUBMITTED:
        state[layout.signature(order, 1) + at.RECORD] = words.LIVE
    name = NAMES[type(fact)]
    record = RECORDS.get(name, words.UNRECORDED if named == NONE else words.DEAD)
    attempt = 2 if named == OTHER else 1
    return Store(layout).append(state, order, 1, name, words.LEGAL[old, name], attempt, record)
