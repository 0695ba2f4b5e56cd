"""The OpenAPI document: true to the types, with valid examples."""

import json
import re
from typing import Any

import msgspec
import pytest

from oxlo.catalogue.abilities import shared
from oxlo.control import requests
from oxlo.control.usage import grouping
from oxlo.errors import BadRequest, Conflict
from oxlo.gateway.endpoints import INFERENCE
from oxlo.gateway.idempotency.keyed import KEY_MAX
from oxlo.portal.manual.library import Library
from oxlo.portal.openapi import replies
from oxlo.portal.openapi.bounds import BOUNDS
from oxlo.portal.openapi.document import document, example, problems
from oxlo.portal.openapi.operations import HEADERS, OPERATIONS, Operation
from oxlo.wire.ranges import ANY, CLAMPED

LIBRARY = Library.here("https://ai.example.org")


def read(slug: str) -> str:
    """A page as Markdown."""
    return LIBRARY.text(LIBRARY.pages[slug])


WHOLE = document("https://ai.example.org", read)
POSTS = [op for op in OPERATIONS if op.body]


def name(op: Operation) -> str:
    return op.id


def test_every_endpoint_is_described() -> None:
    """The document has exactly the gateway's inference endpoints."""
    described = {path for path, item in WHOLE["paths"].items() if "post" in item}
    assert described == {endpoint.path for endpoint in INFERENCE}


@pytest.mark.parametrize("op", POSTS, ids=name)
def test_requests_are_valid(op: Operation) -> None:
    """Each example request is accepted by the decoder that serves it."""
    endpoint = next(e for e in INFERENCE if e.path == op.path)
    decode = endpoint.forms if op.form == "only" else endpoint.decode
    assert decode is not None
    _, unknown = decode(msgspec.json.encode(op.example))
    assert unknown == ()


def fields(kind: str) -> dict[str, Any]:
    """The described fields of a type."""
    return dict(WHOLE["components"]["schemas"][kind]["properties"])


def beyond(kind: str, field: str) -> list[Any]:
    """Values just outside of a field's described bounds."""
    said = fields(kind)[field]
    return [value for one in said.get("anyOf", [said]) for value in outside(one)]


def outside(said: dict[str, Any]) -> list[Any]:
    """Values that a schema does not accept."""
    found: list[Any] = []
    if "maxItems" in said:
        found.append([inside(said["items"])] * (said["maxItems"] + 1))
    if "minItems" in said:
        found.append([])
    if "minLength" in said:
        found.append("")
    if "minimum" in said:
        found.append(said["minimum"] - 1)
    if "maximum" in said:
        found.append(said["maximum"] + 1)
    if "maxProperties" in said:
        found.append(dict.fromkeys(map(str, range(said["maxProperties"] + 1)), ""))
    if "propertyNames" in said:
        found.append({"no number": 1})
    return found


def inside(said: dict[str, Any]) -> Any:
    """A value that an item's schema accepts."""
    if "$ref" in said:
        return {"name": "f"}
    if "properties" in said:
        return {"type": "function", "function": {"name": "f"}}
    return {"string": "a", "integer": 1, "array": [1]}[said["type"]]


BEYOND = [
    (op, field, value)
    for op in POSTS
    if op.body.__name__ in BOUNDS
    for field in BOUNDS[op.body.__name__]
    for value in beyond(op.body.__name__, field)
]


@pytest.mark.parametrize(("op", "field", "value"), BEYOND)
def test_bounds_are_those_of_the_decoder(op: Operation, field: str, value: Any) -> None:
    """The decoder refuses values outside the described bounds, naming the field."""
    endpoint = next(e for e in INFERENCE if e.path == op.path)
    with pytest.raises(BadRequest) as caught:
        endpoint.decode(msgspec.json.encode((op.example or {}) | {field: value}))
    assert (caught.value.param or "").split("[")[0] == field


def test_what_is_lowered_has_no_bound() -> None:
    """Clamped parameters such as max_tokens have no described maximum; seeds have 64 bits."""
    for name in ("max_tokens", "max_completion_tokens"):
        assert fields("ChatFields")[name]["minimum"] == 1
        assert "maximum" not in fields("ChatFields")[name]
    assert fields("ChatFields")["seed"]["maximum"] == (1 << 63) - 1


