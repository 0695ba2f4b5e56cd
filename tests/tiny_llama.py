"""A Llama of a few hundred kilobytes with random weights, in the hub's layout."""

import json
import math
import random
import struct
from pathlib import Path

_WIDTH, _HIDDEN, _LAYERS, _HEADS = 64, 128, 2, 2
_TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<assistant>"
_BEGIN, _END = "<s>", "</s>"


def write(folder: Path) -> Path:
    """Write the model's files to a new folder."""
    folder.mkdir(parents=True)
    letters = _letters()
    size = len(letters) + 2
    _write_json(folder / "config.json", _config(size))
    _write_json(folder / "tokenizer.json", _tokenizer(letters))
    named = {"bos_token": _BEGIN, "eos_token": _END, "chat_template": _TEMPLATE}
    kind = {"tokenizer_class": "PreTrainedTokenizerFast"}
    _write_json(folder / "tokenizer_config.json", named | kind)
    (folder / "model.safetensors").write_bytes(_weights(size))
    return folder


def _letters() -> list[str]:
    """The characters that byte-level tokenizers use for the 256 bytes."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in printed)
    named = {byte: chr(byte) for byte in printed}
    named |= {byte: chr(256 + number) for number, byte in enumerate(others)}
    return [named[byte] for byte in range(256)]


def _config(size: int) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": size,
        "hidden_size": _WIDTH,
        "intermediate_size": _HIDDEN,
        "num_hidden_layers": _LAYERS,
        "num_attention_heads": _HEADS,
        "num_key_value_heads": _HEADS,
        "head_dim": _WIDTH // _HEADS,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": False,
        "bos_token_id": size - 2,
        "eos_token_id": size - 1,
        "torch_dtype": "float32",
    }


def _tokenizer(letters: list[str]) -> dict[str, object]:
    plain = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False}
    special = [
        {"id": len(letters) + place, "content": word, "special": True, **plain}
        for place, word in enumerate((_BEGIN, _END))
    ]
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    return {
        "version": "1.0",
        "added_tokens": special,
        "pre_tokenizer": bytes_ | {"use_regex": True},
        "decoder": bytes_ | {"use_regex": True},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    }


def _shapes(size: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (size, _WIDTH),
        "model.norm.weight": (_WIDTH,),
        "lm_head.weight": (size, _WIDTH),
    }
    for layer in range(_LAYERS):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.self_attn.{part}_proj.weight": (_WIDTH, _WIDTH) for part in "qkvo"}
        shapes |= {f"{at}.mlp.{part}_proj.weight": (_HIDDEN, _WIDTH) for part in ("gate", "up")}
        shapes[f"{at}.mlp.down_proj.weight"] = (_WIDTH, _HIDDEN)
        shapes[f"{at}.input_layernorm.weight"] = (_WIDTH,)
        shapes[f"{at}.post_attention_layernorm.weight"] = (_WIDTH,)
    return shapes


def _weights(size: int) -> bytes:
    """The safetensors file: the header's length, a JSON header, then the data."""
    rng = random.Random(0)
    head, data = {}, b""
    for name, shape in _shapes(size).items():
        numbers = [rng.gauss(1.0 if len(shape) == 1 else 0.0, 0.1) for _ in range(math.prod(shape))]
        start, data = len(data), data + struct.pack(f"<{len(numbers)}f", *numbers)
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": (start, len(data))}
    header = json.dumps(head).encode()
    return struct.pack("<Q", len(header)) + header + data


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))
