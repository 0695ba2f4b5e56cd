"""Image engines as processes, asked by OpenAI's SDK: real pipelines with random weights."""

import asyncio
import base64
import io
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
import openai
import pytest
from openai.types import ImagesResponse
from PIL import Image, ImageChops, ImageStat
from tests.pictures import png
from tests.processes import ending
from tests.unit.engines.diffusion.test_kind import MODEL
from tests.waiting import PATIENCE

from oxlo.engines.diffusion.config import Config
from oxlo.engines.launching import child
from oxlo.engines.probe import PROBES
from oxlo.fleet.fetch import fetch
from oxlo.fleet.process import Event
from oxlo.wire.sizes import Side, Sizes

CLASSES = ("stable_diffusion", "sdxl", "flux")
SIZES = Sizes(own=(64, 64), width=Side(32, 128, 16), height=Side(32, 128, 16))
PATH = "/v1/images/generations"


class Engine:
    """A running engine, and the SDK pointed at it."""

    def __init__(self, folder: Path, pipelines: int) -> None:
        config = Config(
            folder=str(folder), sizes=SIZES, steps=4, guidance=4.0, threads=1,
            pipelines=pipelines, slots=pipelines + 1, api_key="secret",
        )  # fmt: skip
        launch = child(MODEL, "diffusers", "oxlo.engines.diffusion.child", config)
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(launch.argv, stdin=pipe, stdout=pipe)
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(launch.config + b"\n")
        self.process.stdin.flush()
        self.said = msgspec.json.decode(self.process.stdout.readline(), type=Event)
        self.sdk = openai.OpenAI(
            base_url=f"{self.said.address}/v1", api_key="secret", max_retries=0
        )

    def end(self) -> None:
        """End it, as when its fleet is gone."""
        self.sdk.close()
        with ending(self.process):
            assert self.process.stdin
            self.process.stdin.close()
            self.process.wait(PATIENCE)

    def generate(self, **fields: Any) -> ImagesResponse:
        """One call; what OpenAI does not know of travels in the body all the same."""
        fields = {"num_inference_steps": 3, "seed": 5} | fields
        known = {name: fields.pop(name) for name in ("n", "size") if name in fields}
        return self.sdk.images.generate(
            model="scenes", prompt=fields.pop("prompt", "a red fox"), extra_body=fields, **known
        )

    def edit(self, image: bytes, **fields: Any) -> ImagesResponse:
        """One call, as a form."""
        known = {name: fields.pop(name) for name in ("mask", "n", "size") if name in fields}
        fields = {"num_inference_steps": 3, "seed": 5} | fields
        return self.sdk.images.edit(
            model="scenes", image=image, prompt="a red fox", extra_body=fields, **known
        )

    async def progress(self) -> tuple[int, float]:
        """Calls under way, and steps done."""
        probe = PROBES["oxlo"]
        reply = await fetch(self.said.address, probe.path, api_key="secret", deadline=PATIENCE)
        assert probe.progress
        told = probe.progress(reply.body)
        return told.busy, told.work


Start = Callable[..., Engine]


@pytest.fixture(scope="module")
def start(pipelines: Path) -> Iterator[Start]:
    """The engine of a class of pipelines; each is started once."""
    running: dict[tuple[str, int], Engine] = {}

    def begin(kind: str = "stable_diffusion", count: int = 1) -> Engine:
        if (kind, count) not in running:
            running[kind, count] = Engine(pipelines / kind, count)
        return running[kind, count]

    yield begin
    for engine in running.values():
        engine.end()


def files(reply: ImagesResponse) -> list[bytes]:
    assert reply.data
    return [base64.b64decode(item.b64_json or "") for item in reply.data]


def picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def distance(one: str, other: str) -> float:
    """Of two pictures in base64: grey levels, on average."""
    first, second = (picture(base64.b64decode(text)).convert("RGB") for text in (one, other))
    assert first.size == second.size == (64, 96)
    return fmean(ImageStat.Stat(ImageChops.difference(first, second)).mean)


@pytest.mark.parametrize("kind", CLASSES)
def test_classes_of_pipelines(start: Start, kind: str) -> None:
    """One engine serves them all: the same seed gives the same bytes, another seed others."""
    engine = start(kind)
    one, same = engine.generate(), engine.generate()
    assert files(one) == files(same)
    pair = engine.generate(seed=6, n=2, size="96x64")
    assert [picture(data).size for data in files(pair)] == [(96, 64), (96, 64)]
    assert len({*files(one), *files(pair)}) == 3
    assert one.usage
    assert one.usage.input_tokens > 0


