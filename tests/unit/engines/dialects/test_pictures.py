"""Pictures in what engines are sent: where each belongs, from files, whatever else is said."""

from typing import Any

import msgspec
import pytest

from oxlo.engines.dialect import Decided
from oxlo.engines.dialects import DIALECTS
from oxlo.engines.parts import FilePart, Parts
from oxlo.wire.media import File

FILES = tuple(File(path=f"/spool/{n}", size=10 + n, type="image/png") for n in range(2))
SHOWN = [
    {"type": "text", "text": "0 \0 \\u0000"},
    {"type": "image_url", "image_url": {"url": "https://a/1", "detail": "low", "x": 1}},
    {"type": "text", "text": "and"},
    {"type": "image_url", "image_url": {"url": "oxlo-file:7"}, "cache": True},
]
MESSAGES = [
    {"role": "developer", "content": "Look."},
    {"role": "user", "content": SHOWN},
    {"role": "assistant", "content": "I did."},
    {"role": "user", "content": "Again."},
]


def put_together(body: bytes | Parts) -> Any:
    """The body as an engine gets it; a file is shown by its name."""
    assert isinstance(body, Parts)
    pieces = (p.path.encode() if isinstance(p, FilePart) else p for p in body.pieces)
    return msgspec.json.decode(b"".join(pieces))


@pytest.mark.parametrize("tools_by", ["native", "constrained"])
def test_each_in_its_place(name: str, talk: Any, tools_by: str) -> None:
    """Known fields of a picture go on, with its file for a URL; words stay what they are."""
    one = talk(name, tools_by=tools_by, messages=MESSAGES)
    view = decided(one.decided)
    sent = put_together(DIALECTS[name].chat(one.request, view).body)["messages"]
    assert sent[1]["content"] == [
        SHOWN[0],
        {"type": "image_url", "image_url": {"url": "/spool/0", "detail": "low"}},
        SHOWN[2],
        {"type": "image_url", "image_url": {"url": "/spool/1"}},
    ]
    assert sent[2]["content"] == "I did."


def test_detail_that_engines_do_not_know(name: str, talk: Any) -> None:
    """OpenAI's newest level of detail is the highest that every engine knows."""
    shown = {"type": "image_url", "image_url": {"url": "oxlo-file:0", "detail": "original"}}
    one = talk(name, messages=[{"role": "user", "content": [shown]}])
    sent = put_together(DIALECTS[name].chat(one.request, decided(one.decided)).body)
    (part,) = sent["messages"][0]["content"]
    assert part["image_url"]["detail"] == "high"


def decided(view: Decided) -> Decided:
    return Decided(view.model, view.engine_model, view.max_tokens, 1, view.now, files=FILES)


def test_beside_tools(talk: Any) -> None:
    """Also where tools are told in words, which are put before all that is said."""
    tool = {"type": "function", "function": {"name": "f"}}
    one = talk("llamacpp", tools_by="constrained", messages=MESSAGES[1:], tools=[tool])
    sent = put_together(DIALECTS["llamacpp"].chat(one.request, decided(one.decided)).body)
    assert sent["messages"][1]["content"][1]["image_url"]["url"] == "/spool/0"


def test_counted_without_pictures(name: str, talk: Any) -> None:
    """No text's cap counts them; a message of pictures alone is an empty one."""
    alone = {"role": "user", "content": [SHOWN[1]]}
    one = talk(name, messages=[*MESSAGES, alone])
    asked = DIALECTS[name].count(one.request, one.decided)
    if name == "openai":
        assert asked is None
        return
    messages = msgspec.json.decode(asked[0].body)["messages"]
    assert [message["content"] for message in messages] == [
        "Look.", [SHOWN[0], SHOWN[2]], "I did.", "Again.", "",
    ]  # fmt: skip
