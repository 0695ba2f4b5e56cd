"""What engines are sent: an allow-list, decided values, and the caller's bytes."""

from typing import Any

import msgspec
import pytest

from oxlo.catalogue import Parameter
from oxlo.engines.dialects import DIALECTS, dialect
from oxlo.wire import chat

TOOLS = [{"type": "function", "function": {"name": "add"}}]
MESSAGES = b'[ {"role":"user" , "content":"\\u0041", "name": "x", "mood": 1} ]'
SAMPLERS = {"top_p": 1, "frequency_penalty": 0, "presence_penalty": 0, "temperature": 0.7}
OWN = {
    "openai": set(),
    "vllm": {"top_k", "min_p", "repetition_penalty", "priority"},
    "llamacpp": {
        "top_k", "min_p", "typical_p", "repeat_penalty", "mirostat", "mirostat_tau",
        "mirostat_eta", "cache_prompt",
    },
}  # fmt: skip


def test_least(name: str, talk: Any) -> None:
    """Decided values, and every sampler said: no engine's own default slips in."""
    sent = talk(name).sent
    assert sent.keys() == {"model", "messages", "max_tokens"} | SAMPLERS.keys() | OWN[name]
    assert (sent["model"], sent["max_tokens"]) == ("engine/name", 64)
    assert {key: sent[key] for key in SAMPLERS} == SAMPLERS
    neutral = {"top_k": 0, "min_p": 0, "repetition_penalty": 1, "repeat_penalty": 1, "mirostat": 0}
    assert all(sent[key] == value for key, value in neutral.items() if key in sent)


def test_bytes_stay(name: str, talk: Any) -> None:
    """What is said and tools are sent as the bytes that they came as; unknown fields are not."""
    talk = talk(name)
    tools = b'[ {"type":"function","function":{"name":"\\u0061dd","x":1.50}} ]'
    talk.request, _ = chat.decode(b'{"model":"m","messages":%b,"tools":%b}' % (MESSAGES, tools))
    body = talk.dialect.chat(talk.request, talk.decided).body
    assert b'"messages":[{"role":"user","content":"\\u0041","name":"x"}]' in body
    assert b'"tools":' + tools in body


def test_last_duplicate_is_sent(name: str, talk: Any) -> None:
    """A field given twice is sent once: engine and platform cannot read it differently."""
    talk = talk(name)
    talk.request, _ = chat.decode(b'{"model":"m","n":5,"messages":%b,"n":1}' % MESSAGES)
    assert talk.dialect.chat(talk.request, talk.decided).body.count(b'"n":') == 1
    assert talk.sent["n"] == 1


def test_nothing_else(name: str, talk: Any) -> None:
    """Fields without effect, and an engine's private ones, are never sent."""
    mine = {"user": "u", "metadata": {"a": "b"}, "store": True, "service_tier": "auto"}
    theirs = {"priority": -9, "ignore_eos": True, "chat_template": "x", "id_slot": 0, "top_a": 1}
    sent = talk(name, **mine, **theirs).sent
    assert not (mine.keys() | theirs.keys()) - {"priority"} & sent.keys()
    assert sent.get("priority") in (None, 2)


def test_all_fields(name: str, talk: Any) -> None:
    """What an engine can use reaches it."""
    asked = {
        "temperature": 0, "top_p": 0.5, "n": 2, "stop": ["a"], "seed": 5, "frequency_penalty": 1,
        "presence_penalty": -1, "logit_bias": {"5": -100}, "logprobs": True, "top_logprobs": 2,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": True},
        },
        "parallel_tool_calls": False, "tools": TOOLS, "tool_choice": "auto",
    }  # fmt: skip
    sent = talk(name, **asked).sent
    assert {key: sent.get(key) for key in asked} == asked


def test_samplers(talk: Any) -> None:
    """Samplers of our docs, in the words of engines that have them."""
    asked = {"top_k": 5, "min_p": 0.1, "typical_p": 0.9, "repeat_penalty": 1.2}
    asked |= {"mirostat_mode": 2, "mirostat_tau": 4, "mirostat_eta": 0.2}
    sent = talk("llamacpp", **asked).sent
    assert sent["mirostat"] == 2
    assert {key: sent[key] for key in asked if key != "mirostat_mode"} == {
        key: value for key, value in asked.items() if key != "mirostat_mode"
    }
    sent = talk("vllm", **asked).sent
    assert (sent["top_k"], sent["min_p"], sent["repetition_penalty"]) == (5, 0.1, 1.2)


def test_published_defaults(name: str, talk: Any) -> None:
    """A model's own defaults, as /parameters publish them, are applied; a wish wins."""
    own = {
        "temperature": Parameter(type="float", default=0.2, description=""),
        "top_p": Parameter(type="float", default=None, description=""),
        "top_k": Parameter(type="int", default=20, description=""),
    }
    call = talk(name)
    model = msgspec.structs.replace(call.decided.model, parameters=own)
    call.decided.model = model
    assert call.sent["temperature"] == 0.2
    assert "top_p" not in call.sent
    assert call.sent.get("top_k", 20) == 20
    asked = talk(name, temperature=1, top_p=0.5)
    asked.decided = call.decided
    assert (asked.sent["temperature"], asked.sent["top_p"]) == (1, 0.5)


