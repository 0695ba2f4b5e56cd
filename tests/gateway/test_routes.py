"""Addresses: the table of routes, other paths, health, and what is relayed."""

import gzip

import pytest
from tests.gateway.conftest import Platform, Start, chat, replica
from tests.waiting import until

from oxlo.fleet.registry import ReplicaState
from oxlo.testing.engine import Script


async def test_every_route_priced(start: Start) -> None:
    """Only inference costs a request."""
    platform = await start()
    costly = [route for route in platform.gateway.routes.table if route.cost]
    assert {route.method for route in costly} == {b"POST"}
    assert {route.path for route in costly} == {
        "/v1/audio/speech",
        "/v1/audio/transcriptions",
        "/v1/audio/translations",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/detect",
        "/v1/embeddings",
        "/v1/images/edits",
        "/v1/images/generations",
    }


async def test_models(start: Start) -> None:
    """The list has OpenAI's fields and ours; one model and its parameters can be asked for."""
    platform = await start()
    listed = (await platform.call("GET", "/v1/models")).json()
    by_id = {model["id"]: model for model in listed["data"]}
    assert by_id["double"]["status"] == "ready"
    assert by_id["costly"]["status"] == "unavailable"
    platform.replicas(platform.engine, context_length=2048)
    shorter = (await platform.call("GET", "/v1/models/double")).json()
    assert (by_id["double"]["context_length"], shorter["context_length"]) == (8192, 2048)
    platform.replicas(platform.engine, context_length=0)
    uncounted = (await platform.call("GET", "/v1/models/double")).json()
    assert uncounted["context_length"] is None
    platform.replicas(platform.engine)
    one = (await platform.call("GET", "/v1/models/DOUBLE")).json()
    assert one == by_id["double"]
    parameters = (await platform.call("GET", "/v1/models/double/parameters")).json()
    assert parameters["parameters"]["temperature"]["default"] == 0.7


async def test_unknown_model(start: Start) -> None:
    """An unknown model is a 404 with a suggestion."""
    platform = await start()
    answer = await platform.chat(model="doubel")
    assert (answer.status, answer.code) == (404, "model_not_found")
    assert "double" in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["", " "])
async def test_empty_model(start: Start, name: str) -> None:
    """An empty name is the same as none: a 400, as in OpenAI's API."""
    platform = await start()
    answer = await platform.chat(model=name)
    assert (answer.status, answer.code) == (400, "missing_required_parameter")
    assert answer.json()["error"]["param"] == "model"


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/v1/embeddings", 405, "POST"),
        ("POST", "/v1/nothing", 404, "/v1/models"),
        ("POST", "/chat/completions", 404, "/v1/chat/completions"),
        ("GET", "/chat", 404, "/v1/chat/completions"),
        ("POST", "/v1/chat", 404, "/v1/chat/completions"),
        ("POST", "/v1/responses", 404, "/v1/chat/completions"),
        ("GET", "/v1/responses/resp_1", 404, "/v1/chat/completions"),
        ("POST", "/v1/moderations", 404, "chat model"),
        ("POST", "/v1/files", 404, "/v1/audio/transcriptions"),
        ("GET", "/v1/batches", 404, "/v1/embeddings"),
        ("POST", "/v1/assistants", 404, "client.chat.completions.create"),
        ("POST", "/v1/images/variations", 404, "/v1/images/edits"),
        ("GET", "/v1/chat/completions/chatcmpl-1", 404, "stored"),
        ("DELETE", "/v1/chat/completions/chatcmpl-1", 404, "stored"),
        ("POST", "/v1/v1/chat/completions", 404, "/v1 once"),
        ("POST", "/v1//chat/completions", 404, "one slash too many"),
        ("GET", "//v1/models", 404, "did you mean /v1/models?"),
        ("GET", "/V1/models/double", 404, "did you mean /v1/models/double?"),
        ("POST", "/openai/v1/embeddings", 404, "did you mean /v1/embeddings?"),
        ("POST", "/v1/embedding", 404, "did you mean /v1/embeddings?"),
        ("POST", "/v1/audio/transcription", 404, "did you mean /v1/audio/transcriptions?"),
        ("POST", "/inference/v1/embeddings", 404, "did you mean /v1/embeddings?"),
        ("POST", "/v1/object-detection", 404, "did you mean /v1/detect?"),
        ("POST", "/v1/tts", 404, "did you mean /v1/audio/speech?"),
        ("POST", "/openai/deployments/double/chat/completions", 404, "AzureOpenAI"),
        ("POST", "/v1/deployments/double/embeddings", 404, "AzureOpenAI"),
        ("POST", "/api/generate", 404, "/v1/completions"),
        ("GET", "/v1/organization/costs", 404, "/v1/usage"),
        ("POST", "/v1/agents", 404, "client.chat.completions.create"),
        ("POST", "/v1/edits", 404, "/v1/chat/completions"),
        ("GET", "/v1/vaults", 404, "This API has /v1/chat/completions, /v1/completions,"),
        ("DELETE", "/v1/models/double", 405, "GET"),
        ("CONNECT", "host:443", 400, "proxy"),
        ("GET", "/internal/keys", 404, "nothing"),
    ],
)
async def test_wrong_paths(start: Start, method: str, path: str, status: int, words: str) -> None:
    """Wrong paths get JSON that helps."""
    platform = await start()
    answer = await platform.call(method, path)
    assert answer.status == status
    assert words in answer.json()["error"]["message"]
    assert answer.headers.get("allow") == (words.lower() if status == 405 else None)


