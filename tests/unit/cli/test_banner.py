"""What `oxlo serve` prints once it is ready."""

import ast
import json

import pytest

from oxlo import catalogue, plans
from oxlo.cli.banner import banner

PLAN = next(plan for plan in plans.load().plans if plan.id == "premium")


def printed(*models: str) -> str:
    known = catalogue.load()
    return banner("http://here", "sk_x", PLAN, [known.resolve(name) for name in models])


def program(text: str) -> str:
    return text.partition("(pip install openai):")[2].partition("Stop with")[0]


def test_every_ability_has_its_call() -> None:
    """The program calls a ready model of each, and parses as it stands."""
    shown = program(printed("smollm2-135m", "qwen2.5-coder-0.5b", "minilm-l6"))
    assert shown.count("smollm2-135m") == 1
    assert shown.count("minilm-l6") == 1
    assert "qwen" not in shown
    ast.parse(shown)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("smollm2-135m", "/v1/chat/completions"),
        ("minilm-l6", "/v1/embeddings"),
        ("kokoro-82m", "/v1/audio/speech"),
    ],
)
def test_curl_asks_a_model_that_is_ready(model: str, path: str) -> None:
    """Where no chat model is served, something else is asked; the body is JSON."""
    text = printed(model)
    assert f"curl http://here{path} " in text
    body = text.partition("-d '")[2].partition("'")[0]
    assert json.loads(body)["model"] == model


def test_a_recording_is_sent_as_a_form() -> None:
    """It is the file that the speech before it wrote."""
    assert "-F model=whisper-base -F file=@hello.mp3" in printed("whisper-base")
    shown = program(printed("whisper-base", "kokoro-82m"))
    assert shown.index('write_to_file("hello.mp3")') < shown.index('open("hello.mp3", "rb")')


def test_nothing_to_call() -> None:
    """Without models there is no call to paste."""
    assert "curl" not in printed()
    assert "Models: none" in printed()
