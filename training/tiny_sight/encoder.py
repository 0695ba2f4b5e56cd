"""The encoder: a small vision transformer that matches llama.cpp's implementation."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tiny_sight.painting import PATCH, SIDE

PATCHES = (SIDE // PATCH) ** 2
#: The first layers learn to recognise each patch's contents, the others to write the caption.
LOOKING = 3
#: Epsilon of the layer norms.
EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Shape:
    """Dimensions of an encoder."""

    width: int = 128
    layers: int = 5
    heads: int = 4
    #: Hidden dimensions of the feed-forward networks.
    middle: int = 384


class Block(nn.Module):
    """A pre-norm transformer block: self-attention and a feed-forward network with residuals."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self._heads = shape.heads
        self.ln1, self.ln2 = (nn.LayerNorm(width, eps=EPSILON) for _ in range(2))
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, shape.middle), nn.Linear(shape.middle, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, tokens, width) to the same shape."""
        normed = self.ln1(tokens)
        q, k, v = (self._split(part(normed)) for part in (self.q, self.k, self.v))
        weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
        tokens = tokens + self.out((weights @ v).transpose(1, 2).flatten(2))
        return tokens + self.down(functional.gelu(self.up(self.ln2(tokens)), approximate="tanh"))

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self._heads, -1)).transpose(1, 2)


class Encoder(nn.Module):
    """Maps images to logits over the vocabulary for each token."""

    def __init__(self, vocabulary: int, shape: Shape | None = None) -> None:
        super().__init__()
        self.shape = shape or Shape()
        width = self.shape.width
        self.patches = nn.Conv2d(3, width, PATCH, PATCH)
        self.places = nn.Parameter(_places(width))
        self.blocks = nn.ModuleList(Block(self.shape) for _ in range(self.shape.layers))
        self.last = nn.LayerNorm(width, eps=EPSILON)
        self.fit = nn.Linear(width, vocabulary)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map images (N, 3, SIDE, SIDE) in 0..1 to logits (N, tokens, words)."""
        return self.write_caption(self.encode_patches(pictures))

    def encode_patches(self, pictures: Tensor) -> Tensor:
        """Apply the first layers to the patches, (N, patches, width)."""
        tokens: Tensor = self.patches(pictures * 2 - 1).flatten(2).transpose(1, 2) + self.places
        for block in self.blocks[:LOOKING]:
            tokens = block(tokens)
        return tokens

    def write_caption(self, tokens: Tensor) -> Tensor:
        """Apply the other layers and the output projection."""
        for block in self.blocks[LOOKING:]:
            tokens = block(tokens)
        fits: Tensor = self.fit(self.last(tokens))
        return fits


def _places(width: int) -> Tensor:
    """Initialize position embeddings with 2D sinusoids, so that neighbours are similar."""
    side = SIDE // PATCH
    waves = torch.arange(side)[:, None] * torch.exp(-torch.linspace(0, 3, width // 4))
    codes = torch.cat([waves.sin(), waves.cos()], 1)
    down = codes[:, None].expand(side, side, -1)
    across = codes[None].expand(side, side, -1)
    return 0.5 * torch.cat([down, across], -1).reshape(PATCHES, width)
