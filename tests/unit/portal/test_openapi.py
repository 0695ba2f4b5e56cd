"""The description of the API: true to the types, its examples valid."""

from typing import Any

import msgspec
import pytest

from oxlo.gateway.endpoints import INFERENCE
from oxlo.portal.manual.library import Library
from oxlo.portal.openapi.document import document, example, problems
from oxlo.portal.openapi.operations import OPERATIONS, Operation

LIBRARY = Library.here("https://ai.example.org")


def read(slug: str) -> str:
    """A page as Markdown."""
    return LIBRARY.text(LIBRARY.pages[slug])


WHOLE = document("https://ai.example.org", read)
POSTS = [op for op in OPERATIONS if op.body]


def name(op: Operation) -> str:
    return op.id


def test_every_endpoint_is_described() -> None:
    """The inference endpoints of the gateway are those of the document."""
    described = {path for path, item in WHOLE["paths"].items() if "post" in item}
    assert described == {endpoint.path for endpoint in INFERENCE}


@pytest.mark.parametrize("op", POSTS, ids=name)
def test_requests_are_valid(op: Operation) -> None:
    """Each example of a request is taken by the decoder that serves it."""
    endpoint = next(e for e in INFERENCE if e.path == op.path)
    decode = endpoint.forms if op.form == "only" else endpoint.decode
    assert decode is not None
    _, unknown = decode(msgspec.json.encode(op.example))
    assert unknown == ()


@pytest.mark.parametrize("op", OPERATIONS, ids=name)
def test_replies_are_valid(op: Operation) -> None:
    """Each example of a reply, which the documentation shows, has the described type."""
    shown = example(op, read)
    if shown is not None:
        msgspec.convert(shown, op.reply)
        assert set(shown) <= set(op.reply.__struct_encode_fields__), "fields that are not described"


def test_most_replies_have_examples() -> None:
    """Only sound, and the lists whose items are shown, have none."""
    without = [op.id for op in OPERATIONS if example(op, read) is None]
    assert without == ["createSpeech", "listModels", "listReceipts"]


def references(value: Any) -> list[str]:
    """Every `$ref` in a document."""
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for one in value.values() for ref in references(one)]
    return [ref for one in value for ref in references(one)] if isinstance(value, list) else []


def test_references_resolve() -> None:
    """What is referred to is there."""
    for reference in set(references(WHOLE)):
        found: Any = WHOLE
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_operations_are_told_apart() -> None:
    """Ids are unique; each path parameter is described."""
    assert len({op.id for op in OPERATIONS}) == len(OPERATIONS)
    for op in OPERATIONS:
        inside = [p for p, place, _ in op.parameters if place == "path"]
        assert all(f"{{{parameter}}}" in op.path for parameter in inside)
        assert op.path.count("{") == len(inside)


def test_groups_are_described() -> None:
    """Each group that an operation is in has a description, and no other is there."""
    described = [tag["name"] for tag in WHOLE["tags"] if tag["description"]]
    assert described == list(dict.fromkeys(op.tag for op in OPERATIONS))


def test_fields_have_the_catalogues_words() -> None:
    """Meaning, range and default are what `/parameters` publishes."""
    field = WHOLE["components"]["schemas"]["ChatFields"]["properties"]["temperature"]
    assert (field["minimum"], field["maximum"], field["default"]) == (0, 2, 0.7)
    assert field["type"] == ["number", "null"]
    assert field["description"]


def test_defaults_have_the_fields_type() -> None:
    """A default is a value that the field takes."""
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    for schema in WHOLE["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if field.get("default") is not None and "type" in field:
                taken = field["type"] if isinstance(field["type"], list) else [field["type"]]
                kind = names.get(type(field["default"]), taken[0])
                assert kind in taken or (kind, taken[0]) == ("integer", "number"), name


def test_every_field_is_explained() -> None:
    """No field of a request is without words."""
    schemas = WHOLE["components"]["schemas"]
    silent = [
        (op.body.__name__, name)
        for op in POSTS
        for name, field in schemas[op.body.__name__]["properties"].items()
        if not field.get("description")
    ]
    assert silent == []


def test_pages_are_there() -> None:
    """Each operation leads to its page."""
    assert {op.page for op in OPERATIONS} <= set(LIBRARY.pages)


def test_errors_are_the_tree() -> None:
    """The reference lists the codes of the error tree."""
    codes = {code for _, code, _ in problems()}
    assert {"daily_limit_exceeded", "model_not_found", "context_length_exceeded"} <= codes
