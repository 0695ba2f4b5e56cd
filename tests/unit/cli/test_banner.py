"""The text that `oxlo serve` prints once it is ready."""

import ast
import json
import re

import pytest

from oxlo import catalogue, plans
from oxlo.cli.banner import banner
from oxlo.fleet.starter import STARTER

PLAN = next(plan for plan in plans.load().plans if plan.id == "premium")


def printed(*models: str) -> str:
    known = catalogue.load()
    ready = [known.resolve(name) for name in models]
    return banner("http://here", "sk_x", PLAN, ready, "http://here/login")


def program(text: str) -> str:
    after = text.partition("(pip install openai):")[2]
    return after.partition("With a picture")[0].partition("Oxlo is ready.")[0]


def test_each_kind_of_model_has_its_call() -> None:
    """The program uses the largest ready model per category, and is valid Python."""
    shown = program(printed("smollm2-135m", "qwen2.5-coder-0.5b", "minilm-l6", "tiny-scenes"))
    called = re.findall(r'model="([^"]+)"', shown)
    assert called == ["qwen2.5-coder-0.5b", "qwen2.5-coder-0.5b", "minilm-l6", "tiny-scenes"]
    assert shown.count("client = OpenAI(") == 1
    ast.parse(shown)


def test_chats_are_bounded() -> None:
    """Chats limit the output, because small models may go on for minutes."""
    assert program(printed("smollm2-135m")).count("max_tokens=") == 2


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("smollm2-135m", "/v1/chat/completions"),
        ("minilm-l6", "/v1/embeddings"),
        ("tiny-scenes", "/v1/images/generations"),
        ("kokoro-82m", "/v1/audio/speech"),
    ],
)
def test_curl_asks_a_model_that_is_ready(model: str, path: str) -> None:
    """Without a chat model, another category is shown; the body is JSON."""
    text = printed(model)
    assert f"curl http://here{path} " in text
    body = text.partition("-d '")[2].partition("'")[0]
    assert json.loads(body)["model"] == model


def test_speech_is_made_before_it_is_heard() -> None:
    """The transcribed file is the one that the speech example wrote."""
    shown = program(printed("whisper-base", "kokoro-82m"))
    assert shown.index('write_to_file("speech.mp3")') < shown.index('open("speech.mp3", "rb")')


def test_what_needs_a_picture_stands_apart() -> None:
    """The program runs without an image file."""
    text = printed("smollm2-135m", "centernet-mobilenetv3")
    assert "photo.jpg" not in program(text)
    assert "-F image=@photo.jpg" in text


def test_the_full_starter_set() -> None:
    """Chats use the chat model, images the vision model, with its description."""
    text = printed(*STARTER["full"])
    assert re.findall(r'model="([^"]+)"', program(text))[0] == "qwen2.5-coder-0.5b"
    vision = text.partition("for vision")[2]
    assert '"model": "tiny-sight"' in vision
    assert "of no use for photographs" in vision


def test_nothing_to_call() -> None:
    """Without models there are no examples."""
    assert "curl" not in printed()
    assert "Models: none" in printed()
