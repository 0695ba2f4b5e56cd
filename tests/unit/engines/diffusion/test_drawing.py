"""The arguments of a pipeline, for classes whose arguments differ."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from oxlo.engines.diffusion.config import Config
from oxlo.engines.diffusion.drawing import SEEDS, Arguments, Drawing, decide, preview_steps
from oxlo.engines.diffusion.params import read, read_form
from oxlo.errors import BadRequest
from oxlo.wire.sizes import Sizes

CONFIG = Config(folder="", sizes=Sizes(own=(64, 64)), steps=20, guidance=7.5)


def drawing(**fields: Any) -> Drawing:
    known: dict[str, Any] = {
        "prompt": "x", "negative_prompt": "", "size": (96, 64), "seeds": (3, 4), "steps": 4,
        "guidance": 2.0,
    }  # fmt: skip
    return Drawing(**known | fields)


class Classic:
    """As Stable Diffusion: guidance is a second pass."""

    def __call__(
        self, prompt: Any, height: int, width: int, num_inference_steps: int,
        guidance_scale: float, negative_prompt: Any, num_images_per_prompt: int, generator: Any,
        callback_on_step_end: Any,
    ) -> None: ...  # fmt: skip


class Flow:
    """As Flux: what is called guidance there is an input of the distilled models."""

    def __call__(
        self, prompt: Any, true_cfg_scale: float, height: int, width: int,
        num_inference_steps: int, guidance_scale: float, num_images_per_prompt: int,
        generator: Any, callback_on_step_end: Any,
        negative_prompt: Any = None, max_sequence_length: int = 512,
    ) -> None: ...  # fmt: skip


class Kontext:
    """One that follows instructions, and shows no progress."""

    def __call__(
        self, prompt: Any, image: Any, num_inference_steps: int, generator: Any
    ) -> None: ...  # fmt: skip


class Edit:
    """As Stable Diffusion's image to image: the image says its size."""

    def __call__(
        self, prompt: Any, image: Any, strength: float, num_inference_steps: int
    ) -> None: ...  # fmt: skip


def test_decided_where_nothing_was_asked() -> None:
    """The model's own steps and guidance, and a seed by chance."""
    decided = decide(read(b'{"prompt": "x"}'), CONFIG, (64, 64), 99)
    assert (decided.steps, decided.guidance, decided.seeds) == (20, 7.5, (99,))


def test_drawn_in_one_size() -> None:
    """A network that knows one size draws that, and the result is scaled to what was asked for."""
    config = msgspec.structs.replace(CONFIG, drawn=(64, 64))
    large = decide(read(b'{"prompt": "x"}'), config, (512, 512), 99)
    plain = decide(read(b'{"prompt": "x"}'), CONFIG, (512, 512), 99)
    assert (large.size, large.scaled) == ((64, 64), (512, 512))
    assert (plain.size, plain.scaled) == ((512, 512), None)


@pytest.mark.parametrize(
    ("quality", "own", "steps", "told"),
    [
        ("low", 20, 10, "low"), ("auto", 20, 20, "medium"), ("hd", 20, 40, "high"),
        ("max", 20, 50, "max"), ("low", 4, 4, "medium"), ("high", 4, 4, "medium"),
    ],
)  # fmt: skip
def test_a_quality_is_a_number_of_steps(quality: str, own: int, steps: int, told: str) -> None:
    """At most as many as the model takes; one that was made for few keeps to them."""
    config = replace(CONFIG, steps=own, most_steps=50)
    decided = decide(
        read(b'{"prompt": "x", "quality": "%b"}' % quality.encode()), config, (8, 8), 1
    )
    assert (decided.steps, decided.quality) == (steps, told)


def test_steps_win_over_a_quality() -> None:
    """Who asks for both wants these steps."""
    asked = read(b'{"prompt": "x", "quality": "low", "num_inference_steps": 7}')
    assert decide(asked, CONFIG, (8, 8), 1).steps == 7


