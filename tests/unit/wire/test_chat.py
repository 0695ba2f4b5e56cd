"""The fields of a chat: what each takes, and how a wrong one is named."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from oxlo.catalogue import Model
from oxlo.errors import BadRequest, UnsupportedAbility
from oxlo.wire import chat

Refuse = Callable[..., BadRequest]
Accept = Callable[..., chat.ChatRequest]

NUMBERS = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "repeat_penalty": (0, 3),
    "min_p": (0, 1),
    "typical_p": (0, 1),
    "tfs_z": (0, 1),
    "mirostat_tau": (0, 10),
    "mirostat_eta": (0, 1),
}
INTEGERS = {"n": (1, 5), "top_k": (0, 500), "mirostat_mode": (0, 2)}
FLAGS = ("stream", "logprobs", "parallel_tool_calls", "store")
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(("name", "bounds"), (NUMBERS | INTEGERS).items())
def test_bounds_are_taken(accept: Accept, name: str, bounds: tuple[int, int]) -> None:
    """Both ends of a range are in it."""
    for bound in bounds:
        assert accept(**{name: bound}).given[name] == pytest.approx(
            bound, abs=0.001
        )  # 0 is sent as a little


@pytest.mark.parametrize(("name", "bounds"), (NUMBERS | INTEGERS).items())
def test_out_of_range(refuse: Refuse, name: str, bounds: tuple[int, int]) -> None:
    """What is just outside is refused, with the field and its range."""
    for value in (bounds[0] - 1, bounds[1] + 1):
        error = refuse(**{name: value})
        assert error.param == name
        assert error.error_code == "invalid_value"
        assert f"from {bounds[0]} to {bounds[1]}, got {value}" in error.message


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["1", True, [1], {}])
def test_numbers_are_numbers(refuse: Refuse, name: str, value: Any) -> None:
    """A string or a boolean is no number."""
    error = refuse(**{name: value})
    assert error.param == name
    assert "expected number or null" in error.message


@pytest.mark.parametrize("name", [*INTEGERS, "seed", "max_tokens", "top_logprobs"])
@pytest.mark.parametrize("value", ["1", True, 1.5, 1.0, [1]])
def test_integers_are_integers(refuse: Refuse, name: str, value: Any) -> None:
    """Neither a float nor a boolean is an integer."""
    error = refuse(**{name: value})
    assert error.param == name
    assert "expected integer" in error.message
    assert error.message.endswith("Numbers are written without quotes.") == (value == "1")


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("value", ["true", 1, 0, []])
def test_flags_are_flags(refuse: Refuse, name: str, value: Any) -> None:
    """Only true and false are booleans."""
    error = refuse(**{name: value})
    assert error.param == name
    assert ("true and false are written without quotes" in error.message) == (value == "true")


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"model": ...}, "model", "You must provide 'model'"),
        ({"model": 5}, "model", "expected string, got integer"),
        ({"model": None}, "model", "You must provide 'model'"),
        ({"messages": ...}, "messages", "You must provide 'messages'"),
        ({"messages": ..., "prompt": "Hi"}, "messages", "field of POST /v1/completions"),
        ({"messages": ..., "input": "Hi"}, "messages", "Responses API"),
        ({"response_format": "json"}, "response_format", 'For example: {"type": "json_object"}'),
        ({"stop": list("abcde")}, "stop", "at most 4 sequences, got 5"),
        ({"stop": ""}, "stop", "may not be empty"),
        ({"stop": ["a", ""]}, "stop", "may not be empty"),
        ({"stop": 5}, "stop", "expected string or array or null"),
        ({"stop": [5]}, "stop[0]", "expected string"),
        ({"stream_options": {}}, "stream_options", "allowed only with 'stream': true"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage", "boolean"),
        ({"top_logprobs": 5}, "top_logprobs", "allowed only with 'logprobs': true"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs", "from 0 to 20, got 21"),
        ({"logit_bias": {"x": 1}}, "logit_bias", "token ids"),
        ({"logit_bias": {"٣": 1}}, "logit_bias", "token ids"),
        ({"logit_bias": {"3": 101}}, "logit_bias", "from -100 to 100"),
        ({"max_tokens": 0}, "max_tokens", "at least 1, got 0"),
        ({"max_completion_tokens": -1}, "max_completion_tokens", "at least 1, got -1"),
        ({"seed": 2**63}, "seed", "<= 9223372036854775807"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "one of json_object, json_"),
        ({"response_format": {}}, "response_format.type", "You must provide"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "provide"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort", "one of high, low, max, medium"),
        ({"verbosity": "loud"}, "verbosity", "one of high, low, medium"),
        ({"metadata": {"a": 1}}, "metadata", "expected string for each value, got"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata", "at most 16"),
        ({"modalities": ["text", "audio"]}, "modalities", "sound"),
        ({"modalities": ["smell"]}, "modalities[0]", "one of audio, text"),
        ({"web_search_options": {}}, "web_search_options", "searches the web"),
        ({"moderation": {"model": "omni"}}, "moderation", "nothing here moderates"),
        ({"tools": "add"}, "tools", "expected array, got string"),
        ({"tools": [5]}, "tools[0]", "expected object, got integer"),
        ({"tools": [TOOL, {"type": "custom"}]}, "tools[1].type", "of the type 'function'"),
        ({"tools": [{"type": "mcp"}]}, "tools[0].type", "'mcp' is not served here"),
        (
            {"tools": [{"type": "function", "name": "f"}]},
            "tools[0].function",
            '"function": {"name"',
        ),
        ({"tools": [TOOL] * 129}, "tools", "at most 128 tools, got 129"),
        ({"tool_choice": "required"}, "tool_choice", "allowed only with 'tools'"),
        ({"tool_choice": "any", "tools": [TOOL]}, "tool_choice", "none, auto, required"),
        ({"tool_choice": 5, "tools": [TOOL]}, "tool_choice", "none, auto, required"),
        ({"tool_choice": {"type": "function"}, "tools": [TOOL]}, "tool_choice.function", "provide"),
    ],
)
def test_wrong_field(refuse: Refuse, fields: dict[str, Any], param: str, words: str) -> None:
    """The error names the field and tells what to do."""
    error = refuse(**fields)
    assert error.param == param
    assert words in error.message
    assert error.status == 400


@pytest.mark.parametrize("name", ["", "a b", "a" * 65, "é", "a\n"])
def test_tool_names(refuse: Refuse, name: str) -> None:
    """A function's name is 1 to 64 plain characters."""
    error = refuse(tools=[TOOL, {"type": "function", "function": {"name": name}}])
    assert error.param == "tools[1].function.name"


