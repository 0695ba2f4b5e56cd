"""Tuning of `tiny-sight`'s embeddings: lessons, the language model in torch, and training."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from pathlib import Path

import numpy as np
import torch
from numpy.random import default_rng

from tiny_sight import caption, gguf, lessons, quants, questions, tune, vectors, views
from tiny_sight.language import MARKS, Language
from tiny_sight.vectors import File
from tiny_sight.views import Thing, View

#: Dimensions of the test model.
LAYERS, WIDTH, HEADS, PAIRS, MIDDLE = 2, 64, 4, 2, 96
VIEW = View("white", (Thing("circle", "red", 0.2, 0.2, 0.15), Thing("4", "blue", 0.8, 0.5, 0.13)))


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> Language:
    """A small model of the real architecture with random weights and a byte vocabulary."""
    random = default_rng(1)
    half = WIDTH // HEADS * PAIRS

    def matrix(rows: int, columns: int = WIDTH) -> np.ndarray:
        return random.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)

    letters = [chr(number) for number in [*range(33, 127), 0x120, 0x10A]]
    tokens = [*letters, "th", *MARKS]
    sizes = {"attn_q": WIDTH, "attn_k": half, "attn_v": half, "attn_output": WIDTH}
    sizes |= {"ffn_gate": MIDDLE, "ffn_up": MIDDLE}
    tensors = {"token_embd.weight": matrix(len(tokens)), "output.weight": matrix(len(tokens))}
    tensors["output_norm.weight"] = np.ones(WIDTH, np.float32)
    for layer in range(LAYERS):
        own = {f"{name}.weight": matrix(rows) for name, rows in sizes.items()}
        own |= {f"attn_{part}.bias": matrix(1, sizes[f"attn_{part}"])[0] for part in "qkv"}
        own |= {f"{name}.weight": np.ones(WIDTH, np.float32) for name in ("attn_norm", "ffn_norm")}
        own["ffn_down.weight"] = matrix(WIDTH, MIDDLE)
        tensors |= {f"blk.{layer}.{name}": value for name, value in own.items()}
    head = {
        "qwen2.block_count": LAYERS,
        "qwen2.attention.head_count": HEADS,
        "qwen2.attention.layer_norm_rms_epsilon": 1e-6,
        "qwen2.rope.freq_base": 1e4,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": ["t h"],
    }
    path = tmp_path_factory.mktemp("language") / "model.gguf"
    gguf.write(path, head, tensors)
    return Language(path)


def test_its_tokens_are_its_words(language: Language) -> None:
    """Known pairs are merged, and special tokens stay whole."""
    said = "that:\n<|im_end|>"
    spelt = [language.tokenizer.id_to_token(token) for token in language.tokens(said)]
    assert spelt == ["th", "a", "t", ":", "\u010a", "<|im_end|>"]
    assert language.tokenizer.decode(language.tokens("A red star.")) == "A red star."


def test_it_reads_as_transformers_does(language: Language, tmp_path: Path) -> None:
    """Hidden states are equal to within the rounding of its matrices."""
    transformers = pytest.importorskip("transformers")
    config = transformers.Qwen2Config(
        vocab_size=8,
        hidden_size=WIDTH,
        intermediate_size=MIDDLE,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=PAIRS,
        rope_theta=1e4,
    )
    other = transformers.Qwen2Model(config).eval()
    other.load_state_dict(_renamed(language), strict=False)
    torch.manual_seed(8)
    shown = torch.randn(1, 9, WIDTH)
    with torch.no_grad():
        expected = other(inputs_embeds=shown).last_hidden_state[0]
        seen = torch.ones(9, 9, dtype=torch.bool).tril()
        read = language.hidden_states(shown[0], torch.arange(9), seen)
    assert torch.allclose(read, expected, atol=0.1)


def _renamed(language: Language) -> dict[str, torch.Tensor]:
    """Rename the weights to transformers' names."""
    names = {
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
    }
    return {
        f"layers.{number}.{names[part]}.{kind}": value.float()
        for number, layer in enumerate(language.layers)
        for name, value in layer.items()
        for part, kind in [name.split(".")]
    }


