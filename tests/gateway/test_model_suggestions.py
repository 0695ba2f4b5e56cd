"""Errors about an unsuitable model suggest suitable ones."""

import pytest
from tests.gateway.conftest import Answer, Platform, Start, StartMedia
from tests.gateway.test_audio import FORM, HEARD, recording

SAID = [{"role": "user", "content": "hi"}]
BODIES: dict[str, dict[str, object]] = {
    "/v1/chat/completions": {"messages": SAID},
    "/v1/completions": {"prompt": "hi"},
    "/v1/embeddings": {"input": "hi"},
    "/v1/images/generations": {"prompt": "a fox"},
    "/v1/audio/speech": {"input": "hi"},
}
#: Models that are ready here, and how their engines are spoken to.
READY = (("double", "openai"), ("vectors", "oxlo"), ("pictures", "oxlo"), ("listener", "oxlo"))


async def call(platform: Platform, path: str, model: str) -> Answer:
    return await platform.call("POST", path, BODIES[path] | {"model": model})


def message(answer: Answer) -> str:
    return str(answer.json()["error"]["message"])


@pytest.mark.parametrize(
    ("model", "path", "ready"),
    [
        ("deepseek-v3", "/v1/chat/completions", "double"),
        ("llama-3.3-70b", "/v1/chat/completions", "double"),
        ("qwen3-coder-30b", "/v1/chat/completions", "double"),
        ("gemma-27b", "/v1/chat/completions", "double (without vision)"),
        ("kimi-k2.5", "/v1/chat/completions", "double (without vision, reasoning)"),
        ("mistral-7b", "/v1/completions", "double"),
        ("e5-large", "/v1/embeddings", "vectors"),
        ("sdxl", "/v1/images/generations", "pictures"),
    ],
)
async def test_not_served_here(start: Start, model: str, path: str, ready: str) -> None:
    """A model that the catalogue knows is a 503 that names ready ones of its kind, and not others.

    Another category's model is named where it answers at the same endpoint.
    """
    platform = await start()
    platform.also(*READY)
    answer = await call(platform, path, model)
    assert (answer.status, answer.code) == (503, "model_not_deployed")
    assert answer.headers["x-should-retry"] == "false"
    assert message(answer) == f"This installation does not serve {model}. Ready now: {ready}."


async def test_what_the_kind_lacks_is_found_elsewhere(start: Start) -> None:
    """If ready models of its kind see no pictures, those of another kind that do are named."""
    platform = await start()
    platform.also(("double", "openai"), ("seer", "openai"))
    answer = await call(platform, "/v1/chat/completions", "kimi-k2.5")
    ready = "double (without vision, reasoning); with vision: seer"
    assert message(answer) == f"This installation does not serve kimi-k2.5. Ready now: {ready}."


@pytest.mark.parametrize(
    ("path", "default"),
    [("/v1/embeddings", "bge-large"), ("/v1/audio/speech", "kokoro-82m")],
)
async def test_default_not_served(start: Start, path: str, default: str) -> None:
    """A client that named no model learns where the name in the error comes from."""
    platform = await start()
    answer = await platform.call("POST", path, BODIES[path])
    assert answer.code == "model_not_deployed"
    assert message(answer).startswith(
        f"This installation does not serve {default}, the default if a request names no 'model'. "
    )


async def test_unknown_model(start: Start) -> None:
    """For an unknown model, the error lists the models ready at the same endpoint."""
    platform = await start()
    platform.also(*READY)
    chat = await call(platform, "/v1/chat/completions", "gpt-4o-mini")
    drawn = await call(platform, "/v1/images/generations", "dall-e-3")
    assert (chat.status, chat.code) == (404, "model_not_found")
    assert message(chat).endswith("GET /v1/models lists those that do. Ready now: double.")
    assert message(drawn).endswith("Ready now: pictures.")


async def test_recordings_not_heard_here(start: Start, start_media: StartMedia) -> None:
    """Forms are no different."""
    platform = await start()
    await start_media(platform)
    platform.also(*READY)
    answer = await platform.call("POST", HEARD, recording(model="whisper-large-v3"), FORM)
    assert (answer.status, answer.code) == (503, "model_not_deployed")
    assert message(answer).endswith("does not serve whisper-large-v3. Ready now: listener.")


async def test_nothing_alike_is_ready(start: Start) -> None:
    """If nothing similar is ready, the error says so and suggests nothing."""
    platform = await start()
    answer = await call(platform, "/v1/embeddings", "e5-large")
    assert (
        message(answer) == "This installation does not serve e5-large. "
        "No model that is ready here answers at /v1/embeddings."
    )


@pytest.mark.parametrize(
    ("model", "path", "words"),
    [
        (
            "vectors",
            "/v1/chat/completions",
            "vectors does not answer at /v1/chat/completions, but at /v1/embeddings. "
            "These do: double.",
        ),
        (
            "double",
            "/v1/embeddings",
            "double does not answer at /v1/embeddings, but at /v1/chat/completions and "
            "/v1/completions. These do: vectors.",
        ),
        (
            "listener",
            "/v1/audio/speech",
            "listener does not answer at /v1/audio/speech, but at /v1/audio/transcriptions and "
            "/v1/audio/translations. None that is ready here does; of the catalogue, these could: "
            "kokoro-82m.",
        ),
        (
            "bge-large",
            "/v1/completions",
            "bge-large does not answer at /v1/completions, but at /v1/embeddings. "
            "These do: double.",
        ),
    ],
)
async def test_wrong_endpoint(start: Start, model: str, path: str, words: str) -> None:
    """A model at the wrong address: where it answers, and which models answer here."""
    platform = await start()
    platform.also(*READY)
    answer = await call(platform, path, model)
    assert (answer.status, answer.code) == (400, "wrong_endpoint")
    assert message(answer) == words


async def test_unable(start: Start) -> None:
    """An unsupported ability is reported with models that have it, ready ones if any."""
    platform = await start()
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    answer = await platform.chat(messages=[{"role": "user", "content": [picture]}])
    assert (answer.status, answer.code) == (400, "unsupported_ability")
    told = "double cannot see images. None that is ready here does; of the catalogue, these could:"
    assert message(answer).startswith(told)
    assert "gemma-3-4b" in message(answer)


async def test_the_list_tells_them_apart(start: Start) -> None:
    """The list tells ready models from those only known, with tier, abilities and context."""
    platform = await start()
    listed = (await platform.call("GET", "/v1/models")).json()["data"]
    by_id = {model["id"]: model for model in listed}
    ready = {name for name, model in by_id.items() if model["status"] == "ready"}
    assert ready == {name for name, model in by_id.items() if model["warm"]} == {"double"}
    glm = by_id["glm-5"]
    assert (glm["status"], glm["warm"], glm["tier"]) == ("unavailable", False, "premium")
    assert {"chat", "tools", "reasoning"} <= set(glm["capabilities"])
    assert (glm["context_length"], by_id["kokoro-82m"]["context_length"]) == (202752, None)
