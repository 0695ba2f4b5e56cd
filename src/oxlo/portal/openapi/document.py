"""Builds the OpenAPI document from operations, types, the catalogue and documentation pages."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from oxlo import __version__
from oxlo.catalogue import Parameter as Published
from oxlo.catalogue.abilities import shared
from oxlo.errors import ApiError
from oxlo.portal.openapi import replies
from oxlo.portal.openapi.bounds import EXTRA_TYPES, RULES, bounded
from oxlo.portal.openapi.operations import HEADERS, MEANINGS, OPERATIONS, TAGS, Operation, Parameter
from oxlo.wire.ranges import ANY, CLAMPED
from oxlo.wire.speech import MEDIA_TYPES

Json = dict[str, Any]
#: (slug) -> the Markdown of a page; "" if it does not exist.
Read = Callable[[str], str]

_REF = "#/components/schemas/{name}"
_BLOCK = re.compile(r"```json\n(.*?)```", re.DOTALL)
_EVENTS = "text/event-stream"
#: Error statuses of every operation.
_STATUSES = (400, 401, 403, 404, 413, 415, 429, 500, 502, 503, 504)
#: Additional status of operations with a body: an Idempotency-Key reused with another body.
_CONFLICT = 409


def document(base_url: str, read: Read) -> Json:
    """Build the whole document."""
    bodies = {op.body for op in OPERATIONS if op.body}
    answers = {op.reply for op in OPERATIONS if op.reply is not bytes}
    # A dry run's reply is not listed as an alternative response of each operation: generated
    # clients would have to distinguish the two after every request.
    referenced = bodies | answers | {replies.ErrorReply, replies.DryRunReply, *EXTRA_TYPES}
    types = sorted(referenced, key=lambda kind: str(kind.__name__))
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    for op in OPERATIONS:
        if op.body:
            _nullable(schemas[op.body.__name__])
            _enrich(schemas[op.body.__name__], shared(op.abilities))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Oxlo",
            "version": __version__,
            "summary": "One OpenAI-compatible API over open models, at a flat price per request.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "paths": _paths(base_url, read),
        "components": {
            "schemas": {name: _plain(name, schema) for name, schema in schemas.items()},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "responses": {"Error": _error(read)},
        },
    }


def _paths(base_url: str, read: Read) -> Json:
    paths: Json = {}
    for op in OPERATIONS:
        paths.setdefault(op.path, {})[op.method] = _operation(op, base_url, read)
    return paths


def _operation(op: Operation, base_url: str, read: Read) -> Json:
    result: Json = {
        "operationId": op.id,
        "tags": [op.tag],
        "summary": op.summary,
        "externalDocs": {"url": f"{base_url}/docs/{op.page}"},
        "responses": {"200": _reply(op, read)}
        | {str(status): {"$ref": "#/components/responses/Error"} for status in _statuses(op)},
    }
    parameters = [*op.parameters, *(HEADERS if op.body else ())]
    if parameters:
        result["parameters"] = [_parameter(parameter) for parameter in parameters]
    if op.body:
        result["requestBody"] = {"required": True, "content": _content(op)}
    return result


def _statuses(op: Operation) -> list[int]:
    return sorted([*_STATUSES, _CONFLICT]) if op.body else list(_STATUSES)


def _parameter(parameter: Parameter) -> Json:
    result: Json = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path",
        "description": parameter.meaning,
        "schema": dict(parameter.schema),
    }
    # Lists in a query are comma-separated.
    return result | ({"explode": False} if parameter.schema.get("type") == "array" else {})


def _content(op: Operation) -> Json:
    schema = {"$ref": _REF.format(name=op.body.__name__)}
    media = {"schema": schema, "example": op.example}
    if op.form == "only":
        return {"multipart/form-data": {"schema": schema}}
    return {"application/json": media} | (
        {"multipart/form-data": {"schema": schema}} if op.form == "too" else {}
    )


def _reply(op: Operation, read: Read) -> Json:
    if op.reply is bytes:
        content: Json = {kind: {} for kind in sorted({*MEDIA_TYPES.values(), _EVENTS})}
        return {"description": "The audio, in the format that was asked for.", "content": content}
    media: Json = {"schema": {"$ref": _REF.format(name=op.reply.__name__)}}
    shown_example = example(op, read)
    if shown_example is not None:
        media["example"] = shown_example
    content = {"application/json": media}
    if op.reply is replies.Transcript:
        content["text/plain"] = {}  # text and subtitles
    if op.body is not None and "stream" in op.body.__struct_fields__:
        content[_EVENTS] = {}  # OpenAPI 3.1 has no schema for one event
    return {"description": first_line(op.reply), "content": content}


def example(op: Operation, read: Read) -> Json | None:
    """The example reply from the operation's documentation page; None if it has none."""
    if op.reply_block is None:
        return None
    blocks = _BLOCK.findall(read(op.page))
    return dict(json.loads(blocks[op.reply_block])) if len(blocks) > op.reply_block else None


