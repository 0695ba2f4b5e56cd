"""The HTTP handlers of an image engine: generations and edits."""

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
from oxlo.engines.diffusion.params import ImageParams, read, read_form
from oxlo.engines.diffusion.prompts import PromptCounter, PromptTokens
from oxlo.engines.diffusion.reply import Format, Kind
from oxlo.engines.diffusion.studio import Studio
from oxlo.errors import ContextLengthExceeded
from oxlo.serving import forms, streams
from oxlo.serving.app import Engine
from oxlo.serving.work import Emit, Job, Workers
from oxlo.wire.sizes import spelt

#: Random seeds are below this, so that they fit a signed 32-bit integer.
_SEEDS = 1 << 31


class Images:
    """Both endpoints of one model."""

    def __init__(
        self, config: Config, studio: Studio, counter: PromptCounter, workers: Workers
    ) -> None:
        self._config = config
        self._studio = studio
        self._counter = counter
        self._workers = workers

    async def generate(self, request: Request) -> Response:
        """POST /v1/images/generations."""
        params = read(await request.body())
        return await self._reply(
            request, params, "image_generation", lambda: self._from_text(params)
        )

    async def edit(self, request: Request) -> Response:
        """POST /v1/images/edits, as a form with the image, and perhaps a mask."""
        async with request.form() as form:
            params = read_form(forms.fields(form))
            return await self._reply(
                request, params, "image_edit", lambda: self._from_image(params, form)
            )

    async def _reply(
        self, request: Request, params: ImageParams, kind: Kind, decided: Callable[[], Drawing]
    ) -> Response:
        """Draw in a thread; `decided` runs there too, because it decodes uploads."""
        if params.stream:
            events = self._workers.push_stream(
                lambda job, emit: self._stream(params, kind, decided(), job, emit)
            )
            return await streams.reply(request, events, streams.EVENTS)
        body = await self._workers.run(request, lambda job: self._draw(params, decided(), job))
        return Response(body, media_type="application/json")

    def _draw(self, params: ImageParams, drawing: Drawing, job: Job) -> bytes:
        """The body of a whole response."""
        prompt = self._counted(params)
        images = self._studio.draw(drawing, job)
        files = [_encoded(image, params) for image in images]
        form = _format(params, drawing, images[0])
        return reply.reply(int(time.time()), files, drawing.seeds, prompt, form)

    def _stream(
        self, params: ImageParams, kind: Kind, drawing: Drawing, job: Job, emit: Emit
    ) -> None:
        """Stream one image: its previews, then the finished image."""
        prompt, index = self._counted(params), itertools.count()

        def preview(image: Image) -> None:
            file, form = _encoded(image, params), _format(params, drawing, image)
            emit(reply.partial(kind, int(time.time()), file, next(index), form))

        [image] = self._studio.draw(drawing, job, preview)
        file, form = _encoded(image, params), _format(params, drawing, image)
        emit(reply.completed(kind, int(time.time()), file, drawing.seeds[0], prompt, form))

    def _counted(self, params: ImageParams) -> PromptTokens:
        prompt, most = self._counter.count(params.prompt), params.max_input_tokens
        if most is not None and prompt.tokens > most:
            raise ContextLengthExceeded(
                f"The prompt has {prompt.tokens} tokens; {most} are allowed here.",
                param="prompt",
                counted_tokens=prompt.tokens,
                allowed_tokens=most,
            )
        return prompt

    def _from_text(self, params: ImageParams) -> Drawing:
        size = self._config.sizes.choose(params.size, params.width, params.height)
        return decide(params, self._config, size, secrets.randbelow(_SEEDS))

    def _from_image(self, params: ImageParams, form: FormData) -> Drawing:
        sizes = self._config.sizes
        image = pictures.read(forms.file(form, "image").file, "image")
        mask = pictures.read(forms.file(form, "mask").file, "mask") if "mask" in form else None
        asked = params.width or params.height or params.size not in (None, "", "auto")
        size = (
            sizes.choose(params.size, params.width, params.height)
            if asked
            else sizes.like(image.size)
        )
        drawing = decide(params, self._config, size, secrets.randbelow(_SEEDS))
        return replace(
            drawing,
            image=pictures.opaque(image, drawing.size),
            mask=mask and pictures.mask(mask, drawing.size),
        )


def _encoded(image: Image, params: ImageParams) -> bytes:
    return pictures.encode(image, params.output_format or "png", params.output_compression)


def _format(params: ImageParams, drawing: Drawing, image: Image) -> Format:
    return Format(
        size=spelt(image.size),
        quality=drawing.quality,
        output_format=params.output_format or "png",
    )


def engine(config: Config) -> Engine:
    """The engine that the configuration describes. Raises CannotLoad."""
    pipeline = loading.load(config, loading.device())
    studio = Studio(pipeline, config.pipelines)
    workers = Workers(config.slots)
    images = Images(config, studio, PromptCounter(pipeline, studio.longest), workers)
    routes = [
        Route("/v1/images/generations", images.generate, methods=["POST"]),
        Route("/v1/images/edits", images.edit, methods=["POST"]),
    ]
    return Engine(routes, workers, config.api_key, config.port)
