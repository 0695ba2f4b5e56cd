"""Responses in the formats of the engines: the same content, three sets of fields."""

from oxlo.testing.shapes.call import Call, Json, count_tokens, finish
from oxlo.testing.shapes.llamacpp import LlamaCppShape
from oxlo.testing.shapes.load import Load
from oxlo.testing.shapes.openai import OpenAIShape
from oxlo.testing.shapes.vllm import VllmShape

__all__ = ["SHAPES", "Call", "Json", "Load", "OpenAIShape", "count_tokens", "finish"]

SHAPES: dict[str, OpenAIShape] = {
    shape.name: shape for shape in (OpenAIShape(), VllmShape(), LlamaCppShape())
}