def fits(value: Any, said: dict[str, Any]) -> bool:
    """Whether a value fits a schema, as far as the rules between fields use JSON schema."""
    if "if" in said:
        return not fits(value, said["if"]) or fits(value, said["then"])
    types = said.get("type", [])
    return (
        (not types or kind_of(value) in ([types] if isinstance(types, str) else types))
        and value in said.get("enum", [value])
        and value == said.get("const", value)
        and not ("not" in said and fits(value, said["not"]))
        and ("anyOf" not in said or any(fits(value, one) for one in said["anyOf"]))
        and (not isinstance(value, str) or len(value) >= said.get("minLength", 0))
        and (not isinstance(value, int) or value >= said.get("minimum", value))
        and (not isinstance(value, int) or value <= said.get("maximum", value))
        and (not isinstance(value, list) or len(value) >= said.get("minItems", 0))
        and all(
            fits(item, said["items"])
            for item in (value if isinstance(value, list) and "items" in said else ())
        )
        and (not isinstance(value, dict) or set(said.get("required", [])) <= value.keys())
        and all(
            fits(value[name], one)
            for name, one in said.get("properties", {}).items()
            if isinstance(value, dict) and name in value
        )
    )


def kind_of(value: Any) -> str:
    """The name of a value's type in JSON schema."""
    names = {str: "string", list: "array", dict: "object", bool: "boolean", int: "integer"}
    return "null" if value is None else names[type(value)]


