"""What an RPC error means over HTTP: the status table, and the details a `google.rpc.Status` carries."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc import StatusCode
from grpc.aio import AioRpcError

HTTP_STATUS: Final[Mapping[StatusCode, int]] = MappingProxyType(
    {
        StatusCode.OK: 200,
        StatusCode.CANCELLED: 499,
        StatusCode.UNKNOWN: 500,
        StatusCode.INVALID_ARGUMENT: 400,
        StatusCode.DEADLINE_EXCEEDED: 504,
        StatusCode.NOT_FOUND: 404,
        StatusCode.ALREADY_EXISTS: 409,
        StatusCode.PERMISSION_DENIED: 403,
        StatusCode.UNAUTHENTICATED: 401,
        StatusCode.RESOURCE_EXHAUSTED: 429,
        StatusCode.FAILED_PRECONDITION: 400,
        StatusCode.ABORTED: 409,
        StatusCode.OUT_OF_RANGE: 400,
        StatusCode.UNIMPLEMENTED: 501,
        StatusCode.INTERNAL: 500,
        StatusCode.UNAVAILABLE: 503,
        StatusCode.DATA_LOSS: 500,
    }
)
_SAFE_TEXT: Final[Mapping[int, str]] = MappingProxyType(
    {
        500: "the order engine met an internal error",
        501: "the order engine does not serve this yet",
        503: "the order engine is not available, try again",
        504: "the order engine did not answer in time",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An RPC error as a client may see it: no internals."""

    status: int
    message: str
    reason: str = ""  # of ErrorInfo; empty when the transport, not the engine, refused
    metadata: Mapping[str, str]
    violations: tuple[tuple[str, str], ...] = ()  # (field, description)
    retry_after_seconds: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        if self.retry_after_seconds is None:
            return {}
        return {"retry-after": str(self.retry_after_seconds)}


AWAY: Final = Refusal(status=503, message=_SAFE_TEXT[503], metadata={}, retry_after_seconds=1)


def refusal_of(error: AioRpcError) -> Refusal:
    status = HTTP_STATUS.get(error.code(), 500)
    info = error_details_pb2.ErrorInfo()
    retry = error_details_pb2.RetryInfo()
    bad = error_details_pb2.BadRequest()
    for detail in details_of(error):
        for message in (info, retry, bad):
            if detail.Is(message.DESCRIPTOR):
                detail.Unpack(message)
    if status == 429 and "larger than max" in (error.details() or ""):
        status = 413  # the core's own refusal of a message over the limit has no code of its own
    delay = retry.retry_delay
    return Refusal(
        status=status,
        message=_SAFE_TEXT.get(status) or error.details() or "refused",
        reason=info.reason,
        metadata=dict(info.metadata),
        violations=tuple((violation.field, violation.description) for violation in bad.field_violations),
        retry_after_seconds=_retry_after(status, delay.seconds + (delay.nanos > 0)),
    )


def _retry_after(status: int, asked: int) -> int | None:
    """Return whole seconds, rounded up; at least one where a retry makes sense, none elsewhere."""
    return max(1, asked) if status in {429, 503} else None


def details_of(error: AioRpcError) -> list[any_pb2.Any]:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return []
    return []
