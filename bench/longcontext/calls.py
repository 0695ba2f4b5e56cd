"""The workload: multi-turn conversations that begin with one of a few documents."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

_WORDS = re.findall(
    r"\w+",
    """harbour whale letter winter signal engine copper island answer border candle desert
    effort fabric garden height insect jacket kettle ladder market narrow object palace
    quarry record silver timber urgent valley window yellow anchor bridge castle debate""",
)
#: Words of a question, and of the answer that is included in the next turn's prompt.
_QUESTION, _ANSWER = 20, 24


@dataclass(frozen=True)
class Size:
    """The size of the workload."""

    documents: int = 4
    conversations: int = 40
    turns: int = 2
    #: Words per document; a word is one or two tokens.
    words: int = 500
    #: Tokens per response.
    answer: int = 16


@dataclass(frozen=True)
class Call:
    """A turn of a conversation."""

    document: int
    conversation: int
    turn: int
    body: bytes


def calls(size: Size, seed: int = 1) -> list[Call]:
    """Build all requests in sending order: conversations interleaved, turns in order."""
    chance = random.Random(seed)
    texts = [_text(chance, size.words) for _ in range(size.documents)]
    talks = [list(_talk(chance, size, number, texts)) for number in range(size.conversations)]
    order = [number for number in range(size.conversations) for _ in range(size.turns)]
    chance.shuffle(order)
    waiting = [iter(talk) for talk in talks]
    return [next(waiting[number]) for number in order]


def _talk(chance: random.Random, size: Size, number: int, texts: Sequence[str]) -> list[Call]:
    document = number % size.documents
    prefix = f"Answer from this document.\n\n{texts[document]}\n\n"
    messages = [{"role": "user", "content": prefix + _text(chance, _QUESTION)}]
    talk = []
    for turn in range(size.turns):
        talk.append(Call(document, number, turn, _body(messages, size.answer)))
        messages = [
            *messages,
            {"role": "assistant", "content": _text(chance, _ANSWER)},
            {"role": "user", "content": _text(chance, _QUESTION)},
        ]
    return talk


def _text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(_WORDS, k=words))


def _body(messages: Sequence[dict[str, str]], tokens: int) -> bytes:
    fields = {"model": "smollm2-135m", "messages": messages, "max_tokens": tokens}
    options = {"stream": True, "stream_options": {"include_usage": True}}
    return msgspec.json.encode(fields | options | {"temperature": 0})


def least(prompts: Sequence[Sequence[int]]) -> int:
    """Return the minimum of prompt tokens computed: those not in a prefix of an earlier prompt."""
    seen: dict[int, dict] = {}  # type: ignore[type-arg]
    computed = 0
    for prompt in prompts:
        node = seen
        for token in prompt:
            if token not in node:
                computed += 1
                node[token] = {}
            node = node[token]
    return computed
