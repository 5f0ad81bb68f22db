"""HTTP to gRPC and back, by the proto's JSON mapping: messages, metadata, deadlines, errors."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from math import isinf, nan
from typing import Final, cast
from urllib.parse import parse_qsl

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import Message
from grpc import StatusCode
from grpc.aio import AioRpcError

from gateway.client_address import forwarded
from gateway.http import HttpError, Reply, Request, headers_of
from gateway.http_status import details_of, refusal_of
from gateway.routes import Rule

_TIMEOUT: Final = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNIT_SECONDS: Final[Mapping[str, float]] = {"H": 3600, "M": 60, "S": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_LONGEST_DEADLINE_SECONDS: Final = 365 * 24 * 3600.0  # a legal header says up to 11,000 years: the library overflows
_NOT_FORWARDED: Final = re.compile(r"grpc-.*|x-owner-.*|x-forwarded-.*|.*-bin|:.*|host|content-.*|te|connection")
_METADATA_KEY: Final = re.compile(r"[0-9a-z_.-]+")
_METADATA_VALUE: Final = re.compile(r"[ -~]*")
_LONGEST_INTEGER: Final = 40
_BEFORE_ANY_RPC: Final[Mapping[int, StatusCode]] = {
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.UNIMPLEMENTED,  # no such RPC
    405: StatusCode.UNIMPLEMENTED,
    408: StatusCode.DEADLINE_EXCEEDED,
    500: StatusCode.INTERNAL,
}
_UNKNOWN_FIELD: Final = re.compile(r'has no field named "([^"]*)"')
_MISFIT: Final = re.compile(r"(?:Failed to parse | at \w+\.)(\w+)")


async def request_message(rule: Rule, request: Request) -> Message:
    """Build the RPC's request from body, path and query.

    Raises:
        HttpError: 400, not JSON, an unknown field, or a value its field cannot hold.
    """
    fields = _json_object(await request.body()) if rule.whole_body else {}
    query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    for name, value in (*query, *request.params.items()):
        known = _field_name(rule, name)
        if known in fields:
            raise invalid(f"{name}: given more than once")
        fields[known] = value
    try:
        return ParseDict(fields, rule.request())
    except ParseError as error:
        raise _misfit(error) from error


def response_json(message: Message) -> dict[str, object]:
    return cast(dict[str, object], MessageToDict(message, always_print_fields_with_no_presence=True))


def metadata_of(request: Request, token: str | None = None) -> tuple[tuple[str, str], ...]:
    """Return what is forwarded: Authorization (or a token found elsewhere), Grpc-Metadata-* without its prefix, and
    the client's address.

    Raises:
        HttpError: 400, a value that gRPC cannot carry.
    """
    metadata = [("authorization", value) for value in request.headers(b"authorization")]
    if token is not None and not metadata:
        metadata.append(("authorization", f"Bearer {token}"))
    for raw_name, raw_value in request.scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        key = name.removeprefix("grpc-metadata-")
        if key != name and not _NOT_FORWARDED.fullmatch(key):
            metadata.append((key, raw_value.decode("latin-1")))
    for key, value in metadata:
        if not _METADATA_KEY.fullmatch(key) or not _METADATA_VALUE.fullmatch(value):
            raise invalid(f"{key}: cannot be forwarded")
    return (*metadata, *forwarded())


def deadline_of(request: Request, default: float | None) -> float | None:
    """Return the seconds of the Grpc-Timeout header, a year at most.

    Raises:
        HttpError: 400, malformed.
    """
    values = headers_of(request.scope, b"grpc-timeout")
    if not values:
        return default
    found = _TIMEOUT.fullmatch(values[0])
    if found is None:
        raise invalid("Grpc-Timeout: must be up to 8 digits and one of H M S m u n")
    return min(int(found[1]) * _UNIT_SECONDS[found[2]], _LONGEST_DEADLINE_SECONDS)


def error_json(error: AioRpcError) -> dict[str, object]:
    """Return an RPC error as {code, message, details}."""
    number = error.code().value[0]
    return {"code": number, "message": refusal_of(error).message, "details": _printable(error)}


def error_reply(error: AioRpcError) -> Reply:
    refusal = refusal_of(error)
    return Reply(refusal.status, error_json(error), refusal.headers)


def invalid(message: str) -> HttpError:
    """Refuse as the engine does. `message` is "field: what is wrong"."""
    field, _, description = message.partition(": ")
    number = StatusCode.INVALID_ARGUMENT.value[0]
    details = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "INVALID_ARGUMENT",
            "domain": "order-engine",
            "metadata": {},
        },
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": field, "description": description}],
        },
    ]
    return HttpError(400, {"code": number, "message": message, "details": details})


def as_rpc_refusal(reply: Reply) -> Reply:
    """Say in an RPC's words what the bridge refused before it came to one: {error} becomes {code, message, details}."""
    if not isinstance(reply.payload, dict) or "error" not in reply.payload:
        return reply
    text = str(reply.payload["error"])
    if reply.status == 400:
        return invalid(text).reply
    code = _BEFORE_ANY_RPC.get(reply.status, StatusCode.UNKNOWN)
    return replace(reply, payload={"code": code.value[0], "message": text, "details": []})


def _misfit(error: ParseError) -> HttpError:
    """Name the field that a value does not fit, in our words: the library's own hold Python's."""
    text = str(error)
    if unknown := _UNKNOWN_FIELD.search(text):
        return invalid(f"{unknown[1][:40]}: no such field")
    if misfit := _MISFIT.search(text):
        return invalid(f"{misfit[1]}: not a value of this field")
    return invalid("body: does not fit the request")


def _printable(error: AioRpcError) -> list[object]:
    """Leave out details of types we do not know: they cannot be written as JSON."""
    shown: list[object] = []
    for detail in details_of(error):
        try:
            shown.append(MessageToDict(detail))
        except TypeError:
            continue
    return shown


def _field_name(rule: Rule, name: str) -> str:
    for field in rule.rpc.input_type.fields:
        if name in (field.name, field.json_name):
            return field.json_name
    raise invalid(f"{name[:40]}: no such parameter")


def _json_object(body: bytes) -> dict[str, object]:
    try:
        parsed: object = json.loads(
            body.decode("utf-8") or "{}", parse_float=_number, parse_int=_number, parse_constant=_misfit_number
        )
        if b"\\u" in body:  # half a surrogate pair can only be escaped: the proto library crashes on it
            json.dumps(parsed, ensure_ascii=False).encode()
    except (UnicodeError, json.JSONDecodeError):
        raise invalid("body: not valid JSON") from None
    except RecursionError:
        raise invalid("body: nested too deeply") from None
    if not isinstance(parsed, dict):
        raise invalid("body: must be a JSON object")
    return cast(dict[str, object], parsed)


def _number(text: str) -> int | float:
    """Read whole numbers exactly, also 1e3: an amount must not pass through a float, nor be rounded to a whole one."""
    if len(text) > _LONGEST_INTEGER:
        raise invalid("body: a number is too long")
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent that no decimal has
        return _misfit_number(text)
    if value == value.to_integral_value() and value.adjusted() < _LONGEST_INTEGER:
        return int(value)
    number = float(text)
    return _misfit_number(text) if isinf(number) or number.is_integer() else number


def _misfit_number(_: str) -> float:
    """Return what no field takes, so that the field is named: the library crashes on an infinite enum."""
    return nan