def _error(read: Read) -> Json:
    blocks = _BLOCK.findall(read("errors"))
    media: Json = {"schema": {"$ref": _REF.format(name="ErrorReply")}}
    media |= {"example": json.loads(blocks[0])} if blocks else {}
    return {"description": first_line(replies.ErrorReply), "content": {"application/json": media}}


def first_line(kind: Any) -> str:
    """First paragraph of a type's docstring."""
    return str(kind.__doc__).strip().split("\n\n")[0]


def _nullable(schema: Json) -> None:
    """Let optional fields be null, which means the same as leaving them out."""
    for name, field in schema["properties"].items():
        if name not in schema.get("required", ()) and isinstance(field.get("type"), str):
            field["type"] = [field["type"], "null"]


def _enrich(schema: Json, known: Mapping[str, Published]) -> None:
    """Add description, range and default from the catalogue to each field."""
    for name, field in schema["properties"].items():
        parameter = known.get(name)
        if parameter is None or _same_name_only(parameter, field):
            if name in MEANINGS:
                field["description"] = MEANINGS[name]
            continue
        field["description"] = parameter.description
        if parameter.default is not None:
            field["default"] = parameter.default
        if parameter.type in ("int", "float"):
            field |= _range(name, parameter)


def _same_name_only(parameter: Published, field: Json) -> bool:
    """Whether the field only shares its name with the parameter, as a completion's `logprobs`."""
    types = {one.get("type") for one in field.get("anyOf", [field])}
    return parameter.type == "bool" and "boolean" not in types


def _range(name: str, parameter: Published) -> Json:
    """Bounds outside of which a value is refused; published ranges may be narrower."""
    if name in ANY:
        return {}
    bounds = {"minimum": parameter.min, "maximum": None if name in CLAMPED else parameter.max}
    return {
        name: int(value) if value == int(value) else value
        for name, value in bounds.items()
        if value is not None
    }


def _plain(kind: str, schema: Json) -> Json:
    """Clean up msgspec's schema: merge null into the type and drop empty parts."""
    result = dict(schema)
    result.pop("title", None)
    if "description" in result:
        result["description"] = " ".join(str(result["description"]).split("\n\n")[0].split())
    if "properties" in result:
        result["properties"] = {
            name: bounded(kind, name, _field(one)) for name, one in result["properties"].items()
        }
        if not result.get("required"):
            result.pop("required", None)
    return result | ({"allOf": RULES[kind]} if kind in RULES else {})


def _field(schema: Json) -> Json:
    result = {name: value for name, value in schema.items() if value is not None}
    options = result.get("anyOf", [])
    others = [option for option in options if option != {"type": "null"}]
    if len(others) != len(options) and len(others) == 1 and "type" in others[0]:
        result.pop("anyOf")
        result |= others[0] | {"type": [others[0]["type"], "null"]}
    return result


def problems() -> list[tuple[int, str, str]]:
    """Status, code and message of each error in `errors.py`."""
    errors: list[tuple[int, str, str]] = []
    pending: list[type[ApiError]] = [ApiError]
    while pending:
        kind = pending.pop(0)
        pending += kind.__subclasses__()
        if kind is not ApiError and kind.__module__ == ApiError.__module__:
            errors.append((kind.status, kind.code, " ".join((kind.__doc__ or "").split())))
    return sorted(errors)
