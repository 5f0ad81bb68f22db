"""A wrong answer is a finding: the checks, held against servers that give it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import grpc
import pytest
from google.protobuf.any_pb2 import Any as PackedMessage
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status  # type: ignore[import-untyped]
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from protos.order_engine.v1 import order_service_pb2 as pb
from tests.fuzz.fuzzing import Tally, Target
from tests.fuzz.http_answers import check_classic_error, check_error
from tests.fuzz.messages import messages
from tests.fuzz.rpcs import Rpc, answer_of, rpcs
from tests.fuzz.wire import raw_requests
from tests.fuzz.words import UNKNOWN_ORDER, Words

Answer = Callable[[bytes, grpc.ServicerContext], bytes]
T = TypeVar("T")

GET_ORDER = Rpc(
    "order_engine.v1.OrderService", pb.DESCRIPTOR.services_by_name["OrderService"].methods_by_name["GetOrder"]
)
WORDS = Words((UNKNOWN_ORDER,))


@contextmanager
def serving(answer: Answer) -> Iterator[grpc.Channel]:
    handler = grpc.method_handlers_generic_handler(
        GET_ORDER.service, {"GetOrder": grpc.unary_unary_rpc_method_handler(answer)}
    )
    server = grpc.server(ThreadPoolExecutor(1), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        server.stop(None).wait()


def refusing(code: grpc.StatusCode, *details: Message) -> Answer:
    def answer(_: bytes, context: grpc.ServicerContext) -> bytes:
        packed = []
        for detail in details:
            one = PackedMessage()
            one.Pack(detail)
            packed.append(one)
        status = status_pb2.Status(code=code.value[0], message="no", details=packed)
        context.abort_with_status(rpc_status.to_status(status))
        raise AssertionError("abort raises")

    return answer


def info(reason: str = "INVALID_ARGUMENT", domain: str = "order-engine") -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain=domain)


BAD = error_details_pb2.BadRequest()
INVALID = grpc.StatusCode.INVALID_ARGUMENT


def test_a_refusal_of_the_contract_is_an_answer() -> None:
    with serving(refusing(INVALID, info(), BAD)) as channel:
        assert answer_of(channel, GET_ORDER, [b""]) == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "details",
    [(), (BAD,), (info(), info(), BAD), (info(domain="elsewhere"), BAD), (info(reason="lower"), BAD), (info(),)],
    ids=["none", "no info", "two infos", "another domain", "another reason", "no field"],
)
def test_a_refusal_without_exactly_one_error_info_is_a_finding(details: tuple[Message, ...]) -> None:
    with serving(refusing(INVALID, *details)) as channel, pytest.raises(AssertionError):
        answer_of(channel, GET_ORDER, [b""])


@pytest.mark.parametrize("code", ["INTERNAL", "UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"])
def test_a_code_that_nothing_explains_is_a_finding(code: str) -> None:
    with serving(refusing(grpc.StatusCode[code], info(reason=code))) as channel, pytest.raises(AssertionError):
        answer_of(channel, GET_ORDER, [b""])


def test_internals_in_a_refusal_are_a_finding() -> None:
    leak = error_details_pb2.ErrorInfo(reason="ORDER_NOT_FOUND", domain="order-engine", metadata={"a": "psycopg.Error"})
    with serving(refusing(grpc.StatusCode.NOT_FOUND, leak)) as channel, pytest.raises(AssertionError):
        answer_of(channel, GET_ORDER, [b""])


@pytest.mark.parametrize("body", [{"error": "x"}, {"code": 3, "message": "", "details": []}, [], {"code": "3"}])
def test_an_rpc_error_of_another_shape_is_a_finding(body: object) -> None:
    with pytest.raises(AssertionError):
        check_error(400, body)


@pytest.mark.parametrize("body", [{"error": ""}, {"error": "x", "details": []}, {"code": 3}, "x"])
def test_a_classic_error_of_another_shape_is_a_finding(body: object) -> None:
    with pytest.raises(AssertionError):
        check_classic_error(body)


def test_a_finding_comes_with_the_smallest_example_and_how_to_repeat_it() -> None:
    def ask(number: int) -> str:
        assert number < 100
        return "small"

    tally = Tally()
    with pytest.raises(AssertionError) as found:
        Target("numbers", st.integers(0, 10**6), ask).fuzz(tally, examples=200, start=7)
    assert found.value.__notes__[0] == "numbers, start 7: 100"
    assert tally.calls["numbers"]["small"] > 0


def drawn(strategy: SearchStrategy[T], examples: int = 100) -> list[T]:
    """Return what a door would be asked."""
    found: list[T] = []

    def ask(example: T) -> str:
        found.append(example)
        return "drawn"

    Target("none", strategy, ask).fuzz(Tally(), examples=examples, start=1)
    return found


@pytest.mark.parametrize("rpc", rpcs(), ids=lambda rpc: rpc.path)
def test_every_field_of_every_request_is_filled(rpc: Rpc) -> None:
    filled = {field.name for message in drawn(messages(rpc.request, WORDS)) for field, _ in message.ListFields()}
    assert filled == {field.name for field in rpc.request.fields}


def test_careful_orders_are_often_such_as_the_engine_takes() -> None:
    orders = drawn(messages(pb.SubmitOrderRequest.DESCRIPTOR, replace(WORDS, careful=True)))
    assert sum(isinstance(one, pb.SubmitOrderRequest) and is_good(one) for one in orders) > len(orders) // 10


def is_good(order: pb.SubmitOrderRequest) -> bool:
    return bool(order.amount_in and order.token_in and order.token_out and order.token_in != order.token_out)


def test_raw_requests_are_messages_and_are_not() -> None:
    fits = {parses(one) for one in drawn(raw_requests(pb.ListOrdersRequest.DESCRIPTOR, WORDS)) if one}
    assert fits == {True, False}


def parses(raw: bytes) -> bool:
    try:
        pb.ListOrdersRequest.FromString(raw)
    except DecodeError:
        return False
    return True
