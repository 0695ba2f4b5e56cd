"""OpenAI's two endpoints around a pipeline."""

import itertools
import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from PIL.Image import Image
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oxlo.engines.diffusion import loading, pictures, reply
from oxlo.engines.diffusion.config import Config
from oxlo.engines.diffusion.drawing import Drawing, decide
from oxlo.engines.diffusion.prompt import Read, Reader
from oxlo.engines.diffusion.reply import Kind, Look
from oxlo.engines.diffusion.studio import Studio
from oxlo.engines.diffusion.wish import Wish, read, read_form
from oxlo.errors import ContextLengthExceeded
from oxlo.serving import forms, streams
from oxlo.serving.app import Engine
from oxlo.serving.work import Job, Tell, Workers
from oxlo.wire.sizes import spelt

#: Seeds that are chosen for a caller who names none.
_SEEDS = 1 << 31


class Images:
    """What the two endpoints share: a model, and who draws with it."""

    def __init__(self, config: Config, studio: Studio, reader: Reader, workers: Workers) -> None:
        self._config = config
        self._studio = studio
        self._reader = reader
        self._workers = workers

    async def generate(self, request: Request) -> Response:
        """POST /v1/images/generations."""
        wish = read(await request.body())
        return await self._reply(request, wish, "image_generation", lambda: self._from_words(wish))

    async def edit(self, request: Request) -> Response:
        """POST /v1/images/edits, as a form with the image, and perhaps a mask."""
        async with request.form() as form:
            wish = read_form(forms.fields(form))
            return await self._reply(
                request, wish, "image_edit", lambda: self._from_image(wish, form)
            )

    async def _reply(
        self, request: Request, wish: Wish, kind: Kind, decided: Callable[[], Drawing]
    ) -> Response:
        """Draw in a thread; the drawing is decided there too, since images are read for it."""
        if wish.stream:
            events = self._workers.told(
                lambda job, tell: self._show(wish, kind, decided(), job, tell)
            )
            return await streams.reply(request, events, streams.EVENTS)
        body = await self._workers.run(request, lambda job: self._draw(wish, decided(), job))
        return Response(body, media_type="application/json")

    def _draw(self, wish: Wish, drawing: Drawing, job: Job) -> bytes:
        """The images, when they are finished."""
        told = self._read(wish)
        images = self._studio.draw(drawing, job)
        files = [_encoded(image, wish) for image in images]
        look = _look(wish, drawing, images[0])
        return reply.reply(int(time.time()), files, drawing.seeds, told, look)

    def _show(self, wish: Wish, kind: Kind, drawing: Drawing, job: Job, tell: Tell) -> None:
        """One image, while it is drawn."""
        told, index = self._read(wish), itertools.count()

        def show(image: Image) -> None:
            file, look = _encoded(image, wish), _look(wish, drawing, image)
            tell(reply.partial(kind, int(time.time()), file, next(index), look))

        [image] = self._studio.draw(drawing, job, show)
        file, look = _encoded(image, wish), _look(wish, drawing, image)
        tell(reply.completed(kind, int(time.time()), file, drawing.seeds[0], told, look))

    def _read(self, wish: Wish) -> Read:
        told, most = self._reader.read(wish.prompt), wish.max_input_tokens
        if most is not None and told.tokens > most:
            raise ContextLengthExceeded(
                f"The prompt has {told.tokens} tokens; {most} are allowed here.",
                param="prompt",
                counted_tokens=told.tokens,
                allowed_tokens=most,
            )
        return told

    def _from_words(self, wish: Wish) -> Drawing:
        size = self._config.sizes.choose(wish.size, wish.width, wish.height)
        return decide(wish, self._config, size, secrets.randbelow(_SEEDS))

    def _from_image(self, wish: Wish, form: FormData) -> Drawing:
        sizes = self._config.sizes
        image = pictures.read(forms.file(form, "image").file, "image")
        mask = pictures.read(forms.file(form, "mask").file, "mask") if "mask" in form else None
        asked = wish.width or wish.height or wish.size not in (None, "", "auto")
        size = sizes.choose(wish.size, wish.width, wish.height) if asked else sizes.like(image.size)
        return replace(
            decide(wish, self._config, size, secrets.randbelow(_SEEDS)),
            image=pictures.opaque(image, size),
            mask=mask and pictures.mask(mask, size),
        )


def _encoded(image: Image, wish: Wish) -> bytes:
    return pictures.encode(image, wish.output_format or "png", wish.output_compression)


def _look(wish: Wish, drawing: Drawing, image: Image) -> Look:
    return Look(
        size=spelt(image.size),
        quality=drawing.quality,
        output_format=wish.output_format or "png",
    )


def engine(config: Config) -> Engine:
    """The engine that the configuration describes. Raises CannotLoad."""
    pipeline = loading.load(config, loading.device())
    studio = Studio(pipeline, config.pipelines)
    workers = Workers(config.slots)
    images = Images(config, studio, Reader(pipeline, studio.longest), workers)
    routes = [
        Route("/v1/images/generations", images.generate, methods=["POST"]),
        Route("/v1/images/edits", images.edit, methods=["POST"]),
    ]
    return Engine(routes, workers, config.api_key, config.port)