SDK = {"accept": "application/json"}
BROWSER = {"accept": "text/html,application/json;q=0.9"}


@pytest.mark.parametrize("path", ["/models", "/models/double", "/limits", "/api/v1/models"])
@pytest.mark.parametrize(("headers", "key"), [({}, None), (SDK, "")])
async def test_base_url_without_v1(
    start: Start, path: str, headers: dict[str, str], key: str | None
) -> None:
    """A program that left out /v1 gets no page, but JSON that names the base URL."""
    platform = await start(public_url="https://api.example.com")
    answer = await platform.call("GET", path, headers=headers, key=key)
    assert (answer.status, answer.code) == (404, "not_found")
    message = answer.json()["error"]["message"]
    assert message.endswith("Use https://api.example.com/v1 as the base URL.")


@pytest.mark.parametrize(("path", "key"), [("/models", ""), ("/docs", None)])
async def test_pages_stay_pages(start: Start, path: str, key: str | None) -> None:
    """Browsers get the page of that name, and programs those that the API has no path for."""
    platform = await start()
    answer = await platform.call("GET", path, headers=BROWSER, key=key)
    assert answer.json() == {"path": path}


async def test_no_model_is_deleted(start: Start) -> None:
    """Deleting a model is refused, as no account may."""
    platform = await start()
    answer = await platform.call("DELETE", "/v1/models/double")
    assert "the operator's" in answer.json()["error"]["message"]


async def test_no_voice_is_added(start: Start) -> None:
    """Adding a voice is refused with the reason, at both paths that the SDK has for it."""
    platform = await start()
    for path in ("/v1/audio/voices", "/v1/audio/voice_consents"):
        answer = await platform.call("POST", path)
        assert "built into the models" in answer.json()["error"]["message"]


async def test_stored_chats(start: Start) -> None:
    """The list of stored chats is there and empty, whatever is asked of it; it needs a key."""
    platform = await start()
    for query in ("", "?limit=5&order=asc&metadata[a]=b"):
        answer = await platform.call("GET", "/v1/chat/completions" + query)
        assert (answer.status, answer.json()["data"]) == (200, [])
        assert answer.json()["has_more"] is False
    refused = await platform.call("GET", "/v1/chat/completions", key="sk_none")
    assert refused.status == 401


async def test_whole_url(start: Start) -> None:
    """A request that treats us as a proxy and sends a full URL is answered."""
    platform = await start()
    url = "http://127.0.0.1:8000/v1/models/double"
    assert (await platform.call("GET", url)).json()["id"] == "double"
    answer = await platform.call("POST", "https://host/v1/chat/completions?x=1", chat())
    assert answer.status == 200


async def test_escaped_model(start: Start) -> None:
    """SDKs escape the slash in a model's name."""
    platform = await start()
    plain = await platform.call("GET", "/v1/models/google/gemma-3-4b-it")
    escaped = await platform.call("GET", "/v1/models/google%2Fgemma-3-4b-it")
    assert (escaped.status, escaped.json()) == (plain.status, plain.json())
    described = await platform.call("GET", "/v1/models/d%6Fuble/parameters")
    assert described.json()["model_id"] == "double"


async def test_compressed_body(start: Start) -> None:
    """A compressed body is refused for what it is."""
    platform = await start()
    packed = {"content-encoding": "gzip"}
    answer = await platform.call("POST", "/v1/chat/completions", gzip.compress(b"{}"), packed)
    assert (answer.status, answer.code) == (415, "unsupported_encoding")
    plain = {"content-encoding": "identity"}
    assert (await platform.call("POST", "/v1/chat/completions", chat(), plain)).status == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"model": "double"}', b'{"messages": []}']
)
async def test_bad_bodies(start: Start, body: bytes) -> None:
    """Bodies that are not a chat are a 400."""
    platform = await start()
    answer = await platform.call("POST", "/v1/chat/completions", body)
    assert answer.status == 400
    assert set(answer.json()["error"]) >= {"message", "type", "param", "code"}


