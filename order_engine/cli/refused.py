"""An RPC that was refused, as a person reads it and as an exit status says it."""

from collections.abc import Iterator

import grpc
from google.protobuf.any_pb2 import Any as PackedMessage
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from order_engine.cli.exits import BAD_USAGE, FAILED, UNREACHABLE

_DETAILS = "grpc-status-details-bin"
_STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: BAD_USAGE,
    grpc.StatusCode.OUT_OF_RANGE: BAD_USAGE,
    grpc.StatusCode.UNAVAILABLE: UNREACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: UNREACHABLE,
}


def exit_status(error: grpc.aio.AioRpcError) -> int:
    """Return 2 when the request was bad, 3 when no answer was to be had, else 1."""
    return _STATUSES.get(error.code(), FAILED)


def explained(error: grpc.aio.AioRpcError) -> str:
    """Return one line for each bad field, or else the message."""
    violations = list(_violations(error))
    if violations:
        return "\n".join(violations)
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "the order engine did not answer in time: try again, or give it longer with --timeout SECONDS"
    name = error.code().name.lower().replace("_", " ")
    return f"{name}: {error.details() or 'no further explanation'}"


def reason(error: grpc.aio.AioRpcError) -> str:
    """Return the reason of the ErrorInfo, empty when there is none."""
    info = error_details_pb2.ErrorInfo()
    return next((info.reason for packed in _details(error) if packed.Unpack(info)), "")


def _violations(error: grpc.aio.AioRpcError) -> Iterator[str]:
    bad_request = error_details_pb2.BadRequest()
    for packed in _details(error):
        if packed.Unpack(bad_request):
            yield from (f"{one.field}: {one.description}" for one in bad_request.field_violations)


def _details(error: grpc.aio.AioRpcError) -> list[PackedMessage]:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return []
    return []
