"""The child process that is one embedding engine."""

from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tokenizers import Tokenizer

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
from oxlo.serving.brief import Brief
from oxlo.serving.process import main
from oxlo.serving.work import Workers

_PATH = "/v1/embeddings"
#: Bytes of a request up to which its texts are short, and their run takes some milliseconds.
_BRIEF = 512


def load(line: bytes) -> Engine:
    """The engine that the configuration describes. Raises CannotLoad."""
    config = msgspec.json.decode(line, type=Config)
    workers = Workers(config.slots)
    made = embedding(config, workers)

    async def embed(request: Request) -> Response:
        body = await request.body()
        reply = await workers.run(request, lambda job: made.answer(job, body))
        return Response(reply, media_type="application/json")

    routes = [Route(_PATH, embed, methods=["POST"])]
    brief = Brief(_PATH, _BRIEF, made.answer)
    return Engine(routes, workers, config.api_key, config.port, brief=brief)


def embedding(config: Config, workers: Workers) -> Embedding:
    """The loaded model. Raises CannotLoad."""
    opened = session(_written(config), config.threads, config.device)
    normalize = config.normalize and not config.bert_heads  # that one does it itself
    encoder = Encoder(opened, config.pooling, normalize=normalize)
    costs = Costs(config.batch_tokens, config.run_tokens)
    vocabulary = Cl100k(Path(config.token_ids)) if config.token_ids else None
    texts = Texts(Tokenizer.from_file(config.tokenizer), config.context, vocabulary)
    return Embedding(config.name, texts, Batcher(encoder.vectors, costs, workers.moved))


def _written(config: Config) -> Path | bytes:
    """The model as onnxruntime is to read it. Raises CannotLoad."""
    model = Path(config.model)
    if not config.bert_heads:
        return model
    return fused(model, config.bert_heads, config.pooling, normalize=config.normalize)


if __name__ == "__main__":
    main(load)
