"""Requests of each kind, equal in cost but all different, so that no cache can answer them."""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
from PIL import Image

from bench import engines
from oxlo import weights
from oxlo.catalogue import Model, Source, WeightsFile

#: One syllable each, so that texts have equal length for every kind of model.
NOUNS = (
    "bird", "boat", "book", "bread", "chair", "cloud", "coat", "door", "farm", "field", "fish",
    "fox", "horse", "house", "lake", "lamp", "moon", "road", "ship", "shop", "snow", "stone",
    "tree", "wall", "wind",
)  # fmt: skip
#: Chats begin with different words, so that they share no prefix in an engine's prompt cache.
OPENINGS = (
    *NOUNS,
    "arm", "ball", "bank", "bell", "belt", "bone", "bowl", "box", "branch", "bridge", "brush",
    "bus", "cake", "camp", "card", "cat", "church", "clock", "corn", "cow", "crown", "cup", "desk",
    "dog", "dress", "drum", "duck", "egg", "flag", "floor", "fruit", "game", "gate", "glass",
    "gold", "grass", "ground", "hall", "hat", "hill", "ice", "iron", "key", "king", "knife",
    "leaf", "milk", "mouse", "night", "oil",
)  # fmt: skip
#: A photograph of 600 x 400 pixels.
PHOTOGRAPH = WeightsFile(
    name="coffee.png",
    sha256="cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    size=466706,
    sources=(Source(wheel=("scikit-image==0.26.0",), path=("skimage/data/coffee.png",)),),
)

#: Content type and body.
Body = tuple[str, bytes]


@dataclass(frozen=True)
class Call:
    """A request."""

    path: str
    kind: str
    content: bytes = field(repr=False)
    method: str = "POST"


#: A request that reaches no model.
LIMITS = Call("/v1/limits", "application/json", b"", "GET")


def sentence(number: int, series: int = 0) -> str:
    """Build a sentence that takes about two seconds to speak."""
    other = NOUNS[(number - 1 - series) % len(NOUNS)]
    return f"The {NOUNS[number]} by the {other} was old and grey."


def calls(model: Model, recordings: Sequence[bytes], series: int = 0) -> list[Call]:
    """Build one request per noun, of the model's kind; texts differ between series.

    Recordings are of the first series' sentences; only transcription models need them.
    """
    ability = next(ability for ability in _KINDS if ability in model.abilities)
    path, body = _KINDS[ability]
    bodies = (body(model.id, number, series, recordings) for number in range(len(NOUNS)))
    return [Call(path, kind, content) for kind, content in bodies]


def ability(model: Model) -> str | None:
    """Return the ability that is benchmarked; None if no request is known for the model."""
    return next((ability for ability in _KINDS if ability in model.abilities), None)


def _json(**fields: object) -> Body:
    return "application/json", msgspec.json.encode(fields)


def _chat(model: str, number: int, series: int, _: Sequence[bytes]) -> Body:
    opening = OPENINGS[(number + series * len(NOUNS)) % len(OPENINGS)].title()
    content = f"{opening}! Tell me a story. {sentence(number, series)}"
    messages = [{"role": "user", "content": content}]
    return _json(model=model, messages=messages, max_tokens=8)


def _embeddings(model: str, number: int, series: int, _: Sequence[bytes]) -> Body:
    return _json(model=model, input=sentence(number, series), encoding_format="base64")


def _images(model: str, number: int, series: int, _: Sequence[bytes]) -> Body:
    prompt = f"a red circle and a {NOUNS[number]}"
    return _json(model=model, prompt=prompt, seed=number + 100 * series, response_format="b64_json")


def _speech(model: str, number: int, series: int, _: Sequence[bytes]) -> Body:
    return _json(model=model, input=sentence(number, series), voice="alloy", response_format="wav")


def _transcription(model: str, number: int, _: int, recordings: Sequence[bytes]) -> Body:
    return _form(model, "file", "a.wav", recordings[number])


def _detection(model: str, number: int, _: int, __: Sequence[bytes]) -> Body:
    """Build photographs that differ slightly, as from a moving camera."""
    image = base64.b64encode(picture(number)).decode()
    return _json(model=model, image=image)


def picture(number: int) -> bytes:
    """Crop the photograph at an offset of `number` columns and encode it as JPEG."""
    with Image.open(weights.fetch(PHOTOGRAPH, engines.cache())) as photograph:
        width, height = photograph.size
        part = photograph.crop((number, 0, width - len(NOUNS) + number, height))
    file = io.BytesIO()
    part.save(file, "JPEG", quality=90)
    return file.getvalue()


def _form(model: str, name: str, filename: str, content: bytes) -> Body:
    field = b'--b\r\ncontent-disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    parts = (
        field % (b"model", b"", model.encode()),
        field % (name.encode(), f'; filename="{filename}"'.encode(), content),
    )
    return "multipart/form-data; boundary=b", b"".join(parts) + b"--b--\r\n"


#: A model is benchmarked with the first of these abilities that it has.
_KINDS: dict[str, tuple[str, Callable[[str, int, int, Sequence[bytes]], Body]]] = {
    "chat": ("/v1/chat/completions", _chat),
    "embeddings": ("/v1/embeddings", _embeddings),
    "images": ("/v1/images/generations", _images),
    "speech": ("/v1/audio/speech", _speech),
    "transcription": ("/v1/audio/transcriptions", _transcription),
    "detection": ("/v1/detect", _detection),
}
