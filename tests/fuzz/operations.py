"""Every operation of the bridge's own OpenAPI document, asked with data that fits it and data that does not."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeAlias, cast

import hypothesis.core
import requests
import schemathesis
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, CheckFunction, load_all_checks
from schemathesis.core.adapter import OperationParameter, ResponsesContainer
from schemathesis.core.result import Ok
from schemathesis.generation.hypothesis import setup as set_up_hypothesis
from schemathesis.schemas import APIOperation, BaseSchema

from gateway.routes import Rule, rules_of
from protos.order_engine.v1 import order_service_pb2
from tests.fuzz.fuzzing import Door, Target, no_internals
from tests.fuzz.http_answers import ANSWER_WITHIN_SECONDS, IDLE_SECONDS, check_error, frames_of, stream_kind
from tests.fuzz.words import U32_MAX, U64_MAX, Words

Operation: TypeAlias = APIOperation[OperationParameter, ResponsesContainer[object], object, BaseSchema]
Request: TypeAlias = Case[Operation]

# Nothing is down and nobody asks too often.
_NEVER: Final = {"default", "429", "503"}
_ACCEPTS: Final = (None, "text/event-stream", "application/x-ndjson", "*/*", "text/html;q=0.1, text/event-stream")
_LAST_EVENT_IDS: Final = (None, None, "0", "3", "5", "6", "18446744073709551616", "-1", "x", "\xd9\xa3", "")
_CASES_PER_MODE: Final = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


def rules() -> Mapping[tuple[str, str], Rule]:
    """Return what the proto declares, by method and path."""
    return {(rule.http_method, rule.path): rule for rule in rules_of(order_service_pb2.DESCRIPTOR)}


class Document:
    """The document that a running bridge serves."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._session = requests.Session()
        self._session.trust_env = False
        answer = self._session.get(f"{base_url}/openapi.json", timeout=ANSWER_WITHIN_SECONDS)
        self._schema: BaseSchema = schemathesis.openapi.from_dict(answer.json())
        load_all_checks()
        _keep_printing_examples()
        # That an order_id is a UUID or a token a mint, the proto's types cannot say: what fits them may be refused.
        self._excluded = cast("list[CheckFunction]", [CHECKS.get_one("positive_data_acceptance")])

    def close(self) -> None:
        self._session.close()

    def operations(self) -> dict[tuple[str, str], Operation]:
        found = [result.ok() for result in self._schema.get_all_operations() if isinstance(result, Ok)]
        return {(operation.method.upper(), operation.path): operation for operation in found}

    def targets(self, rule: Rule, words: Words) -> list[Door]:
        operation = self.operations()[rule.http_method, rule.path]
        return [self._target(rule, operation, mode, words) for mode in _CASES_PER_MODE]

    def _target(self, rule: Rule, operation: Operation, mode: GenerationMode, words: Words) -> Target[Request]:
        def ask(case: Request) -> str:
            if rule.rpc.server_streaming:
                return self._watch(rule, case)
            return self._ask(rule, case)

        cases = operation.as_strategy(generation_mode=mode)
        if mode is GenerationMode.POSITIVE:
            cases = st.one_of(_meaningful(cases, rule, words), _meaningful(cases, rule, replace(words, careful=True)))
        any_text_fits = not rule.whole_body and all(
            "{" + one.name + "}" in rule.path for one in rule.rpc.input_type.fields
        )
        return Target(
            f"http {rule.http_method} {rule.path} {mode.value}", cases, ask, Request.as_curl_command, any_text_fits
        )

    def _ask(self, rule: Rule, case: Request) -> str:
        response = case.call(self._base_url, self._session, timeout=ANSWER_WITHIN_SECONDS)
        case.validate_response(response, excluded_checks=self._excluded)
        no_internals(response.text)
        assert str(response.status_code) in _documented(case), f"{response.status_code} {response.text}"
        if response.status_code == 200:
            ParseDict(response.json(), rule.response())
        else:
            check_error(response.status_code, response.json())
        return str(response.status_code)

    def _watch(self, rule: Rule, case: Request) -> str:
        """Ask for a stream, and read it while something comes."""
        request = requests.Request(**case.as_transport_kwargs(base_url=self._base_url))
        prepared = self._session.prepare_request(request)
        with self._session.send(prepared, stream=True, timeout=(ANSWER_WITHIN_SECONDS, IDLE_SECONDS)) as response:
            status = response.status_code
            assert str(status) in _documented(case), f"{status}"
            if status == 204:
                return "204"
            if status != 200:
                case.validate_response(response, excluded_checks=self._excluded)
                check_error(status, response.json())
                return str(status)
            for frame in frames_of(response):
                _check_frame(rule, frame)
            return stream_kind(response)


def _keep_printing_examples() -> None:
    """Let schemathesis set hypothesis up, but not silence the failing examples of every test in this process."""
    name = "RepresentationPrinter"
    printer = getattr(hypothesis.core, name)
    set_up_hypothesis()
    setattr(hypothesis.core, name, printer)


def _documented(case: Request) -> set[str]:
    return set(case.operation.definition.raw["responses"]) - _NEVER


def _check_frame(rule: Rule, frame: Mapping[str, object]) -> None:
    assert set(frame) in ({"result"}, {"error"}), frame
    if "result" in frame:
        message: Message = rule.response()
        ParseDict(cast("dict[str, object]", frame["result"]), message)


def _meaningful(cases: SearchStrategy[Request], rule: Rule, words: Words) -> SearchStrategy[Request]:
    """Put in ids, tokens and amounts that the engine knows: what fits the types alone is soon refused."""
    fields = [
        (field, in_path, _json_values(field, words, in_path=in_path))
        for field in rule.rpc.input_type.fields
        for in_path in ["{" + field.name + "}" in rule.path]
    ]

    @st.composite
    def build(draw: DrawFn) -> Request:
        case = draw(cases)
        for field, in_path, values in fields:
            if values is None or draw(st.sampled_from((False, False, False, True))):
                continue
            if in_path:
                case.path_parameters[field.name] = draw(values)
            elif not rule.whole_body:
                case.query[field.json_name] = draw(values)
            elif isinstance(case.body, dict):
                case.body[field.json_name] = cast("str | int", draw(values))
        if rule.rpc.server_streaming:
            _choose_stream(draw, case)
        return case

    return build()


def _choose_stream(draw: DrawFn, case: Request) -> None:
    for name, values in (("Accept", _ACCEPTS), ("Last-Event-ID", _LAST_EVENT_IDS)):
        value = draw(st.sampled_from(values))
        if value is not None:
            case.headers[name] = value


def _json_values(field: FieldDescriptor, words: Words, *, in_path: bool) -> SearchStrategy[object] | None:
    if field.type == FieldDescriptor.TYPE_STRING:
        return words.segment(field.name) if in_path else words.text(field.name)
    if field.type == FieldDescriptor.TYPE_UINT64:
        return words.integer(field.name, 0, U64_MAX).map(str)
    if field.type == FieldDescriptor.TYPE_UINT32:
        return words.integer(field.name, 0, U32_MAX)
    return None
