"""The denoiser and its text encoder, trained jointly by flow matching."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from tiny_scenes.words import LENGTH

#: Number of the scheduler's training timesteps.
LEVELS = 1000
_WIDTH = 128
#: Caption dropout rate, for classifier-free guidance.
_UNCONDITIONAL = 0.1
#: Mean and standard deviation of the logit-normal noise level; it favours high noise, at which the
#: composition is decided.
_LEAN, _SPREAD = 1.1, 1.2


@dataclass(frozen=True, slots=True)
class Denoiser:
    """The trained networks: a UNet over latents and a text encoder, with its tokenizer."""

    unet: UNet2DConditionModel
    text: CLIPTextModel
    tokenizer: CLIPTokenizer

    def parameters(self) -> list[nn.Parameter]:
        """Parameters of both networks."""
        return [*self.unet.parameters(), *self.text.parameters()]

    def tables(self) -> list[nn.Parameter]:
        """Embedding tables among the parameters."""
        return [one.weight for one in self.text.modules() if isinstance(one, nn.Embedding)]

    def loss(self, latents: Tensor, captions: Sequence[str]) -> Tensor:
        """Compute the squared error of the predicted flow for scaled latents (N, 4, 16, 16)."""
        noise = torch.randn_like(latents)
        level = torch.sigmoid(_LEAN + _SPREAD * torch.randn(len(latents)))
        share = level[:, None, None, None]
        mixed = (1 - share) * latents + share * noise
        with torch.autocast("cpu", torch.bfloat16):
            meaning = self.text(self._tokens(captions)).last_hidden_state
            flow = self.unet(mixed, level * LEVELS, meaning).sample.float()
        return (flow - (noise - latents)).square().mean()

    def _tokens(self, captions: Sequence[str]) -> Tensor:
        dropped = torch.rand(len(captions)) < _UNCONDITIONAL
        said = ["" if drop else text for text, drop in zip(captions, dropped, strict=True)]
        padded = self.tokenizer(
            said, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt"
        )
        return padded.input_ids


def build(tokenizer: CLIPTokenizer) -> Denoiser:
    """Build untrained networks."""
    unet = UNet2DConditionModel(
        sample_size=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(48, 96, 96),
        layers_per_block=1,
        norm_num_groups=16,
        cross_attention_dim=_WIDTH,
        attention_head_dim=4,
    )
    # On CPUs, the backward pass of torch's fused attention dominates the training time.
    unet.set_attn_processor(AttnProcessor())
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=_WIDTH,
            intermediate_size=2 * _WIDTH,
            projection_dim=_WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=LENGTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            attn_implementation="eager",
        )
    )
    return Denoiser(unet, text, tokenizer)
