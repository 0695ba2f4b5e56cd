"""What to say to who asks for an address that is not here: where they meant to go, or what else."""

#: Paths that clients really try, and where they meant to go.
_MEANT = {
    b"/chat/completions": "/v1/chat/completions",
    b"/completions": "/v1/completions",
    b"/models": "/v1/models",
    b"/chat": "/v1/chat/completions",
    b"/v1/chat": "/v1/chat/completions",
    b"/v1/completion": "/v1/completions",
    b"/reasoning/chat": "/v1/chat/completions",
    b"/embeddings": "/v1/embeddings",
    b"/images/generations": "/v1/images/generations",
    b"/images/edits": "/v1/images/edits",
    b"/audio/speech": "/v1/audio/speech",
    b"/audio/transcriptions": "/v1/audio/transcriptions",
    b"/api/v1/chat/completions": "/v1/chat/completions",
}

_CHATS = "Ask with POST /v1/chat/completions, where messages, tools and images are sent"
_IN_CODE = "in OpenAI's SDKs client.chat.completions.create(...)"
_STATE = "Nothing that you send is stored here"

#: What OpenAI (and Anthropic) have below /v1 and we have not, and what to do instead.
_ELSEWHERE = {
    "responses": f"The Responses API is not served here. {_CHATS}; {_IN_CODE}. Tools that use the "
    "Responses API by default have a setting for chat completions.",
    "conversations": f"Conversations are not kept here. {_CHATS}, the whole conversation each "
    f"time; {_IN_CODE}.",
    "assistants": f"Assistants are not served here. {_CHATS}; {_IN_CODE}.",
    "threads": f"Assistants and their threads are not served here. {_CHATS}; {_IN_CODE}.",
    "messages": f"Anthropic's API is not served here, only OpenAI's. {_CHATS}.",
    "engines": f"Engines are OpenAI's old spelling of models. {_CHATS}, the model as a field.",
    "moderations": "No model here moderates. Ask a chat model to judge a text, with POST "
    "/v1/chat/completions and a response_format.",
    "files": f"{_STATE}: there are no files. Send pictures in the messages of POST "
    "/v1/chat/completions, recordings as a form to POST /v1/audio/transcriptions.",
    "uploads": f"{_STATE}: there are no uploads. Send pictures in the messages of POST "
    "/v1/chat/completions, recordings as a form to POST /v1/audio/transcriptions.",
    "batches": "There are no batches. Send the calls one by one to POST /v1/chat/completions; "
    "a list of up to 2,048 texts is one call to POST /v1/embeddings.",
    "vector_stores": f"{_STATE}: there are no vector stores. Make vectors with POST "
    "/v1/embeddings and keep them yourself.",
    "fine_tuning": "Models are not tuned here. GET /v1/models lists those that are served.",
    "realtime": f"The Realtime API is not served here. {_CHATS}; sound goes through "
    "/v1/audio/transcriptions and /v1/audio/speech.",
    "images/variations": "No model here varies an image. Ask with POST /v1/images/edits and a "
    "prompt.",
    "videos": "No model here makes videos. GET /v1/models lists what there is.",
    "rerank": "No model here ranks. Compare vectors of POST /v1/embeddings.",
    "chat/completions": f"{_STATE}, also not with 'store': true: the answer of POST "
    "/v1/chat/completions is all there is.",
}


def hint(path: bytes) -> str | None:
    """Words about a path where nothing is; None when there is nothing to say about it."""
    text = path.decode("latin-1")
    if text.startswith("/v1/v1/"):
        return f"There is nothing at /v1/v1: the base URL ends in /v1 once. Use {_plain(text[3:])}."
    meant = _MEANT.get(path)
    if meant:
        return f"There is nothing at {path.decode()}; did you mean {meant}?"
    first, _, rest = text.removeprefix("/v1/").partition("/")
    return _ELSEWHERE.get(f"{first}/{rest.partition('/')[0]}") or _ELSEWHERE.get(first)


def _plain(text: str) -> str:
    return "".join(c if "!" <= c <= "~" else "?" for c in text[:200])