@pytest.mark.parametrize(
    ("steps", "wanted", "shown"),
    [
        (16, 3, [4, 8, 12]), (16, 1, [8]), (16, 0, []), (4, 3, [1, 2, 3]), (3, 3, [1, 2]),
        (2, 3, [1]), (1, 3, []),
    ],
)  # fmt: skip
def test_when_a_drawing_is_shown(steps: int, wanted: int, shown: list[int]) -> None:
    """At even distances, never twice, and not when it is finished."""
    assert preview_steps(steps, wanted) == shown


def test_each_image_has_its_seed() -> None:
    """One after the other, and they wrap around."""
    wish = read(b'{"prompt": "x", "n": 2, "seed": %d}' % (SEEDS - 1))
    assert decide(wish, CONFIG, (64, 64), 1).seeds == (SEEDS - 1, 0)


def test_form_fields_are_text() -> None:
    """And mean numbers."""
    wish = read_form({"prompt": "x", "n": "2", "strength": "0.5", "seed": "7"})
    assert (wish.n, wish.strength, wish.seed) == (2, 0.5, 7)


@pytest.mark.parametrize(
    "field", ['"n": 11', '"n": 2, "stream": true', '"strength": 2', '"num_inference_steps": 0']
)
def test_bad_values_are_named(field: str) -> None:
    """Whoever speaks to an engine directly."""
    with pytest.raises(BadRequest) as refusal:
        read(f'{{"prompt": "x", {field}}}'.encode())
    assert refusal.value.param in field


@pytest.mark.parametrize(
    ("pipeline", "distilled", "name"),
    [
        (Classic(), False, "guidance_scale"),
        (Flow(), False, "true_cfg_scale"),
        (Flow(), True, "guidance_scale"),
    ],
)
def test_guidance_goes_where_it_works(pipeline: object, distilled: bool, name: str) -> None:
    """Under the name that this class gives it."""
    arguments = Arguments(pipeline, distilled=distilled).of(drawing())
    assert {key: arguments[key] for key in arguments if "cfg" in key or "guidance" in key} == {
        name: 2.0
    }


def test_size_and_number_are_told() -> None:
    """Width before height, one image for each seed."""
    arguments = Arguments(Classic(), distilled=False).of(drawing())
    assert (arguments["width"], arguments["height"], arguments["num_images_per_prompt"]) == (
        96,
        64,
        2,
    )


@pytest.mark.parametrize(("guidance", "negative"), [(2.0, " "), (1.0, None)])
def test_a_second_pass_has_a_negative_prompt(guidance: float, negative: str | None) -> None:
    """Where the class makes that pass only if it is given one."""
    arguments = Arguments(Flow(), distilled=False).of(drawing(guidance=guidance))
    assert arguments.get("negative_prompt") == negative


@pytest.mark.parametrize(
    "fields",
    [{"negative_prompt": "blue"}, {"image": object(), "strength": 0.5}],
    ids=["negative_prompt", "strength"],
)
def test_what_nobody_reads(fields: dict[str, Any]) -> None:
    """Is refused, not dropped."""
    with pytest.raises(BadRequest) as refusal:
        Arguments(Kontext(), distilled=False).of(drawing(**fields))
    assert refusal.value.param in fields


def test_an_edit_without_strength() -> None:
    """Models that follow instructions change what the prompt says, in as many steps as asked."""
    arguments = Arguments(Kontext(), distilled=False).of(drawing(image=object()))
    assert set(arguments) == {"prompt", "image", "num_inference_steps"}
    assert arguments["num_inference_steps"] == 4


def test_what_a_pipeline_lacks() -> None:
    """Without progress and a number of images it is not served."""
    missing = Arguments(Kontext(), distilled=False).missing
    assert missing == ["num_images_per_prompt", "callback_on_step_end"]


@pytest.mark.parametrize("strength", [0.01, 1 / 49, 0.07, 0.33, 1.0, None])
def test_a_faint_edit_has_a_step(strength: float | None) -> None:
    """Diffusers runs `strength` of the steps, rounded down: never none."""
    arguments = Arguments(Edit(), distilled=False).of(drawing(image=object(), strength=strength))
    assert int(arguments["num_inference_steps"] * arguments["strength"]) >= 1
    assert arguments["num_inference_steps"] >= 4
