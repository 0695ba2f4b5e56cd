"""The model list and the models' pages."""

from pathlib import Path

import httpx2
import msgspec
import pytest
from tests.unit.portal.conftest import replica, serve

from oxlo import catalogue, plans
from oxlo.catalogue import Source
from oxlo.fleet.registry import ReplicaState
from oxlo.portal import model_comparison, model_list
from oxlo.portal.model_list import Filters, Row
from oxlo.portal.models import limits, weight_sources
from oxlo.portal.readiness import Readiness
from oxlo.settings import Settings

MODELS = catalogue.load()


def found(**query: str) -> list[str]:
    """The ids listed for a query, with one model ready."""
    readiness = Readiness([replica("smollm2-135m", ReplicaState.READY)])
    filters = Filters.of(query)
    return [r.model.id for r in model_list.rows(MODELS, readiness) if filters.match(r)]


def test_all_models_are_listed() -> None:
    """Without filters all models are listed, ready ones first."""
    everything = found()
    assert len(everything) == len(MODELS)
    assert everything[0] == "smollm2-135m"


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ({"category": "embeddings"}, "bge-large", "qwen-3-32b"),
        ({"tier": "premium"}, "qwen-3-32b", "bge-large"),
        ({"ability": "vision"}, "gemma-27b", "qwen-3-32b"),
        ({"context": "131072"}, "llama-3.3-70b", "qwen-3-32b"),
        ({"ready": "1"}, "smollm2-135m", "minilm-l6"),
        ({"q": "multilingual reasoning"}, "qwen-3-32b", "bge-large"),
        ({"q": "DeepSeek R1 8b"}, "deepseek-r1-8b", "deepseek-v3"),
        ({"q": "hexgrad"}, "kokoro-82m", "bge-large"),
    ],
)
def test_filters(query: dict[str, str], shown: str, hidden: str) -> None:
    """Each filter selects some models and hides others."""
    ids = found(**query)
    assert shown in ids
    assert hidden not in ids


def test_unknown_values_ask_for_nothing() -> None:
    """An unknown filter value is ignored."""
    assert found(category="robots", tier="gold", context="lots") == found()
    assert found(context="9" * 5000) == found()


def test_address_says_the_filters() -> None:
    """The URL has the filters, without empty ones."""
    filters = Filters.of({"q": "code & chat", "category": "", "tier": "pro", "ready": "1"})
    assert filters.address == "/models?q=code+%26+chat&tier=pro&ready=1"
    assert Filters.of({}).address == "/models"


@pytest.mark.parametrize(
    ("model", "sources"),
    [
        ("kokoro-82m", ["npm kokoro-js@1.2.1", "hub onnx-community/Kokoro-82M-v1.0-ONNX"]),
        ("sdxl", ["hub stabilityai/stable-diffusion-xl-base-1.0", "hub ByteDance/SDXL-Lightning"]),
        ("tiny-scenes", ["comes with Oxlo"]),
        ("yolov11", ["a file that the operator supplies"]),
    ],
)
def test_sources(model: str, sources: list[str]) -> None:
    """Where the weights are from, as whoever checks a licence wants to know."""
    assert [
        source for source in weight_sources(MODELS.resolve(model)) if source in sources
    ] == sources


def test_sources_tell_no_paths() -> None:
    """A page that anybody may read does not name folders of the machine."""
    weights = [
        msgspec.structs.replace(file, sources=(Source(folder=Path("/srv/private")),))
        for file in MODELS.resolve("minilm-l6").weights
    ]
    model = msgspec.structs.replace(MODELS.resolve("minilm-l6"), weights=tuple(weights))
    assert weight_sources(model) == ["a folder of the operator"]


async def test_a_page_names_licence_and_source(browser: httpx2.AsyncClient) -> None:
    """The card of a model that comes with Oxlo is a page of this documentation."""
    page = (await browser.get("/models/tiny-scenes")).text
    assert "<dt>Licence</dt><dd>Apache-2.0</dd>" in page
    assert "<dt>Source</dt><dd>comes with Oxlo</dd>" in page
    assert 'href="/docs/models/tiny-scenes"' in page
    assert (await browser.get("/docs/models/tiny-scenes")).status_code == 200


async def test_search_as_you_type(browser: httpx2.AsyncClient) -> None:
    """htmx gets the rows alone, and the URL to show."""
    reply = await browser.get("/models?q=whisper&category=", headers={"hx-request": "true"})
    assert reply.headers["hx-push-url"] == "/models?q=whisper"
    assert "<html" not in reply.text
    assert "whisper-large-v3" in reply.text
    assert "hx-request" in reply.headers["vary"]


async def test_words_from_outside_are_text(browser: httpx2.AsyncClient) -> None:
    """The search text is escaped."""
    page = await browser.get('/models?q="><script>alert(1)</script>')
    assert "<script>alert" not in page.text


