"""Every public door of a running engine."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from tests.fuzz.aftermath import Patient
from tests.fuzz.fuzzing import Door
from tests.fuzz.garbage import garbage_doors
from tests.fuzz.operations import Document, rules
from tests.fuzz.pages import Pages
from tests.fuzz.rpcs import rpc_targets, rpcs

# No limit on how many orders are worked on: what is placed while fuzzing must not hold up what is placed after.
SETTINGS: Final = {"MAX_STARTS_PER_MINUTE": "0", "MAX_IN_FLIGHT": "0"}


@contextmanager
def doors_of(patient: Patient) -> Iterator[list[Door]]:
    engine, words, declared = patient.engine, patient.words, rules().values()
    with closing(Document(engine.http)) as document, closing(Pages(engine.http)) as pages:
        yield [
            *(door for rpc in rpcs() for door in rpc_targets(patient.channel, rpc, words)),
            *(door for rule in declared for door in document.targets(rule, words)),
            *pages.targets(words, list(declared)),
            *garbage_doors(engine.http_port, engine.grpc_port, words),
        ]
