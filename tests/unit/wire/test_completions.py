"""The legacy endpoint's fields."""

from typing import Any

import msgspec
import pytest

from oxlo.catalogue import Model
from oxlo.errors import BadRequest
from oxlo.wire import completions
from oxlo.wire.completions import CompletionRequest


def decode(**fields: Any) -> CompletionRequest:
    """The request with these fields; `...` leaves one out."""
    whole = {"model": "m", "prompt": "Once"} | fields
    body = msgspec.json.encode({k: v for k, v in whole.items() if v is not ...})
    return completions.decode(body)[0]


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"prompt": ...}, "prompt", "You must provide"),
        ({"prompt": None}, "prompt", "You must provide"),
        ({"prompt": ""}, "prompt", "may not be empty"),
        ({"prompt": []}, "prompt", "give a text"),
        ({"prompt": [[]]}, "prompt", "may not be empty"),
        ({"prompt": ["a", ""]}, "prompt", "may not be empty"),
        ({"prompt": ["a", 1]}, "prompt", "give a text"),
        ({"prompt": [True]}, "prompt[0]", "got boolean"),
        ({"prompt": [1.0]}, "prompt[0]", "got number"),
        ({"prompt": [-1]}, "prompt[0]", ">= 0"),
        ({"prompt": [2**31]}, "prompt[0]", "<= 2147483647"),
        ({"prompt": ["a"] * 17}, "prompt", "at most 16 prompts, got 17"),
        ({"stream_options": {}}, "stream_options", "'stream': true"),
        ({"stop": list("abcde")}, "stop", "at most 4"),
        ({"logprobs": True}, "logprobs", "expected integer"),
        ({"logprobs": 6}, "logprobs", "from 0 to 5"),
        ({"logit_bias": {"a": 1}}, "logit_bias", "token ids"),
        ({"best_of": 2}, "best_of", "must equal 'n'"),
        ({"suffix": "end"}, "suffix", "not supported"),
        ({"seed": 2**63}, "seed", "<= 9223372036854775807"),
    ],
)
def test_wrong_field(fields: dict[str, Any], param: str, words: str) -> None:
    """The error names the field and tells what to do."""
    with pytest.raises(BadRequest) as caught:
        decode(**fields)
    assert caught.value.param == param
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("prompt", "prompts", "size"),
    [
        ("Once", ["Once"], 4),
        ("é", ["é"], 2),
        (["a", "bcd"], ["a", "bcd"], 3),
        ([1, 2, 3], [[1, 2, 3]], 3),
        ([[1, 2], [3]], [[1, 2], [3]], 2),
    ],
)
def test_prompts(prompt: Any, prompts: list[Any], size: int) -> None:
    """Text, texts, token ids, or lists of token ids; the longest bounds the input."""
    request = decode(prompt=prompt)
    assert request.prompts == prompts
    assert request.message_count == len(prompts)
    assert request.text_bytes == size


def test_ranges(model: Model) -> None:
    """Numbers keep to the published ranges; logprobs, a flag in chat, to its own."""
    completions.validate(decode(logprobs=5, best_of=2, n=2), model)
    with pytest.raises(BadRequest, match="from 0 to 2"):
        completions.validate(decode(temperature=2.5), model)


def test_unknown_fields_are_named() -> None:
    """Unknown fields are accepted and named."""
    body = b'{"model":"m","prompt":"a","n_predict":5,"messages":[]}'
    assert completions.decode(body)[1] == ("n_predict", "messages")
