"""Hints for requests to unknown addresses: what the client probably meant."""

import difflib
from collections.abc import Collection, Mapping

#: Paths that clients often try, and the correct ones.
_MEANT = {
    b"/chat": "/v1/chat/completions",
    b"/v1/chat": "/v1/chat/completions",
    b"/reasoning/chat": "/v1/chat/completions",
    b"/v1/models/list": "/v1/models",
    b"/v1/voices": "/v1/audio/voices",
    b"/v1/audio/transcribe": "/v1/audio/transcriptions",
    b"/v1/audio/stt": "/v1/audio/transcriptions",
    b"/v1/audio/tts": "/v1/audio/speech",
    b"/v1/stt": "/v1/audio/transcriptions",
    b"/v1/tts": "/v1/audio/speech",
    b"/v1/generate": "/v1/completions",
    b"/v1/vision": "/v1/chat/completions",
    b"/v1/detections": "/v1/detect",
    b"/v1/object-detection": "/v1/detect",
    b"/v1/images": "/v1/images/generations",
    b"/v1/img2img": "/v1/images/edits",
    b"/v1/usages": "/v1/usage",
    b"/v1/user": "/v1/limits",
    b"/v1/me": "/v1/limits",
    b"/v1/key": "/v1/limits",
    b"/v1/auth/key": "/v1/limits",
    b"/v1/credits": "/v1/limits",
    b"/v1/generation": "/v1/requests",
    b"/v1/openapi.json": "/openapi.json",
    b"/openapi.yaml": "/openapi.json",
    b"/swagger.json": "/openapi.json",
}

_CHATS = "Ask with POST /v1/chat/completions, where messages, tools and images are sent"
_IN_CODE = "in OpenAI's SDKs client.chat.completions.create(...)"
_SOUND = "sound goes through /v1/audio/transcriptions and /v1/audio/speech"
_VOICES = "Voices are built into the models: none is added over the API."
_STATE = "Nothing that you send is stored here"

_ACCOUNT = "GET /v1/limits shows your plan and what is left of it, GET /v1/usage what was used"

#: Resources of OpenAI (and Anthropic) under /v1 that do not exist here, with alternatives.
_ELSEWHERE = {
    "responses": f"The Responses API is not available here. {_CHATS}; {_IN_CODE}. Tools that use "
    "the Responses API by default have a setting for chat completions.",
    "conversations": f"Conversations are not kept here. {_CHATS}, the whole conversation each "
    f"time; {_IN_CODE}.",
    "assistants": f"Assistants are not available here. {_CHATS}; {_IN_CODE}.",
    "threads": f"Assistants and threads are not available here. {_CHATS}; {_IN_CODE}.",
    "agents": f"Agents are not run here. {_CHATS}, from an agent of your own; {_IN_CODE}.",
    "messages": f"Only OpenAI's API is available here, not Anthropic's. {_CHATS}.",
    "engines": f"Engines are OpenAI's old spelling of models. {_CHATS}, the model as a field.",
    "moderations": "There is no moderation model here. Ask a chat model to judge a text, with POST "
    "/v1/chat/completions and a response_format.",
    "files": f"{_STATE}: there are no files. Send pictures in the messages of POST "
    "/v1/chat/completions, recordings as a form to POST /v1/audio/transcriptions.",
    "uploads": f"{_STATE}: there are no uploads. Send pictures in the messages of POST "
    "/v1/chat/completions, recordings as a form to POST /v1/audio/transcriptions.",
    "batches": "There are no batches. Send the calls one by one to POST /v1/chat/completions; "
    "a list of up to 2,048 texts is one call to POST /v1/embeddings.",
    "vector_stores": f"{_STATE}: there are no vector stores. Make vectors with POST "
    "/v1/embeddings and keep them yourself.",
    "fine_tuning": "Fine-tuning is not available here. GET /v1/models lists what is served.",
    "realtime": f"The Realtime API is not available here. {_CHATS}; {_SOUND}.",
    "live": f"Live sessions are not available here. {_CHATS}; {_SOUND}.",
    "edits": f"Edits are an old endpoint of OpenAI's. {_CHATS}, the instruction as a message.",
    "audio/voice_consents": _VOICES,
    "images/variations": "Image variations are not available here. Use POST /v1/images/edits and a "
    "prompt.",
    "videos": "No model here generates videos. GET /v1/models lists what there is.",
    "containers": f"Code is not run here. {_CHATS}, with tools that you run yourself.",
    "evals": "There are no evals. Ask and judge with POST /v1/chat/completions.",
    "chatkit": f"ChatKit is not available here. {_CHATS}.",
    "skills": f"{_STATE}: there are no skills. {_CHATS}.",
    "tokenize": "Tokens are counted in 'usage' of each answer; a call with the header "
    "'x-oxlo-dry-run: 1' counts those of a prompt and costs nothing.",
    "organization": f"There are no organizations. {_ACCOUNT}.",
    "dashboard": f"There is no bill by tokens. {_ACCOUNT}.",
    "deployments": "Azure's addresses are not available here. Use OpenAI(base_url='.../v1') "
    "instead of AzureOpenAI, with the deployment's name as the model.",
    "rerank": "There is no reranking model here. Compare vectors from POST /v1/embeddings.",
    "chat/completions": f"{_STATE}, also not with 'store': true: the answer of POST "
    "/v1/chat/completions is all there is.",
}

