"""EngineError → google.rpc.Status: one table, and exactly one ErrorInfo in every answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as PackedMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from order_engine.api import refusals
from order_engine.domain import errors

DOMAIN: Final = "order-engine"
STATUS_DETAILS_KEY: Final = "grpc-status-details-bin"
_MESSAGE_AT_MOST: Final = 500  # characters: statuses travel in headers, which clients limit to 8 KiB

STATUS_CODES: Final[Mapping[type[errors.EngineError], grpc.StatusCode]] = MappingProxyType(
    {
        errors.InvalidOrder: grpc.StatusCode.INVALID_ARGUMENT,
        errors.OrderNotFound: grpc.StatusCode.NOT_FOUND,
        errors.TokenNotFound: grpc.StatusCode.NOT_FOUND,
        errors.RequestIdReused: grpc.StatusCode.ALREADY_EXISTS,
        errors.SequenceOutOfRange: grpc.StatusCode.OUT_OF_RANGE,
        errors.StaleOrder: grpc.StatusCode.ABORTED,
        errors.Unavailable: grpc.StatusCode.UNAVAILABLE,  # the only code that clients retry by themselves
        refusals.UnknownService: grpc.StatusCode.NOT_FOUND,
        refusals.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
        refusals.SlowReader: grpc.StatusCode.RESOURCE_EXHAUSTED,
        refusals.QuotaExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How an RPC ends when it does not end OK."""

    code: grpc.StatusCode
    message: str
    reason: str
    details: bytes  # a google.rpc.Status

    @property
    def trailing_metadata(self) -> tuple[tuple[str, bytes]]:
        return ((STATUS_DETAILS_KEY, self.details),)


def is_bug(error: Exception) -> bool:
    """Say whether the table has no row for it: nothing that a caller could have caused."""
    return not isinstance(error, tuple(STATUS_CODES))


def refusal(error: errors.EngineError) -> Answer:
    """Return the answer for an error that the table knows."""
    code = next(STATUS_CODES[kind] for kind in type(error).__mro__ if kind in STATUS_CODES)
    if isinstance(error, errors.Unavailable) and not isinstance(error, refusals.Draining):
        # What a dependency said about itself is for the log: it may name hosts, or quote its provider.
        return _answer(code, "temporarily unavailable: try again", error.code, {}, ())
    return _answer(code, error.message, error.code, error.metadata, _further(error))


def internal(correlation_id: str) -> Answer:
    """Return the answer for a bug: an id to look for in the logs, and nothing else."""
    metadata = {"correlation_id": correlation_id}
    return _answer(grpc.StatusCode.INTERNAL, f"internal error {correlation_id}", "INTERNAL", metadata, ())


def _answer(
    code: grpc.StatusCode, text: str, reason: str, metadata: Mapping[str, str], further: tuple[Message, ...]
) -> Answer:
    message = text[:_MESSAGE_AT_MOST]
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=dict(metadata))
    status = status_pb2.Status(code=code.value[0], message=message, details=[_packed(m) for m in (info, *further)])
    return Answer(code=code, message=message, reason=reason, details=status.SerializeToString())


def _further(error: errors.EngineError) -> tuple[Message, ...]:
    if isinstance(error, errors.InvalidOrder):
        return (_bad_request(error),)
    if isinstance(error, refusals.QuotaExceeded):
        return (_retry_info(error),)
    return ()


def _retry_info(error: refusals.QuotaExceeded) -> Message:
    retry_delay = Duration()
    retry_delay.FromTimedelta(error.retry_after)
    info: Message = error_details_pb2.RetryInfo(retry_delay=retry_delay)
    return info


def _bad_request(error: errors.InvalidOrder) -> Message:
    request: Message = error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
            for field, description in error.violations
        ]
    )
    return request


def _packed(message: Message) -> PackedMessage:
    packed = PackedMessage()
    packed.Pack(message)
    return packed