def test_lessons_about_one_picture_do_not_see_each_other(language: Language) -> None:
    """Each lesson has the same result in a shared sheet as alone."""
    torch.manual_seed(7)
    words = torch.randn(len(caption.vocabulary()), WIDTH)
    start = [*language.tokens("Look:"), -1, -2, -3]
    pairs = [(language.tokens(q), language.tokens(a)) for q, a in [("What?", "A star"), ("N", "7")]]
    together = _read(language, tune.sheet(start, pairs), words)
    alone = torch.cat([_read(language, tune.sheet(start, [pair]), words) for pair in pairs])
    assert torch.allclose(together, alone, atol=0.1)


def _read(language: Language, sheet: tune.Sheet, words: torch.Tensor) -> torch.Tensor:
    return language.hidden_states(
        tune.embedded(language, sheet, words), sheet.positions, sheet.mask
    )[sheet.predicted]


def test_tuning_makes_right_answers_likelier(language: Language) -> None:
    """Training changes the captions' embeddings, but not the language model."""
    random = default_rng(2)
    first = random.normal(0, 0.1, (len(caption.vocabulary()), WIDTH)).astype(np.float32)
    known = language.embed([0, 1])
    tuning = tune.Tuning(language, first, steps=5)
    sheet = tune.sample_sheet(language, VIEW, random, 0.0)
    before = tune.answer_loss(language, sheet, torch.from_numpy(first))
    for _ in range(3):
        tuning.step(random, 0.5)
    assert tune.answer_loss(language, sheet, torch.from_numpy(tuning.vectors)) < before
    assert torch.equal(language.embed([0, 1]), known)


def test_lessons_are_right() -> None:
    """A lesson's answer is accepted by the corresponding evaluation question."""
    random = default_rng(3)
    compared = 0
    for _ in range(60):
        view = views.sample(random)
        taught = {one.question: one.answer for one in lessons.some(view, 20, random)}
        for question in questions.of(view):
            if question.text in taught:
                assert question.right(taught[question.text]), (view, question, taught)
                compared += 1
    assert compared > 50


def test_measuring_can_ask_in_words_that_were_not_taught() -> None:
    """Reworded evaluation questions do not occur in lessons."""
    random = default_rng(4)
    seen = [views.sample(random) for _ in range(40)]
    taught = {one.question for view in seen for one in lessons.some(view, 20, random)}
    assert not taught & {question.reworded for view in seen for question in questions.of(view)}


@pytest.mark.parametrize("kind", [quants.Q4_K, quants.Q6_K])
def test_packed_weights(kind: int) -> None:
    """Blocks are decoded as by llama.cpp."""
    packing = quants.PACKINGS[kind]
    raw = default_rng(5).integers(0, 256, packing.size, np.uint8)
    scales = slice(0, 4) if kind == quants.Q4_K else slice(208, 210)
    raw[scales] = np.array([0.5, 0.25][: len(raw[scales]) // 2], np.float16).view(np.uint8)
    one = _of_four_bits if kind == quants.Q4_K else _of_six_bits
    numbers = quants.unpacked(kind, raw.tobytes())
    assert numbers.tolist() == [one(raw.tolist(), place) for place in range(256)]


def _of_four_bits(raw: list[int], place: int) -> float:
    group, packed = place // 32, raw[4:16]
    if group < 4:
        scale, least = packed[group] & 63, packed[group + 4] & 63
    else:
        scale = packed[group + 4] & 15 | packed[group - 4] >> 6 << 4
        least = packed[group + 4] >> 4 | packed[group] >> 6 << 4
    byte = raw[16 + group // 2 * 32 + place % 32]
    return 0.5 * scale * (byte >> 4 if group % 2 else byte & 15) - 0.25 * least


def _of_six_bits(raw: list[int], place: int) -> float:
    half, quarter, at = place // 128, place % 128 // 32, place % 32
    low = raw[64 * half + 32 * (quarter % 2) + at]
    low = low >> 4 if quarter > 1 else low & 15
    high = raw[128 + 32 * half + at] >> 2 * quarter & 3
    scale = raw[192 + 8 * half + 2 * quarter + at // 16]
    return 0.5 * (scale - 256 if scale > 127 else scale) * ((low | high << 4) - 32)


def test_a_file_says_which_words_it_has(tmp_path: Path) -> None:
    """Tensors of any shape survive a round trip."""
    given = default_rng(6).normal(size=(3, 4)).astype(np.float32)
    gguf.write(tmp_path / "m.gguf", {"general.architecture": "test"}, {"some": given})
    assert np.array_equal(File(tmp_path / "m.gguf").tensor("some"), given)
    with pytest.raises(KeyError):
        vectors.File(tmp_path / "m.gguf").tensor("other")