#: Why some paths accept no other method, by prefix.
_WHY_NOT = {
    "/v1/models/": "Models are the operator's to serve: none is changed or deleted over the API.",
    "/v1/audio/voices": _VOICES,
}

#: API paths of other servers, by prefix.
_FOREIGN = {
    "/openai/deployments/": _ELSEWHERE["deployments"],
    "/api/chat": f"Only OpenAI's API is available here, not Ollama's. {_CHATS}.",
    "/api/generate": "Only OpenAI's API is available here, not Ollama's. Ask with POST "
    "/v1/completions.",
    "/api/tags": "Only OpenAI's API is available here, not Ollama's. GET /v1/models lists models.",
    "/v1beta/models/": f"Only OpenAI's API is available here, not Google's. {_CHATS}.",
}


#: Prefixes of API paths, as opposed to pages.
_CALLS = (b"//", b"/v1", b"/openai/", b"/inference/", b"/api/")


def is_call(method: bytes, path: bytes, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request outside /v1 looks like a misdirected API request rather than a page's."""
    if method == b"POST" or path in _MEANT or path.lower().startswith(_CALLS):
        return True
    # GET /models is a page for browsers, and the list of models without /v1 for SDKs.
    bearer = headers.get(b"authorization", b"")[:7].lower() == b"bearer "
    accept = headers.get(b"accept", b"")
    return bearer or (b"application/json" in accept and b"text/html" not in accept)


def hint(path: bytes, ours: Collection[str], base_url: str) -> str | None:
    """A hint about an unknown path; None if there is none.

    `ours` are the paths of the API, `base_url` the right one for clients.
    """
    text = path.decode("latin-1")
    if meant := _MEANT.get(path):
        return f"There is nothing at {_plain(text)}; did you mean {meant}?"
    if meant := _respelt(text, ours):
        return (
            f"There is nothing at {_plain(text)}; did you mean {meant}?{_slip(text)} "
            f"Use {base_url} as the base URL."
        )
    foreign = next((words for start, words in _FOREIGN.items() if text.startswith(start)), None)
    if foreign or not text.startswith("/v1/"):
        return foreign
    first, _, rest = text.removeprefix("/v1/").partition("/")
    found = _ELSEWHERE.get(f"{first}/{rest.partition('/')[0]}") or _ELSEWHERE.get(first)
    return found or _close(text, ours)


def why_not(text: str) -> str | None:
    """Why a path accepts only its methods; None if it needs no explanation."""
    return next((words for start, words in _WHY_NOT.items() if text.startswith(start)), None)


def _respelt(text: str, ours: Collection[str]) -> str | None:
    """The path that was probably meant, given common mistakes in the base URL; else None."""
    steps = [step for step in text.lower().split("/") if step]
    while steps and steps[0] in ("api", "inference", "v1", "openai"):
        del steps[0]
    path = "/".join(("/v1", *steps))
    here = path in ours or path.startswith("/v1/models/")
    return _plain(path) if here and path != text else None


def _slip(text: str) -> str:
    """A sentence that explains the mistake in the base URL, if it is recognised."""
    if text.lower().startswith("/v1/v1/"):
        return " The base URL ends in /v1 once."
    return " The base URL has one slash too many at its end." if "//" in text else ""


def _close(text: str, ours: Collection[str]) -> str | None:
    close = difflib.get_close_matches(text, ours, n=1, cutoff=0.85)
    return f"There is nothing at {_plain(text)}; did you mean {close[0]}?" if close else None


def _plain(text: str) -> str:
    return "".join(c if "!" <= c <= "~" else "?" for c in text[:200])
