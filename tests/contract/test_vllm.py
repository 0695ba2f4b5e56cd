"""The whole served in front of a real vLLM with a tiny model of random weights.

`OXLO_TEST_VLLM` names vLLM's program, whatever environment it is in; without it nothing is run.
`OXLO_TEST_HARDWARE` names the kind of GPU to run it on (`l40s`, ...); without it that is the CPU.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from pydantic_core import from_json
from tests import tiny_llama
from tests.contract.conftest import Served, serving

PROGRAM = os.environ.get("OXLO_TEST_VLLM", "")
pytestmark = [
    pytest.mark.skipif(not PROGRAM, reason="OXLO_TEST_VLLM names no program"),
    pytest.mark.timeout(900),  # vLLM takes minutes to start on a CPU
]

MODEL = """
id = "babbler"
name = "Babbler"
category = "chat"
tier = "free"
description = "Of a test."
abilities = ["chat", "completions", "json", "logprobs"]
context_length = 1024
licence = "none"
homepage = "https://example.com"
created = 1730419200
{weights}
[[variants]]
hardware = "{hardware}"
engine = "vllm"
[variants.args]
max_num_seqs = 4
gpu_memory_utilization = 0.2
extra = ["--enforce-eager"]
"""
FILE = """
[[weights]]
name = "{path.name}"
sha256 = "{digest}"
size = {size}
[[weights.sources]]
folder = "{path.parent}"
path = ["{path.name}"]
"""
MESSAGES = [{"role": "user", "content": "Say something."}]


def entry(path: Path) -> str:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return FILE.format(path=path, digest=digest, size=len(content))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`oxlo serve` with the model."""
    folder = tmp_path_factory.mktemp("vllm")
    (folder / "cache").mkdir()
    (folder / "home" / "models.d").mkdir(parents=True)
    files = sorted(tiny_llama.write(folder / "model").iterdir())
    hardware = os.environ.get("OXLO_TEST_HARDWARE", "cpu")
    text = MODEL.format(weights="".join(map(entry, files)), hardware=hardware)
    (folder / "home" / "models.d" / "babbler.toml").write_text(text)
    own = {"OXLO_MODELS": "babbler", "OXLO_VLLM": PROGRAM}
    with serving(folder / "home", folder / "cache", **own) as platform:
        yield platform


def test_chat(client: openai.OpenAI) -> None:
    """An answer in OpenAI's shape, with the tokens of both sides."""
    reply = client.chat.completions.create(
        model="babbler", messages=MESSAGES, max_tokens=8, seed=1, logprobs=True, top_logprobs=2, n=2
    )
    assert reply.model == "babbler"
    assert [choice.index for choice in reply.choices] == [0, 1]
    assert reply.choices[0].logprobs
    assert reply.choices[0].logprobs.content
    assert reply.usage
    assert 0 < reply.usage.completion_tokens <= 16


def test_stream(client: openai.OpenAI) -> None:
    """Piece by piece, usage last."""
    stream = client.chat.completions.create(
        model="babbler",
        messages=MESSAGES,
        max_tokens=8,
        stream=True,
        stream_options={"include_usage": True},
    )
    *events, last = list(stream)
    assert events[-1].choices[0].finish_reason in ("length", "stop")
    assert last.usage
    assert last.usage.prompt_tokens > 0


def test_schema(client: openai.OpenAI) -> None:
    """Random weights keep to a schema: vLLM lets them say nothing else."""
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "strict": True}}
    reply = client.chat.completions.create(
        model="babbler", messages=MESSAGES, max_tokens=200, response_format=form, temperature=0
    )
    (choice,) = reply.choices
    cut = choice.finish_reason == "length"
    content = from_json(choice.message.content or "", allow_partial=cut)
    assert content in ({"ok": True}, {"ok": False}) or (cut and content == {})


def test_too_long(client: openai.OpenAI) -> None:
    """A prompt that does not fit is refused with OpenAI's code, whatever vLLM's message is."""
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            model="babbler", messages=[{"role": "user", "content": "long " * 500}]
        )
    assert refused.value.code == "context_length_exceeded"


def test_completion(client: openai.OpenAI) -> None:
    """The older endpoint."""
    reply = client.completions.create(model="babbler", prompt="Once", max_tokens=4, echo=True)
    assert reply.choices[0].text.startswith("Once")