async def test_page_shows_what_is_published(
    browser: httpx2.AsyncClient, settings: Settings
) -> None:
    """Parameters, voices, licence and a link to the playground."""
    serve(settings, replica("kokoro-82m", ReplicaState.READY))
    page = (await browser.get("/models/kokoro-82m")).text
    assert "af_heart" in page
    assert "<code>speed</code>" in page
    assert "Apache-2.0" in page
    assert 'href="/playground?model=kokoro-82m"' in page
    assert "https://ai.example.org/v1" in page


@pytest.mark.parametrize(
    ("model", "caps"),
    [
        ("qwen-3-32b", ["Input tokens", "Output tokens"]),
        ("whisper-large-v3", ["Longest recording", "Largest body"]),
        ("kokoro-82m", ["Input tokens"]),
        ("bge-large", ["Input tokens"]),
        ("yolov11", ["Largest body"]),
    ],
)
def test_limits_are_those_that_apply(model: str, caps: list[str]) -> None:
    """Audio models are limited in minutes, chat models in tokens, detection in size."""
    row = Row(MODELS.resolve(model), "ready", 0)
    (first, *_) = limits(plans.load(), row)
    assert [name for name, _ in first[2]] == caps


async def test_aliases_lead_to_the_model(browser: httpx2.AsyncClient) -> None:
    """An alias, even with slashes, redirects."""
    reply = await browser.get("/models/Qwen/Qwen3-32B")
    assert reply.headers["location"] == "/models/qwen-3-32b"


async def test_unknown_model(browser: httpx2.AsyncClient, settings: Settings) -> None:
    """A name that no model has is a 404 with links to similar and to ready models."""
    serve(settings, replica("llama-3.1-8b", ReplicaState.READY))
    page = await browser.get("/models/gpt-4o", headers={"accept": "text/html"})
    assert page.status_code == 404
    similar, _, ready = page.text.partition("Also ready here")
    assert 'href="/models/gpt-oss-20b"' in similar
    assert 'href="/models/llama-3.1-8b"' in ready
    assert 'href="/models"' in ready
    told = await browser.get("/models/gpt-4o", headers={"accept": "application/json"})
    assert told.json()["error"]["code"] == "model_not_found"


async def test_readiness_is_live(browser: httpx2.AsyncClient, settings: Settings) -> None:
    """The list of ready models follows the fleet, and snippets use one of them."""
    assert "No model is ready" in (await browser.get("/models/ready")).text
    serve(settings, replica("llama-3.1-8b", ReplicaState.READY, context_length=8192))
    assert "Llama 3.1 8B" in (await browser.get("/models/ready")).text
    assert "llama-3.1-8b" in (await browser.get("/")).text
    assert "8\u202f192 tokens here" in (await browser.get("/models/llama-3.1-8b")).text


async def test_what_is_not_served_names_what_is(
    browser: httpx2.AsyncClient, settings: Settings
) -> None:
    """A model that is not served says so and suggests similar ready ones."""
    serve(settings, replica("llama-3.1-8b", ReplicaState.READY))
    away, ready = [
        (await browser.get(f"/models/{name}")).text for name in ("glm-5", "llama-3.1-8b")
    ]
    assert "does not serve the model" in away
    assert '<a href="/models/llama-3.1-8b">Llama 3.1 8B</a>.' in away
    assert "/playground?model=" not in away
    assert "does not serve the model" not in ready
    assert "/playground?model=llama-3.1-8b" in ready


def test_best_replica_counts() -> None:
    """One ready replica makes a model ready; without replicas it is absent."""
    states = [ReplicaState.SICK, ReplicaState.READY, ReplicaState.WARMING]
    readiness = Readiness([replica("m", state) for state in states])
    assert readiness.state("m") == "ready"
    assert Readiness([replica("m", ReplicaState.WARMING)]).state("m") == "starting"
    assert Readiness([replica("m", ReplicaState.STOPPED)]).state("m") == "absent"
    assert readiness.state("other") == "absent"


def test_models_are_compared() -> None:
    """By any name, each once, at most four; rows without values are left out."""
    asked = ["gpt-9", "YOLO-v9", "yolov9", "bge-large", "glm-5", "e5-large", "whisper-turbo"]
    chosen = model_comparison.resolve(MODELS, asked)
    assert [model.id for model in chosen] == ["yolov9", "bge-large", "glm-5", "e5-large"]
    assert not {model.id for model in model_comparison.addable(MODELS, chosen)} & {
        "yolov9",
        "glm-5",
    }
    rows = [Row(model, "absent", model.context_length) for model in chosen]
    facts = dict(model_comparison.facts(rows, plans.load()))
    assert facts["Context"] == ["\u2013", "512", "202\u202f752", "512"]
    assert facts["Cheapest plan"] == ["Free", "Free", "Pro", "Free"]
    assert "Context" not in dict(model_comparison.facts(rows[:1], plans.load()))


async def test_comparison_is_an_address(browser: httpx2.AsyncClient) -> None:
    """The URL names the models; without any the page explains what to do."""
    page = (await browser.get("/models/compare?id=glm-5&id=yolov9")).text
    assert page.index('href="/models/glm-5"') < page.index('href="/models/yolov9"')
    assert "Choose up to 4 models" in (await browser.get("/models/compare?id=gpt-9")).text