@pytest.mark.parametrize("legacy", [False, True])
def test_usage_is_always_asked_for(name: str, talk: Any, legacy: bool) -> None:
    """Whatever the caller wants of usage, the receipt needs it."""
    for options in ({}, {"stream_options": {"include_usage": False}}):
        sent = talk(name, legacy=legacy, stream=True, **options).sent
        assert sent["stream_options"] == {"include_usage": True}
    assert "stream_options" not in talk(name, legacy=legacy).sent


def test_choice_without_tools(name: str, talk: Any) -> None:
    """What is said of tools is left out where there are none."""
    sent = talk(name, tools=[], tool_choice="none", parallel_tool_calls=True).sent
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & sent.keys()


def test_plan_priority(talk: Any) -> None:
    """vLLM serves lower numbers first."""
    call = talk("vllm")
    for ours, theirs in ((0, 3), (3, 0)):
        call.decided.priority = ours
        assert call.sent["priority"] == theirs


@pytest.mark.parametrize("seed", [-(2**63), -1, 2**31, 2**63 - 1])
def test_seed_of_llamacpp(talk: Any, seed: int) -> None:
    """llama.cpp's seeds have 32 bits, and one of them means random."""
    assert 0 <= talk("llamacpp", seed=seed).sent["seed"] < 2**31


def test_developer(talk: Any) -> None:
    """Templates know no developer: to llama.cpp it is the system; words are left alone."""
    messages = [
        {"role": "developer", "content": '"role":"developer"'},
        {"role": "user", "content": "developer"},
    ]
    sent = talk("llamacpp", messages=messages).sent["messages"]
    assert sent == [messages[0] | {"role": "system"}, messages[1]]


@pytest.mark.parametrize("prompt", ["Hi", ["a", "b"], [1, 2], [[1], [2]]])
def test_prompts(name: str, talk: Any, prompt: Any) -> None:
    """Prompts of every kind are sent as they are."""
    assert talk(name, legacy=True, prompt=prompt).sent["prompt"] == prompt


def test_counting(name: str, talk: Any) -> None:
    """Where an engine can count, the question has what the call has, and the answer is read."""
    call = talk(name, tools=TOOLS)
    found = call.dialect.count(call.request, call.decided)
    if name == "openai":
        assert found is None
        return
    asked, read = found
    said = {"vllm": b'{"count":5,"tokens":[]}', "llamacpp": b'{"input_tokens":5,"object":"x"}'}
    assert msgspec.json.decode(asked.body)["messages"] == [{"role": "user", "content": "Hi"}]
    assert read(said[name]) == 5
    call = talk(name, legacy=True, prompt=["a", "longest"])
    asked, read = call.dialect.count(call.request, call.decided)
    assert asked.path == "/tokenize"
    assert b"longest" in asked.body
    call = talk(name, legacy=True, prompt=[1, 2])
    assert call.dialect.count(call.request, call.decided) is None


def test_known_dialects() -> None:
    """A dialect is found by name; an unknown one names those there are."""
    assert dialect("vllm") is DIALECTS["vllm"]
    with pytest.raises(KeyError, match="openai, oxlo, vllm, llamacpp"):
        dialect("klingon")


def test_log_probabilities_without_alternatives(talk: Any) -> None:
    """llama.cpp tells none at all unless it is asked for one alternative; by itself it tells 20."""
    assert talk("llamacpp", logprobs=True).sent["top_logprobs"] == 1
    assert talk("llamacpp", logprobs=True, top_logprobs=0).sent["top_logprobs"] == 1
    assert talk("llamacpp", logprobs=True, top_logprobs=3).sent["top_logprobs"] == 3
    assert "top_logprobs" not in talk("llamacpp").sent


def test_refusals_are_told_as_text(talk: Any) -> None:
    """llama.cpp knows no refusal: what was said stays in the conversation."""
    part = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    alone = {"role": "assistant", "content": None, "refusal": "Never."}
    asked = {"role": "user", "content": [{"type": "text", "text": "Why?"}]}
    assert talk("llamacpp", messages=[part, alone, asked]).sent["messages"] == [
        {"role": "assistant", "content": [{"type": "text", "text": "No."}]},
        {"role": "assistant", "content": "Never."},
        asked,
    ]
    (only,) = talk("llamacpp", messages=[alone]).sent["messages"]
    assert only["content"] == "Never."


def test_a_seed_finds_no_cache(talk: Any) -> None:
    """What a cache holds of a prompt changes last bits, and a seed is promised to come again."""
    assert talk("llamacpp").sent["cache_prompt"] is True
    assert talk("llamacpp", seed=1).sent["cache_prompt"] is False


UNHEEDED = {
    "openai": ("top_k", "typical_p", "tfs_z", "mirostat_mode"),
    "vllm": ("typical_p", "tfs_z", "mirostat_mode"),
    "llamacpp": ("tfs_z",),
}


def test_samplers_that_an_engine_has_not(name: str, talk: Any) -> None:
    """They are named, unless they were sent to be off."""
    asked = {"top_k": 5, "typical_p": 0.5, "tfs_z": 0.5, "mirostat_mode": 2}
    talked = talk(name, min_p=0.0, **asked)
    assert talked.sent
    assert set(talked.decided.unheeded) == set(UNHEEDED[name])


def test_a_penalty_of_nothing(talk: Any) -> None:
    """Engines divide by it: 0 is sent as something very small."""
    assert 0 < talk("llamacpp", repeat_penalty=0).sent["repeat_penalty"] < 0.01
