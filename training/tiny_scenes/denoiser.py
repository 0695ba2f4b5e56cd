"""The denoiser and the text encoder that it listens to, trained together by flow matching."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from tiny_scenes.words import LENGTH

#: Noise levels of the scheduler.
LEVELS = 1000
_WIDTH = 128
#: Share of captions that are left out, so that guidance has something to compare with.
_UNCONDITIONAL = 0.1
#: The logit of the noise's share is normal with this mean and deviation: what is drawn where is
#: decided while there is much noise.
_LEAN, _SPREAD = 1.1, 1.2


@dataclass(frozen=True, slots=True)
class Denoiser:
    """What is trained: a UNet over latents and a text encoder, with the encoder's tokenizer."""

    unet: UNet2DConditionModel
    text: CLIPTextModel
    tokenizer: CLIPTokenizer

    def parameters(self) -> list[nn.Parameter]:
        """Of both networks."""
        return [*self.unet.parameters(), *self.text.parameters()]

    def loss(self, latents: Tensor, captions: Sequence[str]) -> Tensor:
        """Squared error of the predicted flow, for scaled latents (N, 4, 16, 16)."""
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
    """Untrained networks."""
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
    # On CPUs the backward pass of torch's fused attention takes longer than all else together.
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


class Average:
    """An exponential moving average of weights: it draws better than the newest weights."""

    def __init__(self, weights: Iterable[Tensor], decay: float = 0.998) -> None:
        self._decay = decay
        self.values = [weight.detach().clone() for weight in weights]

    @torch.no_grad()
    def update(self, weights: Sequence[Tensor], step: int) -> None:
        """Take in the weights after this step; the first steps are forgotten faster."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.values, list(weights), 1 - decay)

    @torch.no_grad()
    def put_into(self, weights: Sequence[Tensor]) -> None:
        """Write the averages into the weights."""
        torch._foreach_copy_(list(weights), self.values)
