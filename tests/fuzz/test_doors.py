"""Every public door of a running engine, fuzzed a little each time, the same way each time.

The tests share one engine; when they are done it must serve, execute, not have grown, and have logged no bug.
"""

from collections.abc import Iterator
from contextlib import closing

import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc  # type: ignore[import-untyped]

from gateway.routes import Rule
from protos.order_engine.v1 import order_service_pb2
from tests.e2e.live import live_engine
from tests.fuzz.aftermath import Patient, patient
from tests.fuzz.doors import SETTINGS
from tests.fuzz.fuzzing import Tally
from tests.fuzz.garbage import garbage_doors
from tests.fuzz.operations import Document, rules
from tests.fuzz.pages import Pages
from tests.fuzz.rpcs import Rpc, rpc_targets, rpcs

START = 1
EXAMPLES = 12


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    with live_engine(tmp_path_factory.mktemp("fuzzed") / "state", **SETTINGS) as engine, patient(engine) as one:
        yield one
        one.check()


@pytest.fixture(scope="module")
def document(fuzzed: Patient) -> Iterator[Document]:
    with closing(Document(fuzzed.engine.http)) as document:
        yield document


def test_every_rpc_is_an_operation_of_the_served_document(document: Document) -> None:
    services = order_service_pb2.DESCRIPTOR.services_by_name.values()
    declared = {method.full_name for service in services for method in service.methods}
    assert {rule.rpc.full_name for rule in rules().values()} == declared
    assert set(document.operations()) == set(rules())


def test_every_service_that_the_server_lists_is_fuzzed(fuzzed: Patient) -> None:
    ask = reflection_pb2.ServerReflectionRequest(list_services="*")
    replies = list(reflection_pb2_grpc.ServerReflectionStub(fuzzed.channel).ServerReflectionInfo(iter([ask])))
    listed = {service.name for service in replies[0].list_services_response.service}
    assert listed
    assert listed <= {rpc.service for rpc in rpcs()}


@pytest.mark.parametrize("rpc", rpcs(), ids=lambda rpc: rpc.path)
def test_an_rpc_answers_anything_with_a_documented_code(fuzzed: Patient, rpc: Rpc) -> None:
    for door in rpc_targets(fuzzed.channel, rpc, fuzzed.words):
        door.fuzz(Tally(), examples=EXAMPLES, start=START)


@pytest.mark.parametrize("rule", rules().values(), ids=lambda rule: f"{rule.http_method} {rule.path}")
def test_an_operation_answers_anything_as_its_document_says(fuzzed: Patient, document: Document, rule: Rule) -> None:
    for door in document.targets(rule, fuzzed.words):
        door.fuzz(Tally(), examples=EXAMPLES, start=START)


def test_pages_and_raw_bodies_are_never_the_servers_fault(fuzzed: Patient) -> None:
    tally = Tally()
    with closing(Pages(fuzzed.engine.http)) as pages:
        for door in pages.targets(fuzzed.words, list(rules().values())):
            door.fuzz(tally, examples=2 * EXAMPLES, start=START)
    assert set(tally.calls["http POST /api/orders/execute"]) >= {"201", "400"}, tally.table()


def test_garbage_on_a_bare_connection_ends_it(fuzzed: Patient) -> None:
    tally = Tally()
    for door in garbage_doors(fuzzed.engine.http_port, fuzzed.engine.grpc_port, fuzzed.words):
        door.fuzz(tally, examples=EXAMPLES, start=START)
    assert "101" in tally.calls["http connection websockets"], tally.table()
