"""Ranges: what `/parameters` publishes is what is applied, and only what a model can do."""

import msgspec
import pytest

from oxlo.catalogue import Model, Parameter
from oxlo.catalogue.parameters import PerModel, parameters
from oxlo.errors import BadRequest
from oxlo.wire import chat

NEEDING = {
    "tools": {"tools", "tool_choice", "parallel_tool_calls"},
    "json": {"response_format"},
    "logprobs": {"logprobs", "top_logprobs"},
    "reasoning": {"reasoning_effort"},
}
ALL = frozenset({"chat", "completions", "vision", *NEEDING})
BODY = b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"temperature":1.5}'


@pytest.mark.parametrize(("ability", "names"), NEEDING.items())
def test_only_what_it_can_do(model: Model, ability: str, names: set[str]) -> None:
    """Without an ability, its parameters and no others are gone."""
    able = msgspec.structs.replace(model, abilities=ALL)
    unable = msgspec.structs.replace(model, abilities=ALL - {ability})
    assert parameters(able).keys() - parameters(unable).keys() == names


def test_all_are_decoded(model: Model) -> None:
    """Whatever is published can be sent."""
    able = msgspec.structs.replace(model, abilities=ALL)
    assert parameters(able).keys() <= set(chat.ChatFields.__struct_encode_fields__)


def test_a_models_own_range(model: Model) -> None:
    """A model's own range is published and applied; other models keep theirs."""
    request, _ = chat.decode(BODY)
    cold = Parameter(type="float", min=0, max=1, description="")
    colder = msgspec.structs.replace(model, parameters={"temperature": cold})
    chat.validate(request, model)
    with pytest.raises(BadRequest, match=r"from 0 to 1, got 1\.5"):
        chat.validate(request, colder)
    chat.validate(request, model)


def test_bounds_are_allowed(model: Model) -> None:
    """Both ends belong to a range."""
    request, _ = chat.decode(BODY)
    for bounds in ({"min": 1.5, "max": 2}, {"min": 0, "max": 1.5}):
        own = Parameter(type="float", description="", **bounds)
        chat.validate(request, msgspec.structs.replace(model, parameters={"temperature": own}))


def test_one_bound(model: Model) -> None:
    """A range may be open at one end."""
    request, _ = chat.decode(BODY)
    for bounds, words in (({"min": 2}, "of at least 2"), ({"max": 1}, "of at most 1")):
        own = Parameter(type="float", description="", **bounds)
        odd = msgspec.structs.replace(model, parameters={"temperature": own})
        with pytest.raises(BadRequest, match=words):
            chat.validate(request, odd)


def test_worked_out_once(model: Model) -> None:
    """What is known per model is worked out once for each."""
    seen: list[Model] = []
    name = PerModel(lambda each: seen.append(each) or each.name)
    other = msgspec.structs.replace(model, name="Other")
    assert [name.of(model), name.of(other), name.of(model)] == [model.name, "Other", model.name]
    assert seen == [model, other]
