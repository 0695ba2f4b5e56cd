"""The tokenizer, of CLIP's kind, with one token per word of the captions."""

import json
import string

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from tiny_scenes import captions

#: Tokens of a prompt, including start and end tokens.
LENGTH = 32
_ENDS = ("<|startoftext|>", "<|endoftext|>")
_WORD_END = "</w>"
_LETTERS = string.ascii_lowercase + string.digits + string.punctuation


def build() -> CLIPTokenizer:
    """Build a tokenizer with all words of the captions; others are split into characters."""
    merges = _merges()
    pieces = [*_ENDS, *_LETTERS, *(letter + _WORD_END for letter in _LETTERS)]
    pieces += ["".join(pair) for pair in merges]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LENGTH)


def _merges() -> list[tuple[str, str]]:
    """Learn byte-pair merges until each word is one token."""
    learner = Tokenizer(models.BPE(end_of_word_suffix=_WORD_END))
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=10_000, end_of_word_suffix=_WORD_END, show_progress=False
    )
    learner.train_from_iterator(captions.words(), trainer)
    learnt = json.loads(learner.to_str())["model"]["merges"]
    return [(left, right) for left, right in learnt]