def test_unknown_tool_chosen(refuse: Refuse) -> None:
    """A named tool has to be among the tools."""
    error = refuse(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "sub"}})
    assert error.param == "tool_choice"
    assert "no tool named 'sub'" in error.message


@pytest.mark.parametrize("schema", [..., None, [], "object", True])
def test_schema_is_an_object(refuse: Refuse, schema: Any) -> None:
    """A response format's schema is a JSON object."""
    told = {"name": "x"} | ({} if schema is ... else {"schema": schema})
    error = refuse(response_format={"type": "json_schema", "json_schema": told})
    assert error.param == "response_format.json_schema.schema"


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
def test_bare_schema(accept: Accept, refuse: Refuse, kind: str) -> None:
    """A schema without a name around it is one all the same, never left out silently."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    form = accept(response_format={"type": kind, "schema": schema}).given["response_format"]
    named = {"name": "answer", "schema": schema}
    assert json.loads(msgspec.json.encode(form)) == {"type": "json_schema", "json_schema": named}
    error = refuse(response_format={"type": kind, "schema": 5})
    assert error.param == "response_format.json_schema.schema"


def test_two_names_of_the_penalty(accept: Accept) -> None:
    """repetition_penalty, as others have it, is repeat_penalty; ours counts where both are."""
    given = accept(repetition_penalty=1.3).given
    assert given["repeat_penalty"] == 1.3
    assert "repetition_penalty" not in given
    assert accept(repetition_penalty=1.3, repeat_penalty=1.1).given["repeat_penalty"] == 1.1


def test_sound_that_is_not_asked_for() -> None:
    """How an answer should sound means nothing, where it is text: as at OpenAI."""
    said = {"model": "m", "messages": [{"role": "user", "content": "x"}], "modalities": ["text"]}
    request, ignored = chat.decode(json.dumps(said | {"audio": {"voice": "alloy"}}).encode())
    assert ignored == ("audio",)
    assert "audio" not in request.given


def test_storing_is_not_done() -> None:
    """Who wants a chat to be stored is told that it is not."""
    said = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    for wish, ignored in ((True, ("store",)), (False, ()), (None, ())):
        assert chat.decode(json.dumps(said | {"store": wish}).encode())[1] == ignored


def test_null_is_absent(accept: Accept) -> None:
    """Every field may be null, except the two that must be there."""
    names = set(chat.ChatFields.__struct_fields__) - {"model", "messages"}
    request = accept(**dict.fromkeys(names | {"audio"}))
    assert request.given.keys() == {"model", "messages"}
    assert request.offer.mode == "none"
    assert request.output_limit is None
    assert not request.include_usage


def test_two_names_of_the_limit(accept: Accept) -> None:
    """max_tokens and max_completion_tokens are one field: the smaller wish holds."""
    assert accept(max_tokens=9).output_limit == 9
    assert accept(max_completion_tokens=8).output_limit == 8
    assert accept(max_tokens=9, max_completion_tokens=8).output_limit == 8


def test_above_the_cap_is_taken(accept: Accept) -> None:
    """A length above any plan's is lowered later, not refused here."""
    assert accept(max_tokens=10**9).output_limit == 10**9


