"""The HTTP routes, read from the google.api.http options of the proto: it is the only place they are written."""

from collections.abc import Iterator
from dataclasses import dataclass

from google.api import annotations_pb2  # type: ignore[import-untyped]
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass


@dataclass(frozen=True, slots=True)
class Rule:
    """One RPC and the HTTP request that calls it."""

    http_method: str
    path: str  # a template: /v1/orders/{order_id}
    whole_body: bool  # else the request comes from path and query only
    rpc: MethodDescriptor

    @property
    def request(self) -> type[Message]:
        return GetMessageClass(self.rpc.input_type)

    @property
    def response(self) -> type[Message]:
        return GetMessageClass(self.rpc.output_type)

    @property
    def grpc_path(self) -> str:
        return f"/{self.rpc.full_name.rpartition('.')[0]}/{self.rpc.name}"


def rules_of(file: FileDescriptor) -> list[Rule]:
    """Return every rule of a proto file, the most specific first: {order_id}:explain also looks like an {order_id}."""
    return sorted(_declared(file), key=lambda rule: len(rule.path), reverse=True)


def _declared(file: FileDescriptor) -> Iterator[Rule]:
    for service in file.services_by_name.values():
        for rpc in service.methods:
            http = rpc.GetOptions().Extensions[annotations_pb2.http]
            verb: str | None = http.WhichOneof("pattern")
            if verb is not None:
                path: str = getattr(http, verb)
                yield Rule(verb.upper(), path, http.body == "*", rpc)
