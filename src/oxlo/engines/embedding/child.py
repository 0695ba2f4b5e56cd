"""The child process of an embedding engine."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tokenizers import Tokenizer

from oxlo.engines.affinity import available_cpus, pin, shares
from oxlo.engines.embedding.batcher import Batcher
from oxlo.engines.embedding.batching import Costs
from oxlo.engines.embedding.bert import fused
from oxlo.engines.embedding.cl100k import Cl100k
from oxlo.engines.embedding.config import Config
from oxlo.engines.embedding.encoder import Encoder
from oxlo.engines.embedding.service import Embedding
from oxlo.engines.embedding.texts import Texts
from oxlo.engines.sessions import session
from oxlo.serving.app import Engine
from oxlo.serving.fast_path import FastPath
from oxlo.serving.process import main
from oxlo.serving.work import Workers

_PATH = "/v1/embeddings"
#: Maximum size in bytes of requests on the fast path; their inference takes a few milliseconds.
_FAST_PATH_BYTES = 512
_EXAMPLE = msgspec.json.encode({"input": "Hello there. " * 36})


def load(line: bytes) -> Engine:
    """Load the engine described by a line of JSON. Raises CannotLoad."""
    config = msgspec.json.decode(line, type=Config)
    cpus = available_cpus()
    divided = shares(cpus, config.threads) if config.device == "cpu" else []
    workers = Workers(config.slots, begin=partial(pin, cpus))
    model = embedding(config, workers, cpus=divided[1:])
    if divided:
        pin(divided[0])  # the event loop's thread computes too

    async def embed(request: Request) -> Response:
        body = await request.body()
        reply = await workers.run(request, lambda job: model.answer(job, body))
        return Response(reply, media_type="application/json")

    routes = [Route(_PATH, embed, methods=["POST"])]
    fast_path = FastPath(_PATH, _FAST_PATH_BYTES, model.answer, _EXAMPLE)
    return Engine(routes, workers, config.api_key, config.port, fast_path=fast_path)


def embedding(config: Config, workers: Workers, *, cpus: Sequence[Sequence[int]] = ()) -> Embedding:
    """Load the model; `cpus` as in `session()`. Raises CannotLoad."""
    opened = session(_model_file(config), config.threads, config.device, cpus=cpus)
    normalize = config.normalize and not config.bert_heads  # the fused model normalizes
    encoder = Encoder(opened, config.pooling, normalize=normalize)
    costs = Costs(config.batch_tokens, config.run_tokens)
    vocabulary = Cl100k(Path(config.token_ids)) if config.token_ids else None
    texts = Texts(Tokenizer.from_file(config.tokenizer), config.context, vocabulary)
    return Embedding(config.name, texts, Batcher(encoder.vectors, costs, workers.progressed))


def _model_file(config: Config) -> Path | bytes:
    """Return the model's path, or its fused version. Raises CannotLoad."""
    model = Path(config.model)
    if not config.bert_heads:
        return model
    return fused(model, config.bert_heads, config.pooling, normalize=config.normalize)


if __name__ == "__main__":
    main(load)
