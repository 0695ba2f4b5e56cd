"""Entry point of a detection engine's process."""

from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oxlo.engines.detection import centernet, tfjs, yolo
from oxlo.engines.detection.config import Config
from oxlo.engines.detection.detector import Detector, Family
from oxlo.engines.detection.labels import COCO, Labels, embedded
from oxlo.engines.detection.service import Detection, read
from oxlo.engines.sessions import session
from oxlo.serving import forms
from oxlo.serving.app import Engine
from oxlo.serving.process import main
from oxlo.serving.work import Workers

#: The CenterNet model takes raw bytes, because its first layer scales them.
_FAMILIES = {"yolo": Family(1 / 255, yolo.boxes), "centernet": Family(1, centernet.boxes)}


def load(line: bytes) -> Engine:
    """Build the engine from its JSON configuration. Raises CannotLoad."""
    config = msgspec.json.decode(line, type=Config)
    detection, workers = detector(config), Workers(config.slots)

    async def detect(request: Request) -> Response:
        form = await request.form(max_files=1)
        params = read(forms.fields(form, lists=("classes",)))
        file = forms.file(form, "image").file
        reply = await workers.run(request, lambda job: detection.answer(job, file, params))
        return Response(reply, media_type="application/json")

    routes = [Route("/v1/detect", detect, methods=["POST"])]
    return Engine(routes, workers, config.api_key, config.port)


def detector(config: Config) -> Detection:
    """Load the model. Raises CannotLoad."""
    opened = session(_model(config), config.threads, config.device)
    labels = Labels(config.classes or embedded(opened) or COCO)
    return Detection(config.name, labels, Detector(opened, _FAMILIES[config.family]))


def _model(config: Config) -> Path | bytes:
    if not config.weights:
        return Path(config.model)
    return tfjs.convert(Path(config.model), Path(config.weights), centernet.OUTPUTS)


if __name__ == "__main__":
    main(load)
