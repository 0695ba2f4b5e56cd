"""Stores generated images by way of the media process, which also builds the response."""

from collections.abc import Callable

import msgspec

from oxlo.engines.dialect import Answer, Usage
from oxlo.errors import ApiError, EngineFailed, InternalError
from oxlo.gateway.media import Media, line
from oxlo.gateway.timed import TimedRequest
from oxlo.wire.media import KEEP, ImageDelivery, unframed


def ask(
    media: Media,
    generated: bytes,
    delivery: ImageDelivery,
    then: Callable[[Answer | ApiError], None],
) -> TimedRequest:
    """Store the images of an engine's response; `then` gets the response for the client."""

    def done(status: int, body: bytes) -> None:
        if status == 200:
            stored = unframed(body)
            then(Answer(stored.reply, Usage(stored.input_tokens, stored.output_tokens), "stop"))
        else:
            then(EngineFailed() if status == EngineFailed.status else _lost())

    lines = line(KEEP, msgspec.json.encode(delivery).decode())
    return media.post(b"/keep", lines, generated, done)


def _lost() -> InternalError:
    return InternalError(
        "The images were made and could not be kept. It did not count; please try again, with "
        "response_format b64_json if links are what fails."
    )
