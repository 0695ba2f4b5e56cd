"""Replies as each kind of engine shapes them: the same words, three sets of fields."""

from oxlo.testing.shapes.call import Call, Json, finish, words
from oxlo.testing.shapes.llamacpp import LlamaCppShape
from oxlo.testing.shapes.load import Load
from oxlo.testing.shapes.openai import OpenAIShape
from oxlo.testing.shapes.vllm import VllmShape

__all__ = ["SHAPES", "Call", "Json", "Load", "OpenAIShape", "finish", "words"]

SHAPES: dict[str, OpenAIShape] = {
    shape.name: shape for shape in (OpenAIShape(), VllmShape(), LlamaCppShape())
}