async def test_wrong_content_type(start: Start) -> None:
    """A form upload to a JSON endpoint is a 415."""
    platform = await start()
    answer = await platform.call(
        "POST", "/v1/chat/completions", chat(), {"content-type": "multipart/form-data; boundary=x"}
    )
    assert answer.status == 415


async def test_body_limit_named(start: Start) -> None:
    """A body over the plan's size is a 413 that names it."""
    platform = await start()
    client = platform.client()
    await client.send("POST", "/v1/chat/completions", headers={"content-length": str(26 << 20)})
    answer = await client.answer()
    assert answer.status == 413
    assert "25 MB" in answer.json()["error"]["message"]


async def has_met_control(platform: Platform) -> None:
    """The first beats of a gateway."""
    platform.gateway.sweep()
    await until(lambda: platform.gateway.keys.reached)


async def test_health(start: Start) -> None:
    """Health needs no key; readiness names the models."""
    platform = await start()
    assert (await platform.call("GET", "/healthz", key="")).json() == {"status": "ok"}
    await has_met_control(platform)
    ready = await platform.call("GET", "/readyz", key="")
    assert ready.json() == {"status": "ready", "models": {"double": "ready"}}


async def test_no_traffic_before_keys_can_be_checked(start: Start) -> None:
    """A gateway that has just started is not ready until control answers, whatever engines do."""
    platform = await start()
    answer = await platform.call("GET", "/readyz", key="")
    assert (answer.status, answer.json()["status"]) == (503, "starting")
    assert answer.json()["models"] == {"double": "ready"}
    await has_met_control(platform)
    assert (await platform.call("GET", "/readyz", key="")).status == 200


async def test_readiness_of_some(start: Start) -> None:
    """A gateway with one model of two is degraded, and still takes traffic; with none it is not."""
    platform = await start()
    await has_met_control(platform)
    starting, ready = ReplicaState.STARTING, ReplicaState.READY
    platform.gateway.backends.apply(
        [
            replica(platform.engine, "a", "double", state=ready),
            replica(platform.engine, "b", "costly", state=starting),
        ]
    )
    some = await platform.call("GET", "/readyz", key="")
    platform.replicas(platform.engine, state=starting)
    none = await platform.call("GET", "/readyz", key="")
    assert (some.status, some.json()["status"]) == (200, "degraded")
    assert some.json()["models"] == {"double": "ready", "costly": "starting"}
    assert (none.status, none.json()["status"]) == (503, "starting")


async def test_failing_engine_is_not_ready(start: Start) -> None:
    """A gateway whose engine only fails is not ready, whatever the fleet reports."""
    platform = await start()
    now = platform.gateway.clock()
    platform.gateway.clock = lambda: now  # its breaker is open for a second only
    platform.engine.default = Script(status=500)
    for _ in range(3):
        assert (await platform.chat()).status == 502
    answer = await platform.call("GET", "/readyz", key="")
    assert (answer.status, answer.json()["models"]) == (503, {"double": "failing"})


async def test_relayed(start: Start) -> None:
    """Requests other than inference go to control, without headers that only a gateway may set."""
    platform = await start()
    forged = {"x-oxlo-account": "acct_9", "x-forwarded-for": "8.8.8.8", "x-oxlo-local": "1"}
    answer = await platform.call("GET", "/some/page?x=1", headers=forged, key="")
    assert answer.json() == {"path": "/some/page?x=1"}
    seen = platform.control.relayed[0].headers
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert "x-oxlo-account" not in seen
    assert "x-oxlo-local" not in seen


async def test_pages_that_restart(start: Start) -> None:
    """Without control a browser gets a page that tries again, and a program the error."""
    platform = await start()
    await platform.control.__aexit__(None, None, None)
    browser = {"accept": "text/html,*/*;q=0.8"}
    page = await platform.call("GET", "/dashboard", headers=browser, key="")
    assert (page.status, page.headers["retry-after"]) == (503, "2")
    assert page.headers["content-type"].startswith("text/html")
    assert b'http-equiv="refresh"' in page.body
    told = await platform.call("GET", "/dashboard", key="")
    assert told.json()["error"]["code"] == "overloaded"


async def test_receipt_relayed_with_account(start: Start) -> None:
    """A receipt is asked of control in the caller's name."""
    platform = await start()
    await platform.call("GET", "/v1/requests/req_1")
    assert platform.control.relayed[0].headers["x-oxlo-account"] == "acct_1"
    assert (await platform.call("GET", "/v1/requests/req_1", key="")).status == 401
