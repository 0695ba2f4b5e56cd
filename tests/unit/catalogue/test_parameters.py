"""What `/v1/models` publishes."""

import msgspec
import pytest

from oxlo import catalogue
from oxlo.catalogue import Model, Parameter
from oxlo.catalogue.parameters import describe, entry, parameters


@pytest.fixture
def model() -> Model:
    """The starter model."""
    return catalogue.load().resolve("smollm2-135m")


def test_sampling_is_neutral(model: Model) -> None:
    """Only the temperature has a taste; every other sampler is off until asked for."""
    defaults = {name: parameter.default for name, parameter in parameters(model).items()}
    off = {"top_p": 1, "top_k": 0, "min_p": 0, "repeat_penalty": 1, "typical_p": 1, "tfs_z": 1}
    off |= {"mirostat_mode": 0, "frequency_penalty": 0, "presence_penalty": 0, "n": 1}
    assert defaults["temperature"] == 0.7
    assert {name: defaults[name] for name in off} == off
    assert defaults["max_tokens"] is None
    assert defaults["seed"] is None


def test_defaults_are_in_range(model: Model) -> None:
    """Every default is one of the values that the parameter takes."""
    for name, parameter in parameters(model).items():
        if isinstance(parameter.default, int | float) and parameter.min is not None:
            assert parameter.max is not None, name
            assert parameter.min <= parameter.default <= parameter.max, name


def test_ranges(model: Model) -> None:
    """Ranges are the documented ones."""
    found = {name: (p.min, p.max) for name, p in parameters(model).items()}
    assert found["temperature"] == (0, 2)
    assert found["n"] == (1, 5)
    assert found["top_k"] == (0, 500)
    assert found["top_logprobs"] == (0, 20)
    assert found["seed"] == (0, 2**31)
    assert found["stop"] == (0, 4)


def test_model_wins(model: Model) -> None:
    """A model's own parameter replaces that of its category."""
    own = Parameter(type="float", min=0, max=1, default=0.2, description="Colder.")
    colder = msgspec.structs.replace(model, parameters={"temperature": own})
    assert parameters(colder)["temperature"] is own
    assert parameters(colder).keys() == parameters(model).keys()


def test_only_what_it_can_do(model: Model) -> None:
    """A model without an ability does not offer the parameters that need it."""
    plain = msgspec.structs.replace(model, abilities=frozenset({"chat"}))
    gone = parameters(model).keys() - parameters(plain).keys()
    assert {"tools", "tool_choice", "response_format", "logprobs"} <= gone
    assert "reasoning_effort" not in parameters(model)


def test_other_categories(model: Model) -> None:
    """An embedding model has no sampling."""
    assert parameters(msgspec.structs.replace(model, category="embeddings")) == {}


def test_describe(model: Model) -> None:
    """The page of parameters has the documented fields, as JSON."""
    page = msgspec.json.decode(msgspec.json.encode(describe(model)))
    shown = page.pop("parameters")
    assert page == {
        "model_id": "smollm2-135m",
        "model_name": "SmolLM2 135M Instruct",
        "category": "chat",
        "context_length": 8192,
    }
    assert shown["temperature"] | {"description": ""} == {
        "type": "float",
        "min": 0,
        "max": 2,
        "default": 0.7,
        "step": 0.1,
        "section": "basic",
        "description": "",
    }
    assert "step" not in shown["stream"]


def test_entry(model: Model) -> None:
    """A listed model has OpenAI's four fields, and those that clients of the platform read."""
    shown = entry(model, status="ready", warm=True)
    assert (shown["id"], shown["object"], shown["owned_by"]) == (
        "smollm2-135m",
        "model",
        "HuggingFaceTB",
    )
    assert isinstance(shown["created"], int)
    assert shown["display_name"] == shown["name"] == "SmolLM2 135M Instruct"
    assert (shown["status"], shown["warm"], shown["coming_soon"]) == ("ready", True, False)
    assert shown["capabilities"] == ["chat", "completions", "json", "logprobs", "tools"]
    assert shown["licence"] == "Apache-2.0"