@pytest.mark.parametrize("kind", CLASSES)
def test_edits(start: Start, kind: str) -> None:
    """An image keeps its shape; a mask leaves what it covers alone, a faint edit nearly all."""
    engine = start(kind)
    faint = engine.edit(png("red", (100, 50)), strength=0.01)
    strong = engine.edit(png("red", (100, 50)), strength=1.0)
    assert picture(files(faint)[0]).size == picture(files(strong)[0]).size == (96, 48)
    assert files(faint) != files(strong)
    masked = engine.edit(png("red", (100, 50)), mask=png("black", (100, 50)), n=2)
    assert len(files(masked)) == 2


@pytest.mark.parametrize("kind", CLASSES)
def test_partial_images_lead_to_the_image(start: Start, kind: str) -> None:
    """Each is nearer to it than the one before, and the last event has it to the byte."""
    engine = start(kind)
    more = {"num_inference_steps": 6, "seed": 5, "size": "64x96"}
    events: list[Any] = list(
        engine.sdk.images.generate(
            model="scenes", prompt="a red fox", stream=True, partial_images=3, extra_body=more
        )
    )
    kinds = [event.type for event in events]
    assert kinds == ["image_generation.partial_image"] * 3 + ["image_generation.completed"]
    away = [distance(event.b64_json, events[-1].b64_json) for event in events]
    assert 6 > away[0] > away[1] >= away[2] < 2
    assert base64.b64decode(events[-1].b64_json) == files(engine.generate(**more))[0]


def test_guidance_and_negative_prompts_matter(start: Start) -> None:
    """What is asked for reaches the pipeline."""
    engine = start()
    ways: list[dict[str, Any]] = [
        {}, {"guidance_scale": 9}, {"negative_prompt": "blue"}, {"num_inference_steps": 5},
    ]  # fmt: skip
    assert len({files(engine.generate(**way))[0] for way in ways}) == 4


def test_a_long_prompt_is_cut_and_says_so(start: Start) -> None:
    """`revised_prompt` is the part that was read; the plan's cap refuses before that."""
    engine = start()
    prompt = "fox " * 60
    reply = engine.generate(prompt=prompt)
    assert reply.data
    told = reply.data[0].revised_prompt
    assert told
    assert prompt.startswith(told)
    with pytest.raises(openai.BadRequestError, match="50 are allowed") as refusal:
        engine.generate(prompt=prompt, max_input_tokens=50)
    assert refusal.value.code == "context_length_exceeded"


def test_formats(start: Start) -> None:
    """As asked for; the reply says which."""
    engine = start()
    reply = engine.generate(output_format="webp")
    assert (reply.output_format, picture(files(reply)[0]).format) == ("webp", "WEBP")


@pytest.mark.parametrize("image", [b"no picture", png("red", (100, 50))[:-30]], ids=["text", "cut"])
def test_bad_images(start: Start, image: bytes) -> None:
    """A refusal, and the engine goes on."""
    engine = start()
    with pytest.raises(openai.BadRequestError) as refusal:
        engine.edit(image)
    assert refusal.value.code == "invalid_image"
    assert files(engine.generate())


def test_parallel_calls_do_not_mix(start: Start) -> None:
    """Two pipelines share the weights, and each draws as if it were alone."""
    engine = start(count=2)
    alone = [files(engine.generate(seed=seed)) for seed in range(4)]
    with ThreadPoolExecutor(4) as threads:
        together = threads.map(lambda seed: files(engine.generate(seed=seed)), range(4))
    assert list(together) == alone


async def test_who_hangs_up_is_not_drawn_for(start: Start) -> None:
    """Progress is by step, and stops with the caller."""
    engine = start()
    _, before = await engine.progress()
    body = {"prompt": "x", "num_inference_steps": 500}
    ask = fetch(engine.said.address, PATH, body=body, api_key="secret", deadline=60)
    asking = asyncio.create_task(ask)
    while (await engine.progress())[1] < before + 5:
        assert not asking.done()
    asking.cancel()
    while (await engine.progress())[0]:
        pass
    assert (await engine.progress())[1] < before + 500


def test_pickles_are_not_loaded(pipelines: Path, tmp_path: Path) -> None:
    """Weights in a format that can hold programs are no weights."""
    whole = pipelines / "stable_diffusion"
    for path in whole.rglob("*.*"):
        target = tmp_path / path.relative_to(whole)
        target.parent.mkdir(exist_ok=True)
        name = target.name.replace(".safetensors", ".bin")
        target.with_name(name).write_bytes(path.read_bytes())
    engine = Engine(tmp_path, 1)
    engine.end()
    assert "is not a diffusers pipeline of safetensors" in engine.said.reason
