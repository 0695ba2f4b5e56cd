"""What `/v1/models` publishes."""

from pathlib import Path

import msgspec
import pytest

from oxlo import catalogue
from oxlo.catalogue import Model, Parameter
from oxlo.catalogue.abilities import shared
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


def test_defaults_are_in_range() -> None:
    """Every default of every model is one of the values that the parameter takes."""
    for model in catalogue.load():
        for name, parameter in parameters(model).items():
            assert allowed(parameter), f"{model.id}: {name}"


def allowed(parameter: Parameter) -> bool:
    default = parameter.default
    if default is None or isinstance(default, bool):
        return True
    if isinstance(default, str):
        return not parameter.choices or default in parameter.choices
    assert parameter.min is not None
    assert parameter.max is not None
    return parameter.min <= default <= parameter.max


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


@pytest.mark.parametrize(
    ("ability", "names"),
    [
        ("embeddings", {"encoding_format"}),
        ("images", {"size", "width", "num_inference_steps", "guidance_scale", "seed"}),
        ("image_edits", {"strength", "size"}),
        ("transcription", {"language", "temperature", "response_format"}),
        ("translation", {"temperature", "response_format"}),
        ("speech", {"voice", "speed", "response_format"}),
        ("detection", {"confidence", "iou_threshold", "max_detections", "image_size"}),
    ],
)
def test_by_ability(model: Model, ability: str, names: set[str]) -> None:
    """What a model may be told follows from what it does, not from its category."""
    other = parameters(msgspec.structs.replace(model, abilities=frozenset({ability})))
    assert names <= other.keys()
    assert "top_p" not in other


def test_documented_ranges() -> None:
    """Ranges and defaults beyond chat are the documented ones."""
    pictures, heard = shared({"images"}), shared({"transcription"})
    found, spoken = shared({"detection"}), shared({"speech"})
    assert triple(pictures["width"]) == (256, 2048, None)
    assert pictures["width"].step == 64
    assert triple(pictures["num_inference_steps"]) == (1, 150, 4)
    assert triple(pictures["guidance_scale"]) == (1, 30, 7.5)
    assert triple(pictures["n"]) == (1, 4, 1)
    assert triple(heard["temperature"]) == (0, 1, 0)
    assert triple(found["confidence"]) == (0.01, 1, 0.25)
    assert triple(found["iou_threshold"]) == (0.1, 1, 0.45)
    assert triple(found["max_detections"]) == (1, 300, 100)
    assert triple(found["image_size"]) == (320, 1280, 640)
    assert triple(spoken["speed"]) == (0.25, 4, 1)
    assert spoken["response_format"].default == "mp3"


def triple(parameter: Parameter) -> tuple[object, object, object]:
    return parameter.min, parameter.max, parameter.default


def test_a_file_says_what_differs(tmp_path: Path) -> None:
    """A model file changes one value of a parameter; the others stay those of its abilities."""
    file = Path(catalogue.__file__).with_name("models") / "smollm2-135m.toml"
    changed = tmp_path / "smollm2-135m.toml"
    changed.write_text(f"{file.read_text()}\n[parameters.temperature]\ndefault = 0.2\n")
    temperature = parameters(catalogue.read(changed))["temperature"]
    assert temperature.default == 0.2
    assert temperature.max == 2


def test_own_parameters_are_whole(tmp_path: Path) -> None:
    """A parameter that its abilities do not have has to say everything."""
    file = Path(catalogue.__file__).with_name("models") / "smollm2-135m.toml"
    changed = tmp_path / "smollm2-135m.toml"
    changed.write_text(f"{file.read_text()}\n[parameters.sparkle]\ndefault = 0.2\n")
    with pytest.raises(msgspec.ValidationError, match="missing required field `type`"):
        catalogue.read(changed)


def test_choices_are_published() -> None:
    """A form can offer what a string takes."""
    shown = msgspec.json.decode(msgspec.json.encode(describe(catalogue.load().resolve("kokoro"))))
    assert shown["parameters"]["response_format"]["choices"][0] == "mp3"
    assert {"af_heart", "alloy"} <= set(shown["parameters"]["voice"]["choices"])
    assert "choices" not in shown["parameters"]["speed"]
    assert shown["context_length"] is None


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
    assert (shown["licence"], shown["built_on"]) == ("Apache-2.0", [])


def test_products_say_what_they_are() -> None:
    """Callers of a product are told which open model answers."""
    shown = entry(catalogue.load().resolve("oxlo-coder-fast"), status="unavailable", warm=False)
    assert shown["built_on"] == ["Qwen/Qwen3-Coder-30B-A3B-Instruct"]
