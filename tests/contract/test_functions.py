"""OpenAI's old spelling of tools, and the choice of some of them, through the real OpenAI SDK."""

import json

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from openai.types.chat.completion_create_params import Function

pytestmark = pytest.mark.engine

MODEL = "smollm2-135m"
WEATHER: Function = {
    "name": "get_weather",
    "description": "The weather in a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
CLOCK: Function = {"name": "get_time", "description": "The time now"}
ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Weather in Paris?"}]


def test_function(client: openai.OpenAI) -> None:
    """A named function is called, and the conversation goes on with its result."""
    reply = client.chat.completions.create(
        model=MODEL,
        messages=ASK,
        functions=[CLOCK, WEATHER],
        function_call={"name": "get_weather"},
        max_tokens=100,
    )
    choice = reply.choices[0]
    call = choice.message.function_call
    assert call is not None
    assert call.name == "get_weather"
    assert set(json.loads(call.arguments)) == {"city"}
    assert choice.message.tool_calls is None
    assert choice.message.content is None
    assert choice.finish_reason == "stop"  # as at OpenAI, where the function was named
    calling: ChatCompletionMessageParam = {
        "role": "assistant",
        "content": None,
        "function_call": {"name": call.name, "arguments": call.arguments},
    }
    result: ChatCompletionMessageParam = {
        "role": "function",
        "name": "get_weather",
        "content": "sunny, 21 degrees",
    }
    reply = client.chat.completions.create(
        model=MODEL,
        messages=[*ASK, calling, result],
        functions=[WEATHER],
        function_call="none",
        max_tokens=20,
    )
    assert reply.choices[0].message.content
    assert reply.choices[0].message.function_call is None


def test_streamed_function(client: openai.OpenAI) -> None:
    """The name comes once and first; the arguments' pieces add up."""
    stream = client.chat.completions.create(
        model=MODEL,
        messages=ASK,
        functions=[WEATHER],
        function_call={"name": "get_weather"},
        max_tokens=100,
        stream=True,
    )
    names, arguments, finish = [], "", None
    for chunk in stream:
        choice = chunk.choices[0]
        finish = choice.finish_reason or finish
        assert choice.delta.tool_calls is None
        if choice.delta.function_call is not None:
            names += [choice.delta.function_call.name]
            arguments += choice.delta.function_call.arguments or ""
    assert names[0] == "get_weather"
    assert not any(names[1:])
    assert set(json.loads(arguments)) == {"city"}
    assert finish == "stop"


def test_unknown_function(client: openai.OpenAI) -> None:
    """The error names the field that was sent."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model=MODEL, messages=ASK, functions=[WEATHER], function_call={"name": "get_time"}
        )
    assert caught.value.param == "function_call"


def test_allowed_tool(client: openai.OpenAI) -> None:
    """Of several tools, only the allowed one is called."""
    tools: list[ChatCompletionToolParam] = [
        {"type": "function", "function": {"name": "get_time"}},
        {"type": "function", "function": WEATHER},
    ]
    reply = client.chat.completions.create(
        model=MODEL,
        messages=ASK,
        tools=tools,
        tool_choice={
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "required",
                "tools": [{"type": "function", "function": {"name": "get_time"}}],
            },
        },
        max_tokens=100,
    )
    choice = reply.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls
    assert {c.function.name for c in choice.message.tool_calls if c.type == "function"} == {
        "get_time"
    }
