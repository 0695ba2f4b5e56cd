"""Images through the real SDK, by the real small model that comes with the package."""

import base64
import io
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types import ImagesResponse
from PIL import Image, ImageChops, ImageStat
from tests.conftest import cache
from tests.contract import programs
from tests.contract.conftest import Served, serving
from tests.contract.test_node import needs_node, run_node
from tests.pictures import bomb

from oxlo.snippets import Category, Language

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(find_spec("torch") is None, reason="needs the extra `images`"),
]

MODEL = "tiny-scenes"
PROMPT = "a large red circle in the centre on a white background"
PATH = "/v1/images/generations"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`oxlo serve` with the model that draws."""
    with serving(tmp_path_factory.mktemp("home"), cache(), OXLO_MODELS=MODEL) as platform:
        yield platform


def generate(client: openai.OpenAI, prompt: str = PROMPT, **fields: Any) -> ImagesResponse:
    known = {name: fields.pop(name) for name in ("n", "size", "response_format") if name in fields}
    return client.images.generate(
        model=MODEL, prompt=prompt, extra_body={"seed": 7} | fields, **known
    )


def files(reply: ImagesResponse) -> list[bytes]:
    assert reply.data
    return [base64.b64decode(item.b64_json or "") for item in reply.data]


def pixels(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def is_red(color: Any) -> bool:
    red, green, blue = color
    return bool(red > 150 and green < 100 and blue < 100)


def is_white(color: Any) -> bool:
    return min(color) > 200


def link(reply: ImagesResponse) -> str:
    assert reply.data
    assert reply.data[0].url
    return reply.data[0].url


def fetched(url: str) -> tuple[int, str, bytes]:
    """Status, type and body."""
    try:
        with urllib.request.urlopen(url) as reply:
            return reply.status, reply.headers["content-type"], reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read()


def test_prompt_is_drawn(client: openai.OpenAI) -> None:
    """A red circle on white, as a PNG of the model's own size."""
    reply = generate(client)
    [data] = files(reply)
    assert data.startswith(b"\x89PNG")
    image = pixels(data)
    assert image.size == (64, 64)
    assert is_red(image.getpixel((32, 32)))
    assert is_white(image.getpixel((2, 2)))
    assert (reply.size, reply.output_format) == ("64x64", "png")
    assert reply.usage
    assert reply.usage.input_tokens > 5
    assert abs(reply.created - time.time()) < 600


@pytest.mark.parametrize("side", [128, 1024])
def test_usual_sizes(client: openai.OpenAI, side: int) -> None:
    """Programs that ask for OpenAI's sizes work as they are: the same drawing, enlarged."""
    reply = generate(client, size=f"{side}x{side}", seed=7)
    [drawn], [data] = files(generate(client, seed=7)), files(reply)
    large = pixels(data)
    assert (reply.size, large.size) == (f"{side}x{side}", (side, side))
    small = large.resize((64, 64), Image.Resampling.BOX)
    differ = ImageStat.Stat(ImageChops.difference(small, pixels(drawn))).mean
    assert max(differ) < 4


def test_an_edit_in_a_usual_size(client: openai.OpenAI) -> None:
    """The picture is made smaller for the model, and the result is enlarged."""
    reply = client.images.edit(
        model=MODEL, image=files(generate(client, size="512x512"))[0], prompt=PROMPT, size="256x256"
    )
    assert (reply.size, pixels(files(reply)[0]).size) == ("256x256", (256, 256))


def test_seeds(client: openai.OpenAI) -> None:
    """And another seed another picture of the same thing; several images have seeds in a row."""
    first, again, other = generate(client), generate(client), generate(client, seed=8)
    assert files(first) == files(again) != files(other)
    pair = generate(client, n=2)
    assert pair.data
    assert [item.model_extra for item in pair.data] == [{"seed": 7}, {"seed": 8}]
    assert len(set(files(pair))) == 2


def test_link(client: openai.OpenAI) -> None:
    """By default the response has a link and the image."""
    reply = generate(client)
    assert fetched(link(reply)) == (200, "image/png", files(reply)[0])


