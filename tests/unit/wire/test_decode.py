"""Bodies that are no requests: every one is a 400 that says why."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oxlo import catalogue
from oxlo.errors import BadRequest
from oxlo.wire import chat, completions, images

MODEL = catalogue.load().resolve("smollm2-135m")
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
DEEP = b"[" * 100_000
CLOSED = DEEP + b"]" * 100_000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b'{"model":"m",}', "bad_json"),
        (b"hello", "bad_json"),
        (b'{"model":"m","messages":[]}{}', "bad_json"),
        (b'\xef\xbb\xbf{"model":"m"}', "bad_json"),
        (b'{"model":"\\ud800"}', "bad_json"),
        (b'{"zzz":1,"model":nul}', "bad_json"),
        (b'{"zzz":1}}', "bad_json"),
        (b'{"zzz":%b' % DEEP, "too_deep"),
        (b'{"model":"m","messages":[],"zzz":1}x', "bad_json"),
        (b"\xff", "invalid_utf8"),
        (b'{"zzz":"\xff"}', "invalid_utf8"),
        (b'{"messages":[{"content":"\xed\xa0\x80"}]}', "invalid_utf8"),
        (b"null", "invalid_request"),
        (b"[]", "invalid_request"),
        (b'"x"', "invalid_request"),
        (b"5", "invalid_request"),
        (b"{}", "missing_required_parameter"),
    ],
)
def test_no_request(body: bytes, code: str) -> None:
    """What is no JSON object is refused with its own code."""
    with pytest.raises(BadRequest) as caught:
        chat.decode(body)
    assert caught.value.error_code == code
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("more", ["", ',"zzz":1', ',"user":null'])
def test_null_is_nothing(more: str) -> None:
    """Also for a field that has a value of its own where none was sent."""
    request, _ = images.decode(b'{"prompt":"a cat","model":null%b}' % more.encode())
    assert (request.prompt, request.model) == ("a cat", "")


def test_a_null_before_a_slip() -> None:
    """What is no JSON further on is still said to be none."""
    with pytest.raises(BadRequest) as caught:
        images.decode(b'{"model":null,"prompt":nul}')
    assert caught.value.error_code == "bad_json"


def test_an_example_fits_its_field() -> None:
    """A chat's response_format is an object; an image's is a word."""
    with pytest.raises(BadRequest) as caught:
        images.decode(b'{"prompt":"a cat","response_format":"png"}')
    assert caught.value.message.endswith("expected one of b64_json, url, got 'png'.")


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ('"temperature":NaN', 'near ],"temperature":NaN}. JSON has neither NaN'),
        ('"stream":True', "JSON writes true, false and null"),
        ("'stream':1", "plain double quotes"),
        ('"user":"a\nb"', r"line ends are written \n"),
        ('"n":1 // me', "JSON has no comments"),
        (r'"user":"\ud83d"', r"half of a character, \ud83d (byte 35)"),
        (r'"user":"\ud83d\ude00\ude00"', r"half of a character, \ude00 (byte 47)"),
        (r'"user":"\\ud83d","a":1,', "trailing comma in object"),
        ('"user":"a', "ends too early"),
    ],
)
def test_slips_are_named(inside: str, words: str) -> None:
    """What people write that is nearly JSON is shown, with what to write instead."""
    with pytest.raises(BadRequest) as caught:
        chat.decode(b'{"model":"m","messages":[],%b}' % inside.encode())
    assert caught.value.error_code == "bad_json"
    assert words in caught.value.message


def test_a_form_is_named() -> None:
    """A form where JSON belongs is called one."""
    with pytest.raises(BadRequest, match="looks like a form"):
        chat.decode(b"model=m&messages=hi")


def test_byte_order_mark() -> None:
    """A byte order mark, which no editor shows, is named as what is wrong."""
    with pytest.raises(BadRequest, match="begins with a byte order mark"):
        chat.decode(b"\xef\xbb\xbf" + json.dumps(CHAT).encode())


@pytest.mark.parametrize("inside", [DEEP, CLOSED, b'{"a":' * 100_000])
@pytest.mark.parametrize(
    "body",
    [
        b"%b",
        b'{"zzz":%b}',
        b'{"model":"m","messages":%b}',
        b'{"model":"m","messages":[{"role":"user","content":%b}]}',
        b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"tools":%b}',
        b'{"model":"m","messages":[{"role":"user","content":"Hi","x":%b}],"zzz":1}',
    ],
)
def test_deep_nesting(body: bytes, inside: bytes) -> None:
    """A hundred thousand brackets are refused, wherever they are."""
    with pytest.raises(BadRequest):
        chat.decode(body % inside)


@pytest.mark.parametrize("field", ["content", "x"])
def test_nesting_at_the_edge(field: str) -> None:
    """Between what is read and what is refused there is no depth that breaks us."""
    for levels in range(900, 1100):
        inside = b"[" * levels + b"]" * levels
        message = b'{"role":"user","content":[{"type":"text","text":"a","x":%b}]}' % inside
        if field == "content":
            message = b'{"role":"user","content":%b}' % inside
        error = refused(b'{"model":"m","messages":[%b]}' % message)
        assert error is None or error.error_code in ("too_deep", "invalid_value")


def test_last_duplicate_counts() -> None:
    """Of a field given twice the last holds; the engine gets only that one."""
    request, _ = chat.decode(json.dumps(CHAT)[:-1].encode() + b',"n":5,"n":1}')
    assert request.n == 1


@pytest.mark.parametrize("digits", [30, 300, 5000, 100_000])
@pytest.mark.parametrize("name", ["seed", "n", "temperature", "max_tokens", "logit_bias"])
def test_huge_numbers(name: str, digits: int) -> None:
    """A number of any length is refused, or taken where it can be lowered."""
    number = b"9" * digits
    value = b'{"1":%b}' % number if name == "logit_bias" else number
    body = json.dumps(CHAT)[:-1].encode() + b',"%b":%b}' % (name.encode(), value)
    error = refused(body)
    assert root(error) == name if error else name == "max_tokens"


def refused(body: bytes) -> BadRequest | None:
    """Why a chat is refused."""
    try:
        chat.validate(chat.decode(body)[0], MODEL)
    except BadRequest as error:
        return error
    return None


def refusal(decode: Any, validate: Any, fields: dict[str, Any]) -> BadRequest | None:
    """Why a body with these fields is refused; None: it is valid, and can be asked about."""
    try:
        request, _ = decode(json.dumps(fields).encode())
        validate(request, MODEL)
    except BadRequest as error:
        return error
    assert request.text_bytes > 0
    assert request.output_limit is None or request.output_limit > 0
    return None


def root(error: BadRequest) -> str:
    """The field of the body that an error is about."""
    return re.split(r"[.\[]", error.param or "")[0]


def names(error: BadRequest | None, fields: dict[str, Any]) -> bool:
    """Whether an error, if there is one, is about a field that was sent, by one of its names."""
    also = {"repeat_penalty"} if "repetition_penalty" in fields else set()
    return error is None or root(error) in fields.keys() | also


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-2, 6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["user", "text", "function", "none", "required", "json_schema"])
)
KEYS = st.text(max_size=4) | st.sampled_from(
    ["role", "content", "type", "text", "image_url", "url", "function", "name", "json_schema"]
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
CHAT_FIELDS = st.sampled_from(chat.ChatFields.__struct_encode_fields__)
COMPLETION_FIELDS = st.sampled_from(completions.CompletionFields.__struct_encode_fields__)


@given(st.dictionaries(CHAT_FIELDS | KEYS, JSON, max_size=4))
def test_any_value_in_chat(fields: dict[str, Any]) -> None:
    """Any JSON in any field makes a valid request or a BadRequest, never another error."""
    error = refusal(chat.decode, chat.validate, CHAT | fields)
    assert names(error, fields)


@given(st.dictionaries(COMPLETION_FIELDS | KEYS, JSON, max_size=4))
def test_any_value_in_completions(fields: dict[str, Any]) -> None:
    """The same for the legacy endpoint."""
    whole = {"model": "m", "prompt": "Hi"} | fields
    error = refusal(completions.decode, completions.validate, whole)
    assert names(error, fields)


@given(st.lists(JSON, max_size=3))
def test_any_messages(messages: list[Any]) -> None:
    """Messages of any shape are counted or refused by name."""
    error = refusal(chat.decode, chat.validate, {"model": "m", "messages": messages})
    assert error is None or root(error) == "messages"


@given(st.binary(max_size=60))
def test_any_bytes(body: bytes) -> None:
    """Any bytes are a request or a BadRequest."""
    for decode in (chat.decode, completions.decode):
        with pytest.raises(BadRequest):
            decode(body)


@given(st.data())
def test_cut_anywhere(data: st.DataObject) -> None:
    """A body that was cut is no request, wherever it was cut."""
    body = msgspec.json.encode(CHAT | {"zzz": [1], "temperature": 1.5})
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(BadRequest):
        chat.decode(body[:cut])