@pytest.mark.parametrize("seed", [-(2**63), -1, 0, 2**31 + 1, 2**63 - 1])
def test_any_seed(accept: Accept, seed: int) -> None:
    """Seeds are 64 bits, as OpenAI's."""
    assert accept(seed=seed).given["seed"] == seed


def test_choice_without_tools(accept: Accept) -> None:
    """What asks for no tool needs none."""
    for choice in ("none", "auto"):
        assert not accept(tool_choice=choice).has_tools


def test_tool_modes(accept: Accept) -> None:
    """Tools are called freely unless somebody chooses."""
    named = {"type": "function", "function": {"name": "add"}}
    assert accept(tools=[TOOL]).offer.mode == "auto"
    assert accept(tools=[TOOL], tool_choice="none").offer.mode == "none"
    assert accept(tools=[TOOL], tool_choice="required").offer.mode == "required"
    assert accept(tools=[TOOL], tool_choice=named).offer.name == "add"
    assert accept(tools=[], tool_choice="auto").offer.mode == "none"


def test_deep_parameters(refuse: Refuse, accept: Accept) -> None:
    """Parameters that nest beyond reason are refused, not recursed into."""

    def tool(levels: int) -> dict[str, Any]:
        schema: dict[str, Any] = {}
        for _ in range(levels):
            schema = {"items": schema}
        return {"type": "function", "function": {"name": "f", "parameters": schema}}

    assert accept(tools=[tool(60)]).has_tools
    assert refuse(tools=[tool(65)]).param == "tools[0].function.parameters"


@pytest.mark.parametrize(
    ("fields", "ability", "param"),
    [
        ({"tools": [TOOL]}, "tools", "tools"),
        ({"logprobs": True}, "logprobs", "logprobs"),
        ({"response_format": {"type": "json_object"}}, "json", "response_format"),
        ({"reasoning_effort": "low"}, "reasoning", "reasoning_effort"),
    ],
)
def test_unable(model: Model, fields: dict[str, Any], ability: str, param: str) -> None:
    """What a model cannot do is refused by name of the ability."""
    plain = msgspec.structs.replace(model, abilities=frozenset({"chat"}))
    request, _ = chat.decode(body(**fields))
    with pytest.raises(UnsupportedAbility) as caught:
        chat.validate(request, plain)
    assert caught.value.param == param
    assert caught.value.extra == {"ability": ability}


def test_harmless_without_ability(model: Model) -> None:
    """Asking for what every model does needs no ability."""
    plain = msgspec.structs.replace(model, abilities=frozenset({"chat"}))
    request, _ = chat.decode(
        body(response_format={"type": "text"}, logprobs=False, reasoning_effort="none", tools=[])
    )
    chat.validate(request, plain)


def test_unknown_fields_are_named() -> None:
    """Unknown fields are accepted and named, cleaned for a header; what is known still counts."""
    request, unknown = chat.decode(body(ignore_eos=True, **{"a\r\nb: c": 1}, temperature=0.5))
    assert unknown == ("ignore_eos", "a??b??c")
    assert request.given["temperature"] == 0.5


def test_unknown_fields_are_bounded() -> None:
    """A body of nothing but unknown names makes no long header."""
    _, unknown = chat.decode(body(**{f"{n:0100}": 1 for n in range(100)}))
    assert [len(name) for name in unknown] == [64] * 16


def test_wrong_beside_unknown(refuse: Refuse) -> None:
    """A wrong value is refused also where an unknown field comes first."""
    assert refuse(aaa=1, temperature="hot").param == "temperature"


def body(**fields: Any) -> bytes:
    whole = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    return msgspec.json.encode(whole | fields)
