"""Token usage: parsing an engine's, and OpenAI's shape."""

from typing import Any

from oxlo.engines.dialect import Usage
from oxlo.engines.dialects.shapes.usage import RawUsage


def parsed(raw: RawUsage) -> Usage:
    """Usage as an engine reported it; missing counts are 0."""
    prompt, completion = raw.prompt_tokens_details, raw.completion_tokens_details
    return Usage(
        raw.prompt_tokens or 0,
        raw.completion_tokens or 0,
        (prompt.cached_tokens or 0) if prompt is not None else 0,
        (completion.reasoning_tokens or 0) if completion is not None else 0,
    )


def add(total: Usage, more: Usage) -> None:
    """Add the usage of another choice: the prompt counts once, completions add up."""
    total.prompt_tokens = max(total.prompt_tokens, more.prompt_tokens)
    total.cached_tokens = max(total.cached_tokens, more.cached_tokens)
    total.completion_tokens += more.completion_tokens
    total.reasoning_tokens += more.reasoning_tokens


def as_dict(usage: Usage) -> dict[str, Any]:
    """OpenAI's `usage` object with all details."""
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
