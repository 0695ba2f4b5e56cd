"""The OpenAI SDK, unforgiving: every reply has to be what the SDK's types say, to the letter."""

import base64
import struct
from typing import Any

import httpx2
import openai
from openai.types import Completion, CreateEmbeddingResponse, ErrorObject
from pydantic import TypeAdapter

ERROR_FIELDS = {"message", "type", "param", "code"}


class StrictOpenAI(openai.OpenAI):
    """A client that raises ValidationError where a number is a text, or a field is missing.

    The SDK itself takes whatever comes. Every JSON reply, and every event of a stream, passes
    through the method that is overridden here; errors pass through the other.
    """

    def _process_response_data(self, *, data: object, cast_to: Any, response: Any) -> Any:
        if data is not None and cast_to is not object:
            TypeAdapter(cast_to).validate_python(_as_typed(cast_to, data), strict=True)
        return super()._process_response_data(data=data, cast_to=cast_to, response=response)

    def _make_status_error(
        self, err_msg: str, *, body: object, response: httpx2.Response
    ) -> openai.APIStatusError:
        assert isinstance(body, dict)
        error = body["error"]
        assert error.keys() >= ERROR_FIELDS
        TypeAdapter(ErrorObject).validate_python(error, strict=True)
        return super()._make_status_error(err_msg, body=body, response=response)


def _as_typed(cast_to: Any, data: Any) -> Any:
    """A reply, where OpenAI's own differs from its types: it is read as they have it.

    The SDK asks for vectors as base64, and decodes them after it has looked at their type. Streams
    of completions have no `finish_reason` before their end.
    """
    if cast_to is CreateEmbeddingResponse:
        vectors = [one | {"embedding": _floats(one["embedding"])} for one in data["data"]]
        return data | {"data": vectors}
    if cast_to is Completion:
        unfinished = {"finish_reason": "stop"}
        ended = [one if one["finish_reason"] else one | unfinished for one in data["choices"]]
        return data | {"choices": ended}
    return data


def _floats(embedding: str | list[float]) -> list[float]:
    if isinstance(embedding, list):
        return embedding
    packed = base64.b64decode(embedding)
    return list(struct.unpack(f"<{len(packed) // 4}f", packed))