@pytest.mark.parametrize(("wanted", "has"), [("url", (True, False)), ("b64_json", (False, True))])
def test_response_format(client: openai.OpenAI, wanted: str, has: tuple[bool, bool]) -> None:
    """`response_format` selects one of them."""
    reply = generate(client, response_format=wanted)
    assert reply.data
    assert [(bool(item.url), bool(item.b64_json)) for item in reply.data] == [has]


def test_forged_and_expired_links(client: openai.OpenAI) -> None:
    """A link cannot be made, prolonged or turned to another image."""
    url, other = (link(generate(client, response_format="url")) for _ in range(2))
    address, _, query = url.partition("?")
    signature = query.rpartition("=")[2]
    forged = (
        address,
        f"{address}?expires=99999999999&signature={signature}",
        f"{address}?expires=1&signature={signature}",
        url[:-1] + ("0" if url[-1] != "0" else "1"),
        other.partition("?")[0] + "?" + query,
    )
    for tried in forged:
        status, kind, body = fetched(tried)
        assert (status, kind) == (403, "application/json"), tried
        assert b"link_expired" in body


def test_a_negative_prompt_and_guidance_matter(client: openai.OpenAI) -> None:
    """Each changes the image."""
    ways: list[dict[str, Any]] = [
        {}, {"guidance_scale": 1}, {"negative_prompt": "a blue square"}, {"num_inference_steps": 8},
    ]  # fmt: skip
    assert len({files(generate(client, **way))[0] for way in ways}) == 4


def test_edits(client: openai.OpenAI) -> None:
    """A low strength keeps the image, a high one follows the prompt."""
    [red] = files(generate(client))
    prompt = "a large blue square in the centre on a white background"

    def edited(strength: float) -> Any:
        reply = client.images.edit(
            model=MODEL, image=red, prompt=prompt, extra_body={"strength": strength, "seed": 3}
        )
        return pixels(files(reply)[0]).getpixel((32, 32))

    (faint, _, little), (gone, _, blue) = edited(0.05), edited(1.0)
    assert faint > 150 > little
    assert blue > 150 > gone


def shown(events: list[Any], kind: str) -> list[Image.Image]:
    """The pictures of a stream that is as OpenAI's, each nearer to the last one."""
    *partial, last = events
    assert [event.type for event in partial] == [f"{kind}.partial_image"] * len(partial)
    assert [event.partial_image_index for event in partial] == list(range(len(partial)))
    assert last.type == f"{kind}.completed"
    assert last.usage.total_tokens == last.usage.input_tokens > 0
    look = {(e.size, e.quality, e.background, e.output_format) for e in events}
    assert look == {("64x64", "medium", "opaque", "png")}
    pictures = [pixels(base64.b64decode(event.b64_json)) for event in events]
    away = [ImageStat.Stat(ImageChops.difference(one, pictures[-1])) for one in pictures]
    distances = [sum(stat.mean) for stat in away]
    assert distances == sorted(distances, reverse=True)
    assert len(set(distances)) == len(events)
    return pictures


def test_stream(client: openai.OpenAI) -> None:
    """Three pictures, each nearer to the last; that is the one that comes without a stream."""
    more = {"seed": 7}
    events = list(
        client.images.generate(
            model=MODEL, prompt=PROMPT, stream=True, partial_images=3, extra_body=more
        )
    )
    assert len(shown(events, "image_generation")) == 4
    assert base64.b64decode(events[-1].b64_json) == files(generate(client))[0]


def test_an_edit_as_a_stream(client: openai.OpenAI) -> None:
    """The same, from a form."""
    [red] = files(generate(client))
    ask: dict[str, Any] = {
        "model": MODEL,
        "image": red,
        "prompt": "a large blue square in the centre",
    }
    more = {"strength": 0.9, "seed": 3}
    whole = client.images.edit(**ask, extra_body=more)
    events = list(client.images.edit(**ask, stream=True, partial_images=2, extra_body=more))
    assert len(shown(events, "image_edit")) == 3
    assert base64.b64decode(events[-1].b64_json) == files(whole)[0]


def test_formats_and_qualities(client: openai.OpenAI) -> None:
    """Format and compression are applied; a quality is a number of steps, named in the response."""
    small, large = (
        generate(client, output_format="jpeg", output_compression=q, quality="low")
        for q in (10, 95)
    )
    assert (small.output_format, small.quality, small.background) == ("jpeg", "low", "opaque")
    assert len(files(small)[0]) < len(files(large)[0])
    assert Image.open(io.BytesIO(files(small)[0])).format == "JPEG"
    assert files(generate(client, quality="low")) == files(generate(client, num_inference_steps=8))


