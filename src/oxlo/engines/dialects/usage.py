"""Tokens, as receipts hold them and as OpenAI shows them."""

from typing import Any

from oxlo.engines.dialect import Usage
from oxlo.engines.dialects.shapes.usage import RawUsage


def counted(told: RawUsage) -> Usage:
    """As receipts hold them."""
    prompt, completion = told.prompt_tokens_details, told.completion_tokens_details
    return Usage(
        told.prompt_tokens or 0,
        told.completion_tokens or 0,
        (prompt.cached_tokens or 0) if prompt is not None else 0,
        (completion.reasoning_tokens or 0) if completion is not None else 0,
    )


def add(total: Usage, more: Usage) -> None:
    """Add another choice to the same prompt: the prompt is one, the answers add up."""
    total.prompt_tokens = max(total.prompt_tokens, more.prompt_tokens)
    total.cached_tokens = max(total.cached_tokens, more.cached_tokens)
    total.completion_tokens += more.completion_tokens
    total.reasoning_tokens += more.reasoning_tokens


def shown(usage: Usage) -> dict[str, Any]:
    """Usage with all of OpenAI's details."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
