"""The frozen language model in torch, through which gradients flow to its input embeddings."""

from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from torch.nn import functional

from tiny_sight.vectors import File

_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
#: Start and end tokens of a message.
MARKS = ("<|im_start|>", "<|im_end|>")
_MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
_OTHERS = ("attn_q.bias", "attn_k.bias", "attn_v.bias", "attn_norm.weight", "ffn_norm.weight")


class Language:
    """A model of the architecture `qwen2` from a GGUF file; matrices in bfloat16."""

    def __init__(self, path: Path) -> None:
        """Load the file. Raises KeyError for other architectures."""
        file = File(path)
        head = file.head
        self.layers = [_layer(file, number) for number in range(head["qwen2.block_count"])]
        self._heads = head["qwen2.attention.head_count"]
        self._epsilon = head["qwen2.attention.layer_norm_rms_epsilon"]
        self._base = head["qwen2.rope.freq_base"]
        self._last = torch.from_numpy(file.tensor("output_norm.weight"))
        self._words = torch.from_numpy(file.tensor("token_embd.weight")).bfloat16()
        self._output = torch.from_numpy(file.tensor("output.weight")).bfloat16()
        self.tokenizer = _tokenizer(head["tokenizer.ggml.tokens"], head["tokenizer.ggml.merges"])

    def tokens(self, text: str) -> list[int]:
        """Tokenize a text."""
        numbers: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return numbers

    def embed(self, tokens: list[int]) -> Tensor:
        """Return the embeddings of tokens, (tokens, width)."""
        return self._words[tokens].float()

    def hidden_states(self, vectors: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Return hidden states of embeddings (T, width) at `positions`, with an attention mask."""
        rotary = _rotary(positions, vectors.shape[-1] // self._heads, self._base)
        for layer in self.layers:
            vectors = vectors + self._attention(layer, vectors, rotary, mask)
            vectors = vectors + self._feed_forward(layer, vectors)
        return self._rms_norm(vectors, self._last)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return logits of the next token, (T, words)."""
        return functional.linear(hidden.bfloat16(), self._output).float()

    def _attention(
        self, layer: dict[str, Tensor], vectors: Tensor, rotary: tuple[Tensor, Tensor], mask: Tensor
    ) -> Tensor:
        normed = self._rms_norm(vectors, layer["attn_norm.weight"])
        q, k, v = (_linear(layer, f"attn_{part}", normed) for part in "qkv")
        size = q.shape[-1] // self._heads
        q, k, v = (part.unflatten(-1, (-1, size)).transpose(0, 1) for part in (q, k, v))
        mixed = functional.scaled_dot_product_attention(
            _rotate(q, rotary)[None],
            _rotate(k, rotary)[None],
            v[None],
            attn_mask=mask,
            enable_gqa=True,
        )
        return _linear(layer, "attn_output", mixed[0].transpose(0, 1).flatten(1))

    def _feed_forward(self, layer: dict[str, Tensor], vectors: Tensor) -> Tensor:
        normed = self._rms_norm(vectors, layer["ffn_norm.weight"])
        gate = functional.silu(_linear(layer, "ffn_gate", normed))
        return _linear(layer, "ffn_down", gate * _linear(layer, "ffn_up", normed))

    def _rms_norm(self, vectors: Tensor, scale: Tensor) -> Tensor:
        return functional.rms_norm(vectors, scale.shape, scale, self._epsilon)


def _layer(file: File, number: int) -> dict[str, Tensor]:
    def read(name: str) -> Tensor:
        return torch.from_numpy(file.tensor(f"blk.{number}.{name}"))

    matrices = {f"{name}.weight": read(f"{name}.weight").bfloat16() for name in _MATRICES}
    return matrices | {name: read(name) for name in _OTHERS}


def _linear(layer: dict[str, Tensor], name: str, vectors: Tensor) -> Tensor:
    output = functional.linear(vectors.bfloat16(), layer[f"{name}.weight"]).float()
    bias = layer.get(f"{name}.bias")
    return output if bias is None else output + bias


def _rotary(positions: Tensor, size: int, base: float) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of the rotary embeddings at each position."""
    rates = base ** (-torch.arange(0, size, 2) / size)
    angles = (positions[:, None] * rates).repeat(1, 2)
    return angles.cos(), angles.sin()


def _rotate(vectors: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    first, second = vectors.chunk(2, -1)
    cos, sin = rotary
    return vectors * cos + torch.cat([-second, first], -1) * sin


def _tokenizer(tokens: list[str], merges: list[str]) -> Tokenizer:
    known = {token: number for number, token in enumerate(tokens)}
    pairs = [(one, other) for one, other in (merge.split(" ") for merge in merges)]
    tokenizer = Tokenizer(models.BPE(known, pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([*MARKS])
    return tokenizer
