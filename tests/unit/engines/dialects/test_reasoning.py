"""Thoughts that stand in an answer's text become `reasoning_content` beside a clean answer."""

from typing import Any

import pytest

from oxlo.testing.script import Script

THOUGHTS, ANSWER = "Is it 4?\nIt is <5>.", "It is 4.\n\n</think> is a tag."
MARKED = f"<think>\n{THOUGHTS}\n</think>\n\n{ANSWER}"


def script(text: str, chunks: int = 1) -> Script:
    return Script(text=text, chunks=chunks)


def streamed(chunks: list[Any], index: int = 0) -> tuple[str, str]:
    """Thoughts and answer of a stream's choice."""
    told = [c["delta"] for chunk in chunks for c in chunk["choices"] if c["index"] == index]
    parts = ("reasoning_content", "content")
    thoughts, answer = ("".join(delta.get(part) or "" for delta in told) for part in parts)
    return thoughts, answer


def whole(reply: Any) -> tuple[str, str]:
    message = reply["choices"][0]["message"]
    return message.get("reasoning_content", ""), message["content"]


@pytest.mark.parametrize("chunks", range(1, len(MARKED) + 1))
def test_tags_cut_anywhere(name: str, talk: Any, chunks: int) -> None:
    """However the model's text comes in pieces, the parts are the same."""
    asked = talk(name, thoughts="marked", stream=True)
    assert streamed(asked.events(script(MARKED, chunks))) == (THOUGHTS, ANSWER)


def test_whole_reply(name: str, talk: Any) -> None:
    """The same in a reply that is not streamed."""
    assert whole(talk(name, thoughts="marked").reply(script(MARKED))) == (THOUGHTS, ANSWER)


@pytest.mark.parametrize(
    ("text", "thoughts", "answer"),
    [
        ("<think>\n\n</think>\n\nHi.", "", "Hi."),
        ("<think></think>", "", ""),
        ("<think>Still think", "Still think", ""),
        ("<think>Still </thi", "Still </thi", ""),
        ("<thin", "", "<thin"),
        ("  Hi <think>no</think>", "", "  Hi <think>no</think>"),
        ("<thinking>no</thinking>", "", "<thinking>no</thinking>"),
        ("  \n<think>a</think>b", "a", "b"),
    ],
)
def test_odd_texts(name: str, talk: Any, text: str, thoughts: str, answer: str) -> None:
    """Only what the text begins with is thought; nothing that was said is lost."""
    for chunks in range(1, len(text) + 1):
        asked = talk(name, thoughts="marked", stream=True)
        assert streamed(asked.events(script(text, chunks))) == (thoughts, answer)
    assert whole(talk(name, thoughts="marked").reply(script(text))) == (thoughts, answer)


def test_other_models_are_left_alone(name: str, talk: Any) -> None:
    """A model that does not reason may write about tags."""
    assert whole(talk(name).reply(script(MARKED))) == ("", MARKED)
    assert streamed(talk(name, stream=True).events(script(MARKED, 9))) == ("", MARKED)


OPEN = f"{THOUGHTS}\n</think>\n\n{ANSWER}"


@pytest.mark.parametrize("chunks", [1, 7, len(OPEN)])
def test_begun_by_the_template(talk: Any, chunks: int) -> None:
    """Some models' templates have written the first tag already."""
    asked = talk("openai", thoughts="open", stream=True)
    assert streamed(asked.events(script(OPEN, chunks))) == (THOUGHTS, ANSWER)
    assert whole(talk("openai", thoughts="open").reply(script(OPEN))) == (THOUGHTS, ANSWER)


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        ("vllm", {}),
        ("llamacpp", {}),
        ("openai", {"response_format": {"type": "json_object"}}),
    ],
)
def test_not_begun_by_the_template(talk: Any, dialect: str, fields: Any) -> None:
    """These engines tell thoughts apart, and an answer with a form has none: text is the answer."""
    assert whole(talk(dialect, thoughts="open", **fields).reply(script("{}"))) == ("", "{}")


def test_told_apart_by_the_engine(name: str, talk: Any) -> None:
    """Thoughts that come in a field of their own stay there, and the text is the answer."""
    said = Script(reasoning="Hm. Well.", text="<think> is a tag.", chunks=4)
    asked = talk(name, thoughts="open", stream=True)
    assert streamed(asked.events(said)) == ("Hm. Well.", "<think> is a tag.")
    assert whole(talk(name, thoughts="open").reply(said)) == ("Hm. Well.", "<think> is a tag.")


def test_several_choices(name: str, talk: Any) -> None:
    """Each has its thoughts."""
    asked = talk(name, thoughts="marked", stream=True, n=2)
    chunks = asked.events(script(MARKED, 11))
    assert streamed(chunks, 0) == streamed(chunks, 1) == (THOUGHTS, ANSWER)


TOOLS = [{"type": "function", "function": {"name": "add"}}]


def test_thoughts_before_a_call(talk: Any) -> None:
    """A call that is read out of the text may have thoughts before it."""
    text = '<think>I add.</think>\n{"name": "add", "arguments": {"a": 1}}'
    asked = talk("llamacpp", tools_by="constrained", thoughts="marked", tools=TOOLS)
    (choice,) = asked.reply(script(text))["choices"]
    assert choice["message"]["reasoning_content"] == "I add."
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "add"
    assert choice["finish_reason"] == "tool_calls"


def test_cut_reads(name: str, talk: Any) -> None:
    """Reads that cut events change nothing, nor does the quick way for words after the thoughts."""
    asked = talk(name, thoughts="marked", stream=True)
    said = asked.told(script(MARKED, 20))
    out, stream = asked.heard(said)
    assert stream.done
    assert all(asked.heard(said, size)[0] == out for size in range(1, 80))
