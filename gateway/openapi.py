"""OpenAPI 3.1 of every RPC, generated from the proto: its routes, its fields, and its comments."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.routes import Rule, rules_of

Json = dict[str, object]

_TIMESTAMP: Final = "google.protobuf.Timestamp"
_SCALARS: Final[Mapping[int, Json]] = {
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    FieldDescriptor.CPPTYPE_INT64: {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "string", "format": "uint64", "pattern": "^[0-9]+$"},
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_STRING: {"type": "string"},
}
_ERROR: Final[Json] = {
    "type": "object",
    "description": "A google.rpc.Status. Its first detail is an ErrorInfo with a stable reason.",
    "properties": {
        "code": {"type": "integer", "description": "the gRPC code"},
        "message": {"type": "string"},
        "details": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["code", "message", "details"],
}
_ERRORS: Final[Mapping[str, str]] = {
    "400": "A field is wrong: details name each one.",
    "404": "There is no such order, token or RPC.",
    "409": "The request_id belongs to another order, or a race was lost.",
    "429": "Too many requests: try again after Retry-After.",
    "503": "Temporarily unavailable: try again.",
    "default": "Any other refusal.",
}
_NOTHING_MORE: Final = (
    "Server-sent events only: there is nothing after this sequence, and never will be. Do not reconnect."
)


class Comments:
    """The proto's own comments, by the full name of what they stand at."""

    def __init__(self, descriptor_set: bytes) -> None:
        self._texts: dict[str, str] = {}
        for file in FileDescriptorSet.FromString(descriptor_set).file:
            for location in file.source_code_info.location:
                text = " ".join(f"{location.leading_comments} {location.trailing_comments}".split())
                name = _name_at(file, list(location.path))
                if text and name:
                    self._texts[f"{file.package}.{name}"] = text

    @classmethod
    def of(cls, file: FileDescriptor, root: Path) -> "Comments":
        """Read the descriptor set beside the generated stubs."""
        return cls((root / file.name).with_suffix(".binpb").read_bytes())

    def on(self, full_name: str) -> Json:
        return {"description": self._texts[full_name]} if full_name in self._texts else {}


def openapi_document(file: FileDescriptor, comments: Comments, title: str, version: str) -> Json:
    """Return the document for all routes that `file` declares."""
    paths: dict[str, Json] = {}
    for rule in sorted(rules_of(file), key=lambda rule: rule.path):
        paths.setdefault(rule.path, {})[rule.http_method.lower()] = _operation(rule, comments)
    schemas: Json = {name: _message(message, comments) for name, message in file.message_types_by_name.items()}
    schemas |= {name: _enum(enum, comments) for name, enum in file.enum_types_by_name.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {"schemas": {**schemas, "Error": _ERROR}},
    }


def _operation(rule: Rule, comments: Comments) -> Json:
    in_path = [field for field in rule.rpc.input_type.fields if "{" + field.name + "}" in rule.path]
    others = [field for field in rule.rpc.input_type.fields if field not in in_path]
    operation: Json = {
        "operationId": f"{rule.rpc.containing_service.name}_{rule.rpc.name}",
        "tags": [rule.rpc.containing_service.name],
        **comments.on(rule.rpc.full_name),
        "parameters": [_parameter(field, "path", comments) for field in in_path],
        "responses": {**_answers(rule), **{code: _refusal(text) for code, text in _ERRORS.items()}},
    }
    if rule.whole_body:
        properties = {field.json_name: _field(field, comments) for field in others}
        schema = {"type": "object", "properties": properties, "additionalProperties": False}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    else:
        queries = [_parameter(field, "query", comments) for field in others]
        operation["parameters"] = [*(_parameter(field, "path", comments) for field in in_path), *queries]
    return operation


def _parameter(field: FieldDescriptor, where: str, comments: Comments) -> Json:
    """In a path the name is the template's own; in a query both spellings are taken."""
    in_path = where == "path"
    name = field.name if in_path else field.json_name
    return {"name": name, "in": where, "required": in_path, "schema": _field(field, comments)}


def _answers(rule: Rule) -> Json:
    schema: Json = {"$ref": f"#/components/schemas/{rule.rpc.output_type.name}"}
    if not rule.rpc.server_streaming:
        return {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}}
    return {"200": _frames(schema), "204": {"description": _NOTHING_MORE}}


def _frames(schema: Json) -> Json:
    frame: Json = {"type": "object", "properties": {"result": schema, "error": {"$ref": "#/components/schemas/Error"}}}
    return {
        "description": "One frame for each message, the last may be an error. The same URL upgrades to a WebSocket.",
        "content": {"application/x-ndjson": {"schema": frame}, "text/event-stream": {"schema": frame}},
    }


def _refusal(text: str) -> Json:
    return {
        "description": text,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }


def _message(message: Descriptor, comments: Comments) -> Json:
    properties = {field.json_name: _field(field, comments) for field in message.fields}
    return {"type": "object", **comments.on(message.full_name), "properties": properties}


def _enum(enum: EnumDescriptor, comments: Comments) -> Json:
    return {"type": "string", **comments.on(enum.full_name), "enum": [value.name for value in enum.values]}


def _field(field: FieldDescriptor, comments: Comments) -> Json:
    described = comments.on(field.full_name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return {
            "type": "object",
            **described,
            "additionalProperties": _value(field.message_type.fields_by_name["value"]),
        }
    if field.is_repeated:
        return {"type": "array", **described, "items": _value(field)}
    return {**_value(field), **described}


def _value(field: FieldDescriptor) -> Json:
    if field.message_type is not None:
        if field.message_type.full_name == _TIMESTAMP:
            return {"type": "string", "format": "date-time"}
        return {"$ref": f"#/components/schemas/{field.message_type.name}"}
    if field.enum_type is not None:
        return {"$ref": f"#/components/schemas/{field.enum_type.name}"}
    return dict(_SCALARS[field.cpp_type])


def _name_at(file: object, path: list[int]) -> str:
    """Return the dotted name of what a source location's path leads to, "" for what we do not describe."""
    names: list[str] = []
    node: object = file
    for field_number, index in zip(path[::2], path[1::2], strict=False):
        field = next(one for one in node.DESCRIPTOR.fields if one.number == field_number)  # type: ignore[attr-defined]
        if field.name not in ("message_type", "enum_type", "service", "field", "value", "method"):
            return ""
        node = getattr(node, field.name)[index]
        names.append(node.name)  # type: ignore[attr-defined]
    return ".".join(names) if len(path) % 2 == 0 else ""