def refused(kind: str, value: dict[str, Any]) -> bool:
    """Whether the decoder refuses such an object, in its place in a request."""
    asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    endpoints = {endpoint.name: endpoint for endpoint in INFERENCE}
    named = {"ImageRequest": "images", "TranscriptionRequest": "transcriptions"}
    endpoint = endpoints[named.get(kind, "chat")]
    decode = endpoint.decode or endpoint.forms
    assert decode is not None
    places: dict[str, dict[str, Any]] = {
        "ChatFields": value,
        "Message": {"messages": [value]},
        "Part": {"messages": [{"role": "user", "content": [value]}]},
        "ResponseFormat": {"response_format": value},
        "ImageRequest": {"prompt": "A house"} | value,
        "TranscriptionRequest": {"file": "oxlo-file:0"} | value,
    }
    try:
        decode(msgspec.json.encode(asked | places[kind]))
    except BadRequest:
        return True
    return False


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ChatFields", {"stream_options": {}}),
        ("ChatFields", {"stream_options": {}, "stream": False}),
        ("ChatFields", {"stream_options": {}, "stream": True}),
        ("ChatFields", {"stream_options": None}),
        ("ChatFields", {"top_logprobs": 0}),
        ("ChatFields", {"top_logprobs": 0, "logprobs": False}),
        ("ChatFields", {"top_logprobs": 0, "logprobs": True}),
        ("ChatFields", {"tool_choice": "required"}),
        ("ChatFields", {"tool_choice": "required", "tools": []}),
        ("ChatFields", {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        ("ChatFields", {"tool_choice": "none"}),
        ("ChatFields", {"function_call": {"name": "f"}}),
        ("ChatFields", {"function_call": "auto"}),
        ("ChatFields", {"function_call": "auto", "tool_choice": "auto"}),
        ("ChatFields", {"functions": [], "tools": []}),
        ("ChatFields", {"functions": [], "tools": None}),
        ("ChatFields", {"functions": None, "tools": []}),
        ("Message", {"role": "user"}),
        ("Message", {"role": "system", "content": None}),
        ("Message", {"role": "tool", "content": "4"}),
        ("Message", {"role": "tool", "content": "4", "tool_call_id": ""}),
        ("Message", {"role": "tool", "content": "4", "tool_call_id": "a"}),
        ("Message", {"role": "function", "content": "4"}),
        ("Message", {"role": "user", "content": [{"type": "refusal", "refusal": "No"}]}),
        ("Message", {"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]}),
        (
            "Message",
            {"role": "system", "content": [{"type": "image_url", "image_url": {"url": "a"}}]},
        ),
        ("Part", {"type": "text"}),
        ("Part", {"type": "text", "text": None}),
        ("Part", {"type": "text", "text": ""}),
        ("Part", {"type": "image_url"}),
        ("ResponseFormat", {"type": "json_schema"}),
        ("ResponseFormat", {"type": "json_schema", "json_schema": {"name": "a"}}),
        ("ResponseFormat", {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}),
        ("ResponseFormat", {"type": "json_schema", "schema": {}}),
        ("ResponseFormat", {"type": "text"}),
        ("ImageRequest", {"output_compression": 50}),
        ("ImageRequest", {"output_compression": 50, "output_format": "png"}),
        ("ImageRequest", {"output_compression": 50, "output_format": "jpeg"}),
        ("ImageRequest", {"output_compression": 100}),
        ("ImageRequest", {"partial_images": 1}),
        ("ImageRequest", {"partial_images": 1, "stream": True}),
        ("ImageRequest", {"partial_images": 0}),
        ("ImageRequest", {"stream": True, "n": 2}),
        ("ImageRequest", {"stream": True, "n": 1, "response_format": None}),
        ("ImageRequest", {"stream": True, "response_format": "url"}),
        ("ImageRequest", {"stream": True, "response_format": "b64_json"}),
        ("ImageRequest", {"stream": False, "n": 2, "response_format": "url"}),
        ("TranscriptionRequest", {"timestamp_granularities": ["word"]}),
        ("TranscriptionRequest", {"timestamp_granularities": []}),
        (
            "TranscriptionRequest",
            {"timestamp_granularities": ["word"], "response_format": "verbose_json"},
        ),
        ("TranscriptionRequest", {"stream": True}),
        ("TranscriptionRequest", {"stream": True, "response_format": "text"}),
        ("TranscriptionRequest", {"stream": True, "response_format": "srt"}),
    ],
)
def test_rules_between_fields_are_those_of_the_decoder(kind: str, value: dict[str, Any]) -> None:
    """The decoder and the description refuse the same combinations of fields."""
    rules = WHOLE["components"]["schemas"][kind]["allOf"]
    assert all(fits(value, rule) for rule in rules) != refused(kind, value)


def test_a_model_that_is_left_out_may_be_null() -> None:
    """Optional models may be null, with the same meaning as absent."""
    free = [
        op
        for op in POSTS
        if "model" not in WHOLE["components"]["schemas"][op.body.__name__].get("required", ())
    ]
    assert "createSpeech" in map(name, free)
    for op in free:
        endpoint = next(e for e in INFERENCE if e.path == op.path)
        decode = endpoint.decode or endpoint.forms
        assert decode is not None
        decode(msgspec.json.encode((op.example or {}) | {"model": None}))
        assert fields(op.body.__name__)["model"]["type"] == ["string", "null"]


def test_parameters_are_those_that_are_checked() -> None:
    """Described ranges and choices of query parameters are those that are enforced."""
    found = {p.name: p.schema for op in OPERATIONS for p in op.parameters}
    limit = found["limit"]
    assert (limit["maximum"], limit["default"]) == (requests.MAX_LIMIT, requests.DEFAULT_LIMIT)
    assert grouping(",".join(found["by"]["items"]["enum"]))
    (key,) = (p.schema["pattern"] for p in HEADERS if p.name == "Idempotency-Key")
    for length, fine in ((1, True), (KEY_MAX, True), (KEY_MAX + 1, False), (0, False)):
        assert bool(re.search(key, "k" * length)) is fine


@pytest.mark.parametrize("op", OPERATIONS, ids=name)
def test_replies_are_valid(op: Operation) -> None:
    """Each example reply from the documentation has the described type."""
    shown = example(op, read)
    if shown is not None:
        msgspec.convert(shown, op.reply)
        assert set(shown) <= set(op.reply.__struct_encode_fields__), "fields that are not described"


def test_dry_runs_are_described() -> None:
    """The manual's example of a dry run has the described type."""
    shown = json.loads(read("api/dry-run").split("```json\n")[1].split("```")[0])
    msgspec.convert(shown, replies.DryRunReply)
    assert "DryRunReply" in WHOLE["components"]["schemas"]
    assert set(shown) == set(replies.DryRunReply.__struct_encode_fields__)


def test_statuses_are_those_of_the_tree() -> None:
    """Only statuses of the error tree are described; requests with a body may conflict."""
    known = {status for status, _, _ in problems()}
    for op in OPERATIONS:
        said = {int(status) for status in WHOLE["paths"][op.path][op.method]["responses"]}
        assert said - {200} <= known
        assert (Conflict.status in said) is (op.body is not None)


def test_most_replies_have_examples() -> None:
    """Only binary replies, empty lists and lists of documented items lack examples."""
    without = [op.id for op in OPERATIONS if example(op, read) is None]
    assert without == ["listStoredChats", "createSpeech", "listModels", "listReceipts"]


def references(value: Any) -> list[str]:
    """Every `$ref` in a document."""
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for one in value.values() for ref in references(one)]
    return [ref for one in value for ref in references(one)] if isinstance(value, list) else []


def test_references_resolve() -> None:
    """Every reference resolves."""
    for reference in set(references(WHOLE)):
        found: Any = WHOLE
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_operations_are_told_apart() -> None:
    """Operation ids are unique; each path parameter is described."""
    assert len({op.id for op in OPERATIONS}) == len(OPERATIONS)
    for op in OPERATIONS:
        inside = [p.name for p in op.parameters if p.place == "path"]
        assert all(f"{{{parameter}}}" in op.path for parameter in inside)
        assert op.path.count("{") == len(inside)


def test_groups_are_described() -> None:
    """Every used tag has a description, and no other tag does."""
    described = [tag["name"] for tag in WHOLE["tags"] if tag["description"]]
    assert described == list(dict.fromkeys(op.tag for op in OPERATIONS))


def test_fields_have_the_catalogues_words() -> None:
    """Description, range and default come from `/parameters`."""
    field = WHOLE["components"]["schemas"]["ChatFields"]["properties"]["temperature"]
    assert (field["minimum"], field["maximum"], field["default"]) == (0, 2, 0.7)
    assert field["type"] == ["number", "null"]
    assert field["description"]


#: Fields of another kind than the parameter of that name; a seed is published where it matters.
_OWN = {("CompletionFields", "logprobs"), ("ChatFields", "seed"), ("CompletionFields", "seed")}


@pytest.mark.parametrize("op", POSTS, ids=name)
def test_what_is_published_is_described(op: Operation) -> None:
    """`/parameters` and the description tell the same default and choices of each field, and the
    same range where a value beyond it is refused.
    """
    kind = op.body.__name__
    for each, published in shared(op.abilities).items():
        if each not in fields(kind) or (kind, each) in _OWN:
            continue
        said = fields(kind)[each]
        assert said.get("default") == published.default, each
        if published.type in ("int", "float"):
            least, most = (None, None) if each in ANY else (published.min, published.max)
            most = None if each in CLAMPED else most
            assert (said.get("minimum"), said.get("maximum")) == (least, most), each
        if published.choices:
            chosen = {c for one in said.get("anyOf", [said]) for c in one.get("enum", ())}
            assert chosen - {None} == set(published.choices), each


@pytest.mark.parametrize("op", POSTS, ids=name)
def test_what_is_described_is_in_the_manual(op: Operation) -> None:
    """Every field of a request is on the page about it."""
    words = set(re.findall(r"`(\w+)(?:\[\])?[^`]*`", read(op.page)))
    assert fields(op.body.__name__).keys() <= words


def test_defaults_have_the_fields_type() -> None:
    """Every default is valid for its field."""
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    for schema in WHOLE["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if field.get("default") is not None and "type" in field:
                taken = field["type"] if isinstance(field["type"], list) else [field["type"]]
                kind = names.get(type(field["default"]), taken[0])
                assert kind in taken or (kind, taken[0]) == ("integer", "number"), name


def test_every_field_is_explained() -> None:
    """Every request field has a description."""
    schemas = WHOLE["components"]["schemas"]
    silent = [
        (op.body.__name__, name)
        for op in POSTS
        for name, field in schemas[op.body.__name__]["properties"].items()
        if not field.get("description")
    ]
    assert silent == []


def test_pages_are_there() -> None:
    """Each operation links to its page."""
    assert {op.page for op in OPERATIONS} <= set(LIBRARY.pages)


def test_errors_are_the_tree() -> None:
    """The reference lists the codes of the error tree."""
    codes = {code for _, code, _ in problems()}
    assert {"daily_limit_exceeded", "model_not_found", "context_length_exceeded"} <= codes
