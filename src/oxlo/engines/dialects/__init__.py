"""All dialects, by name."""

from oxlo.engines.dialect import Dialect
from oxlo.engines.dialects.llamacpp import LlamaCpp
from oxlo.engines.dialects.openai import OpenAI
from oxlo.engines.dialects.oxlo import Oxlo
from oxlo.engines.dialects.vllm import Vllm

DIALECTS: dict[str, Dialect] = {d.name: d for d in (OpenAI(), Oxlo(), Vllm(), LlamaCpp())}


def dialect(name: str) -> Dialect:
    """Look up a dialect. Raises KeyError that lists the known ones."""
    try:
        return DIALECTS[name]
    except KeyError:
        raise KeyError(f"no dialect {name!r}; there are {', '.join(DIALECTS)}") from None