def test_edits_with_a_mask(client: openai.OpenAI) -> None:
    """Only the masked half changes."""
    [red] = files(generate(client))
    mask = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (32, 0, 64, 64))
    file = io.BytesIO()
    mask.save(file, "PNG")
    reply = client.images.edit(
        model=MODEL,
        image=[red],
        mask=file.getvalue(),
        prompt="a large green square in the centre on a white background",
        extra_body={"strength": 1.0, "seed": 3},
    )
    drawn = pixels(files(reply)[0])
    assert is_red(drawn.getpixel((26, 32)))
    assert not is_red(drawn.getpixel((40, 32)))


def test_plain_http_with_a_data_uri(client: openai.OpenAI, served: Served) -> None:
    """Edits in JSON, as clients without an SDK send them."""
    data = base64.b64encode(files(generate(client))[0]).decode()
    body = {"model": MODEL, "prompt": PROMPT, "image": f"data:image/png;base64,{data}"}
    reply: dict[str, Any] = client.post("/images/edits", body=body, cast_to=dict[str, object])  # type: ignore
    assert base64.b64decode(reply["data"][0]["b64_json"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("path", "fields", "param", "says"),
    [
        ("generations", {"size": "300x300"}, "size", "64x64"),
        ("generations", {"n": 9}, "n", "from 1 to 4"),
        ("generations", {"prompt": ""}, "prompt", "empty"),
        ("generations", {"num_inference_steps": 99}, "num_inference_steps", "from 1 to 50"),
        ("generations", {"stream": True, "n": 2}, "n", "n=1"),
        ("generations", {"partial_images": 2}, "partial_images", "stream"),
        ("generations", {"style": "vivid"}, "style", "prompt"),
        ("generations", {"output_compression": 50}, "output_compression", "PNG"),
        ("edits", {"image": "data:image/png;base64,%%%"}, "image", "base64"),
        ("edits", {"image": base64.b64encode(bomb()).decode()}, "image", "megapixels"),
        ("edits", {"image": "http://127.0.0.1/a.png"}, "image", "address"),
        ("edits", {"image": "data:,", "markup": "data:,"}, "markup", "follows marks"),
        ("edits", {}, "image", "provide"),
    ],
)
def test_bad_input(
    served: Served,
    client: openai.OpenAI,
    path: str,
    fields: dict[str, Any],
    param: str,
    says: str,
) -> None:
    """A 400 that names the field and what it takes; nothing is counted, and the engine stays up."""
    used = served.used_today()
    body = {"model": MODEL, "prompt": PROMPT} | fields
    with pytest.raises(openai.BadRequestError, match=says) as refused:
        client.post(f"/images/{path}", body=body, cast_to=dict[str, object])
    assert refused.value.param == param
    assert served.used_today() == used
    assert files(generate(client))


def test_undeployed_model_names_another(client: openai.OpenAI) -> None:
    """A model of the catalogue that is not served here is a 503 that names this one."""
    with pytest.raises(openai.InternalServerError, match=MODEL) as refused:
        client.images.generate(model="sdxl", prompt=PROMPT)
    assert refused.value.code == "model_not_deployed"


def test_no_model_named(client: openai.OpenAI) -> None:
    """The one that is ready draws."""
    assert files(client.images.generate(prompt=PROMPT))


def test_the_command_that_tries_a_model(served: Served) -> None:
    """`oxlo models test` calls both abilities."""
    lines = [line.split() for line in served.cli("models", "test", MODEL).splitlines()[1:]]
    assert {line[0]: line[1] for line in lines} == {"images": "ok", "image_edits": "ok"}


@needs_node
def test_node_sdk(served: Served) -> None:
    """Every Node test passes."""
    run_node(served, "images")


@programs.each("images")
def test_programs_that_are_shown(
    served: Served, tmp_path: Path, category: Category, language: Language
) -> None:
    """A link that leads to an image."""
    found = re.search(r"http[^\s\"]+", programs.run(served, category, language, MODEL, tmp_path))
    assert found
    assert fetched(found[0])[:2] == (200, "image/png")
