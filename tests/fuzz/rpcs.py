"""Every RPC that the server serves, asked with anything, and what it may answer."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol, cast

import grpc
from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status  # type: ignore[import-untyped]
from hypothesis import strategies as st

from order_engine.api.reflection import V1_SERVICE_NAME
from order_engine.api.server import MESSAGE_BYTES_AT_MOST
from protos.order_engine.v1 import order_service_pb2
from tests.fuzz.fuzzing import Door, Target, no_internals
from tests.fuzz.messages import messages
from tests.fuzz.wire import raw_requests
from tests.fuzz.words import Words

Code = grpc.StatusCode

ANSWER_WITHIN_SECONDS: Final = 20.0  # the machine under test may be busy
_FOLLOW_SECONDS: Final = 0.1  # a stream that has said something is followed for so long
_AT_MOST: Final = 200  # messages of one stream
_FILES: Final[tuple[FileDescriptor, ...]] = (
    order_service_pb2.DESCRIPTOR,
    health_pb2.DESCRIPTOR,
    reflection_pb2.DESCRIPTOR,
)
# Nothing is down and nobody asks too often: no other code has a reason.
_DOCUMENTED: Final = {Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.ALREADY_EXISTS, Code.OUT_OF_RANGE, Code.ABORTED}


class _Call(Protocol):
    """What grpc gives for a stream: it is read, and says how it ended."""

    def __iter__(self) -> Iterator[bytes]: ...
    def cancel(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Rpc:
    """One method. `service` is its name on the wire, which for reflection is not that of its descriptor."""

    service: str
    method: MethodDescriptor

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.method.name}"

    @property
    def request(self) -> Descriptor:
        return self.method.input_type

    @property
    def reply(self) -> type[Message]:
        return GetMessageClass(self.method.output_type)


def rpcs() -> list[Rpc]:
    """Return every method of our services, of health, and of both versions of reflection."""
    found = [Rpc(service.full_name, method) for service, method in _methods(_FILES)]
    return found + [Rpc(V1_SERVICE_NAME, method) for _, method in _methods([reflection_pb2.DESCRIPTOR])]


def rpc_targets(channel: grpc.Channel, rpc: Rpc, words: Words) -> list[Door]:
    """Return the two ways to fuzz one method: with good messages of bad content, and with bad bytes."""
    careful = messages(rpc.request, replace(words, careful=True))
    good = st.one_of(careful, messages(rpc.request, words)).map(lambda message: message.SerializeToString())
    bad = raw_requests(rpc.request, words)
    most = 3 if rpc.method.client_streaming else 1

    def ask(requests: list[bytes]) -> str:
        return answer_of(channel, rpc, requests)

    return [
        Target(f"grpc {rpc.path[1:]} message", st.lists(good, min_size=1, max_size=most), ask),
        Target(f"grpc {rpc.path[1:]} bytes", st.lists(bad, min_size=1, max_size=most), ask),
    ]


def answer_of(channel: grpc.Channel, rpc: Rpc, requests: list[bytes]) -> str:
    """Ask, check the answer, and return its code, or OPEN for a stream that went on.

    Raises:
        AssertionError: the answer, or that there was none in time.
    """
    try:
        return _read(_asked(channel, rpc, requests), rpc.reply)
    except grpc.RpcError as error:
        check_refusal(error, max(len(one) for one in requests))
        return error.code().name


def check_refusal(error: grpc.RpcError, request_bytes: int) -> None:
    """Check that a refusal is one of the contract, with exactly one ErrorInfo, and tells no internals."""
    code, text = error.code(), error.details() or ""
    assert code is not Code.DEADLINE_EXCEEDED, f"no answer within {ANSWER_WITHIN_SECONDS:g} s"
    if code is Code.RESOURCE_EXHAUSTED and request_bytes > MESSAGE_BYTES_AT_MOST:
        return  # the library's own refusal
    assert code in _DOCUMENTED, f"{code.name} {text}"
    status = rpc_status.from_call(cast(grpc.Call, error))
    assert status is not None, f"{code.name} {text}: no google.rpc.Status"
    infos = [detail for detail in status.details if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    assert len(infos) == 1, f"{code.name} {text}: {len(infos)} ErrorInfos"
    info = error_details_pb2.ErrorInfo.FromString(infos[0].value)
    assert info.domain == "order-engine", info
    assert info.reason.replace("_", "").isupper(), info
    if code is Code.INVALID_ARGUMENT:
        named = [detail for detail in status.details if detail.Is(error_details_pb2.BadRequest.DESCRIPTOR)]
        assert info.reason == "INVALID_ARGUMENT", info
        assert len(named) == 1, f"{text}: names no field"
    no_internals(text + str(info))


def _methods(files: Iterable[FileDescriptor]) -> Iterator[tuple[ServiceDescriptor, MethodDescriptor]]:
    for file in files:
        for service in file.services_by_name.values():
            for method in service.methods:
                yield service, method


def _asked(channel: grpc.Channel, rpc: Rpc, requests: list[bytes]) -> "bytes | _Call":
    if rpc.method.client_streaming:
        both: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(rpc.path)
        return cast("_Call", both(iter(requests), timeout=ANSWER_WITHIN_SECONDS))
    if rpc.method.server_streaming:
        stream: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(rpc.path)
        return cast("_Call", stream(requests[0], timeout=ANSWER_WITHIN_SECONDS))
    unary: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(rpc.path)
    return unary(requests[0], timeout=ANSWER_WITHIN_SECONDS)


def _read(answer: "bytes | _Call", reply: type[Message]) -> str:
    if isinstance(answer, bytes):
        reply.FromString(answer)
        return "OK"
    enough = threading.Timer(_FOLLOW_SECONDS, answer.cancel)
    try:
        for number, message in enumerate(answer):
            reply.FromString(message)
            if number == 0:
                enough.start()
            assert number < _AT_MOST, "the stream does not end"
    except grpc.RpcError as error:
        if error.code() is not Code.CANCELLED or not enough.finished.is_set():
            raise
        return "OPEN"
    finally:
        enough.cancel()
        answer.cancel()
    return "OK"
