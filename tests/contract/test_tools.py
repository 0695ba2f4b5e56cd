"""Tool calls through the real OpenAI SDK, the real platform and a real model."""

import json

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

pytestmark = pytest.mark.engine

MODEL = "smollm2-135m"
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "maxLength": 20},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
    },
}
CLOCK: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "The time now",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    },
}
ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Weather in Paris?"}]


@pytest.mark.parametrize("attempt", range(3))
def test_required_tool(client: openai.OpenAI, attempt: int) -> None:
    """A required tool call always comes, with arguments that fit the schema."""
    reply = client.chat.completions.create(
        model=MODEL,
        messages=ASK,
        tools=[WEATHER],
        tool_choice="required",
        max_tokens=200,
        seed=attempt,
        temperature=1,
    )
    choice = reply.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert choice.message.tool_calls
    call = choice.message.tool_calls[0]
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert set(json.loads(call.function.arguments)) == {"city", "unit"}


def test_named_tool(client: openai.OpenAI) -> None:
    """A named tool is the one that is called."""
    reply = client.chat.completions.create(
        model=MODEL,
        messages=ASK,
        tools=[WEATHER, CLOCK],
        tool_choice={"type": "function", "function": {"name": "get_time"}},
        max_tokens=100,
    )
    calls = reply.choices[0].message.tool_calls
    assert calls is not None
    assert [c.function.name for c in calls if c.type == "function"] == ["get_time"]


def test_streamed_tool(client: openai.OpenAI) -> None:
    """Streamed calls have an index on each delta; id and name come once; arguments add up."""
    stream = client.chat.completions.create(
        model=MODEL,
        messages=ASK,
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        max_tokens=200,
        stream=True,
    )
    names, ids, arguments, finish = [], [], "", None
    for chunk in stream:
        choice = chunk.choices[0]
        finish = choice.finish_reason or finish
        for delta in choice.delta.tool_calls or []:
            assert delta.index == 0
            assert delta.function is not None
            names += [delta.function.name] if delta.function.name else []
            ids += [delta.id] if delta.id else []
            arguments += delta.function.arguments or ""
    assert names == ["get_weather"]
    assert len(ids) == 1
    assert set(json.loads(arguments)) == {"city", "unit"}
    assert finish == "tool_calls"


def test_no_tools(client: openai.OpenAI) -> None:
    """`tool_choice: none` gives text."""
    reply = client.chat.completions.create(
        model=MODEL, messages=ASK, tools=[WEATHER], tool_choice="none", max_tokens=10
    )
    assert reply.choices[0].message.tool_calls is None
    assert reply.choices[0].message.content


def test_auto_tools(client: openai.OpenAI) -> None:
    """With `tool_choice: auto` there is text or a call."""
    message = (
        client.chat.completions.create(model=MODEL, messages=ASK, tools=[WEATHER], max_tokens=60)
        .choices[0]
        .message
    )
    assert message.content or message.tool_calls


def test_tool_result_turn(client: openai.OpenAI) -> None:
    """A conversation with a call and its result goes on."""
    turn: list[ChatCompletionMessageParam] = [
        *ASK,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny, 21 degrees"},
    ]
    reply = client.chat.completions.create(
        model=MODEL, messages=turn, tools=[WEATHER], tool_choice="none", max_tokens=20
    )
    assert reply.choices[0].message.content
