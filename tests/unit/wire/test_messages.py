"""Messages: their shapes, what is wrong with them, and what admission learns of them."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from oxlo.errors import BadRequest
from oxlo.wire import chat

Refuse = Callable[..., BadRequest]
Accept = Callable[..., chat.ChatRequest]

URL = "data:image/png;base64," + "A" * 5000
PICTURE = {"type": "image_url", "image_url": {"url": URL}}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USER = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    ("messages", "param", "words"),
    [
        ([], "messages", "give at least one message"),
        ("Hi", "messages", 'For example: [{"role": "user"'),
        (None, "messages", 'For example: [{"role": "user"'),
        ({"role": "user"}, "messages", "expected array, got object"),
        (["Hi"], "messages[0]", "expected object, got string"),
        (
            [USER, {"role": "bot", "content": "Hi"}],
            "messages[1].role",
            "system, tool, user, got 'bot'.",
        ),
        ([USER, {"content": "Hi"}], "messages[1].role", 'For example: {"role": "user"'),
        ([{"role": None, "content": "Hi"}], "messages[0].role", "You must provide"),
        ([{"role": "user"}], "messages[0].content", "a string or a list of parts"),
        ([{"role": "user", "content": None}], "messages[0].content", "a string or a list of"),
        ([{"role": "user", "content": 5}], "messages[0].content", "list of parts, got number"),
        ([{"role": "user", "content": {}}], "messages[0].content", "list of parts, got object"),
        ([{"role": "user", "content": True}], "messages[0].content", "list of parts, got boolean"),
        ([{"role": "user", "content": []}], "messages[0].content", "at least one part"),
        ([{"role": "user", "content": [5]}], "messages[0].content[0]", "expected object"),
        ([{"role": "user", "content": [{}]}], "messages[0].content[0].type", "provide"),
        ([{"role": "assistant"}], "messages[0].content", "a string or a list of parts"),
        ([{"role": "assistant", "tool_calls": []}], "messages[0].content", "a string"),
        ([{"role": "assistant", "refusal": ""}], "messages[0].content", "a string"),
        ([{"role": "assistant", "tool_calls": 5}], "messages[0].tool_calls", "expected array"),
        ([{"role": "assistant", "tool_calls": [{}]}], "messages[0].tool_calls[0].id", "provide"),
        ([{"role": "tool", "content": "4"}], "messages[0].tool_call_id", "You must provide"),
        ([{"role": "user", "content": "a", "name": 5}], "messages[0].name", "expected string"),
    ],
)
def test_wrong_message(refuse: Refuse, messages: Any, param: str, words: str) -> None:
    """The error names the message and its field."""
    error = refuse(messages=messages)
    assert error.param == param
    assert words in error.message


@pytest.mark.parametrize(
    ("part", "field", "words"),
    [
        ({"text": "a"}, ".type", 'For example: {"type": "text"'),
        ({"type": "text"}, ".text", "You must provide"),
        ({"type": "text", "text": 5}, ".text", "expected string or null"),
        ({"type": "smell"}, ".type", "one of file, image_url"),
        ({"type": "input_text", "text": "a"}, ".type", "here it is 'text'"),
        ({"type": "image"}, ".type", "here it is 'image_url'"),
        ({"type": "image_url"}, ".image_url", "You must provide"),
        ({"type": "refusal", "refusal": "No."}, "", "role 'assistant'"),
        ({"type": "image_url", "image_url": "http://x"}, ".image_url", "expected object"),
        ({"type": "image_url", "image_url": {}}, ".image_url.url", "You must provide"),
        (
            {"type": "image_url", "image_url": {"url": "u", "detail": "fine"}},
            ".image_url.detail",
            "one of auto, high, low",
        ),
    ],
)
def test_wrong_part(refuse: Refuse, part: dict[str, Any], field: str, words: str) -> None:
    """The error names the part by its place."""
    parts = [{"type": "text", "text": "Look:"}, part]
    error = refuse(messages=[USER, {"role": "user", "content": parts}])
    assert error.param == f"messages[1].content[1]{field}"
    assert words in error.message


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": ""},
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": "Hi", "name": "ann"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "assistant", "content": None, "function_call": CALL["function"]},
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "tool", "tool_call_id": "1", "content": "4"},
        {"role": "function", "name": "f", "content": "4"},
        {"role": "function", "name": "f", "content": None},
    ],
)
def test_message_is_taken(accept: Accept, message: dict[str, Any]) -> None:
    """Every role has its shapes; fields of other services beside them do no harm."""
    assert accept(messages=[USER, message | {"cache_control": {}}]).message_count == 2


def test_summary(accept: Accept) -> None:
    """The bytes of the messages bound their tokens."""
    request = accept(messages=[USER, USER])
    assert request.summary.count == 2
    assert request.text_bytes == 2 * len(msgspec.json.encode(USER["content"]))
    assert request.summary.kinds == frozenset()


def test_pictures_in_their_order() -> None:
    """Each is named by its place, for errors."""
    request, _ = chat.decode(_with([PICTURE, {"type": "text", "text": "and"}, PICTURE]))
    assert [medium.param for medium in request.media()] == [
        f"messages[0].content[{n}].image_url.url" for n in (0, 2)
    ]
    assert all(medium.source == URL for medium in request.media())


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_only_users_show_pictures(refuse: Refuse, role: str) -> None:
    """As OpenAI has it."""
    error = refuse(messages=[USER, {"role": role, "content": [PICTURE]}])
    assert (error.param, "role 'user'" in error.message) == ("messages[1].content[0]", True)


def test_pictures_are_no_text() -> None:
    """A picture's base64 does not count; every word beside it does, whatever it looks like."""
    words = {"type": "text", "text": "data:" + "a" * 3000}
    request, _ = chat.decode(_with([PICTURE, words, PICTURE]))
    assert request.summary.kinds == {"image_url", "text"}
    assert 3000 < request.text_bytes < 3300


@pytest.mark.parametrize(
    ("part", "ability"),
    [
        (PICTURE, "vision"),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "audio"),
        ({"type": "file", "file": {"file_id": "f"}}, "files"),
    ],
)
def test_senses(refuse: Refuse, part: dict[str, Any], ability: str) -> None:
    """A model that cannot see, hear or read files says so."""
    error = refuse(messages=[{"role": "user", "content": [part]}])
    assert error.error_code == "unsupported_ability"
    assert error.extra == {"ability": ability}


def test_what_is_said_stays_bytes() -> None:
    """What messages say is passed on as it was written, odd spelling included."""
    written = b'[ {"content" : "\\u0041" , "x":1, "role":"user"} ]'
    request, _ = chat.decode(b'{"model":"m","messages":%b}' % written)
    assert msgspec.json.encode(request.messages) == b'[{"role":"user","content":"\\u0041"}]'


def test_all_that_is_told_counts() -> None:
    """Names, calls and thoughts are part of the prompt: they count as well."""
    turn = {"role": "assistant", "content": "Hi", "reasoning_content": "x" * 900}
    request, _ = chat.decode(msgspec.json.encode({"model": "m", "messages": [USER, turn]}))
    assert request.text_bytes > 900


def _with(parts: list[dict[str, Any]]) -> bytes:
    return msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": parts}]})
