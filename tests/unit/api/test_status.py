"""Which error becomes which code, and what a bug may tell."""

from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from order_engine.api import refusals, status
from order_engine.domain import errors

Code = grpc.StatusCode


def reasons(answer: status.Answer) -> list[tuple[str, str]]:
    infos = []
    for packed in status_pb2.Status.FromString(answer.details).details:
        info = error_details_pb2.ErrorInfo()
        if packed.Unpack(info):
            infos.append((info.reason, info.domain))
    return infos


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidOrder([("amount_in", "must be greater than 0")]), Code.INVALID_ARGUMENT),
        (errors.RequestIdReused("", order_id="1"), Code.ALREADY_EXISTS),
        (errors.OrderNotFound(""), Code.NOT_FOUND),
        (errors.TokenNotFound(""), Code.NOT_FOUND),
        (errors.StaleOrder(""), Code.ABORTED),
        (errors.SequenceOutOfRange(""), Code.OUT_OF_RANGE),
        (errors.Unavailable(""), Code.UNAVAILABLE),
        (refusals.Draining(""), Code.UNAVAILABLE),
        (refusals.DeadlineExceeded(""), Code.DEADLINE_EXCEEDED),
        (refusals.SlowReader(""), Code.RESOURCE_EXHAUSTED),
        (refusals.RateLimitExceeded("", timedelta(seconds=1)), Code.RESOURCE_EXHAUSTED),
        (refusals.StreamLimitExceeded("", timedelta(seconds=1)), Code.RESOURCE_EXHAUSTED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.name,
)
def test_each_refusal_has_its_code_and_exactly_one_reason(error, code):
    assert not status.is_bug(error)
    answer = status.refusal(error)
    assert answer.code is code
    assert reasons(answer) == [(error.code, "order-engine")]
    assert status_pb2.Status.FromString(answer.details).code == code.value[0]


@pytest.mark.parametrize(
    "error", [ValueError("x"), errors.EngineError("x"), errors.IllegalTransition("x"), errors.NoRoute("x")], ids=repr
)
def test_what_no_caller_can_cause_is_a_bug(error):
    assert status.is_bug(error)


def test_a_bug_tells_its_id_alone():
    answer = status.internal("abc")
    assert (answer.code, answer.message) == (Code.INTERNAL, "internal error abc")
    assert reasons(answer) == [("INTERNAL", "order-engine")]


@pytest.mark.parametrize("kind", [errors.Unavailable, errors.ChainUnavailable])
def test_what_a_dependency_says_of_itself_is_not_told(kind):
    answer = status.refusal(kind("db.internal:5432 refused", host="db.internal"))
    assert b"db.internal" not in answer.details
    assert answer.message == "temporarily unavailable: try again"


def test_a_long_message_is_cut():
    assert len(status.refusal(errors.StaleOrder("x" * 10_000)).message) == 500
