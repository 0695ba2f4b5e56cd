"""The 46 models of the public catalogue (D3): ids, categories and tiers as they are sold."""

import pytest

from oxlo import catalogue
from oxlo.catalogue import Model, Variant
from oxlo.catalogue.parameters import parameters
from oxlo.hardware.cards import CARDS
from oxlo.weights.stock import needs

CATALOGUE = catalogue.load()

#: As the public reference lists them. A model that it lists twice stands where it comes first.
SOLD = {
    ("chat", "free"): """deepseek-v3 deepseek-v3.2 mistral-7b llama-3.2-3b gemma-3-4b
        deepseek-r1-8b""",
    ("chat", "pro"): """deepseek-r1-70b llama-4-maverick-17b mistral-24b qwen-14b qwen-2.5-7b
        llama-3.1-8b ministral-14b deepseek-v3-0324 gpt-oss-20b""",
    ("chat", "premium"): """qwen-3-32b llama-3.3-70b deepseek-r1 deepseek-r1-0528 gpt-oss-120b
        kimi-k2-thinking kimi-k2.5 minimax-m2.5 glm-5""",
    ("code", "pro"): "deepseek-coder-33b deepseek-coder qwen-2.5-coder-7b oxlo-coder-fast",
    ("code", "premium"): "qwen3-coder-30b",
    ("vision", "pro"): "kimi-vl-3b",
    ("vision", "premium"): "gemma-27b",
    ("image", "free"): "stable-diffusion-v1.5",
    ("image", "pro"): "sdxl flux.1-schnell",
    ("image", "premium"): "oxlo-image-pro oxlo-image-ultra stable-diffusion-3.5-large",
    ("audio", "free"): "whisper-large-v3 whisper-turbo whisper-medium whisper-large kokoro-82m",
    ("embeddings", "free"): "bge-large e5-large",
    ("detection", "free"): "yolov9 yolov11",
}
IDS = [name for names in SOLD.values() for name in names.split()]
#: What the engine kinds are for.
ENGINES = {
    "llamacpp": {"chat"},
    "vllm": {"chat"},
    "diffusers": {"images"},
    "whisper": {"transcription"},
    "kokoro": {"speech"},
    "onnx": {"embeddings", "detection"},
}
#: Bytes that a weight takes, by what the name of its repository says of them; else two.
BYTES = {
    "awq": 0.5, "4bit": 0.5, "w4a16": 0.5, "fp8": 1.0, "w8a8": 1.0, "gguf": 0.55,
    "gpt-oss": 0.5, "kimi-k2": 0.5, "minimax": 1.0, "ministral": 1.0, "deepseek-v3.2": 1.0,
}  # fmt: skip

each_sold = pytest.mark.parametrize("model", [*map(CATALOGUE.resolve, IDS)], ids=lambda m: m.id)


def test_there_are_46() -> None:
    """The catalogue holds what is sold: 46 models, 16 of them free."""
    assert len(IDS) == len(set(IDS)) == 46
    free = [name for (_, tier), names in SOLD.items() if tier == "free" for name in names.split()]
    assert len(free) == 16


@pytest.mark.parametrize(("category", "tier"), SOLD)
def test_categories_and_tiers(category: str, tier: str) -> None:
    """Each model is in the category and in the tier in which it is sold."""
    for name in SOLD[category, tier].split():
        model = CATALOGUE.get(name)
        assert model is not None, name
        assert (model.category, model.tier) == (category, tier), name


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("yolo-v9", "yolov9"),
        ("yolo11x.pt", "yolov11"),
        ("stable-diffusion-1.5", "stable-diffusion-v1.5"),
        ("sdxl_lightning_4step.safetensors", "sdxl"),
        ("SDXL Lightning", "sdxl"),
        ("flux-1-schnell", "flux.1-schnell"),
        ("flux-schnell", "flux.1-schnell"),
        ("gemma-3-27b", "gemma-27b"),
        ("google/gemma-3-4b-it", "gemma-3-4b"),
        ("llama-4-maverick", "llama-4-maverick-17b"),
        ("qwen-3-coder", "qwen3-coder-30b"),
        ("qwen-3-coder-30b", "qwen3-coder-30b"),
        ("kimi-k2-5", "kimi-k2.5"),
        ("deepseek-ai/DeepSeek-V3.2", "deepseek-v3.2"),
        ("deepseek r1 8b", "deepseek-r1-8b"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral-7b"),
        ("meta-llama/Llama-3.2-3B-Instruct", "llama-3.2-3b"),
        ("deepseek-v3-0324", "deepseek-v3-0324"),
        ("whisper-large", "whisper-large"),
    ],
)
def test_other_names(name: str, model_id: str) -> None:
    """Names that the documentation, old and new, and clients use."""
    assert CATALOGUE.resolve(name).id == model_id


def test_no_name_means_two_models() -> None:
    """However names are spelt, each leads to one model."""
    names = [catalogue.fold(n) for m in CATALOGUE for n in {m.id, *m.aliases}]
    owners = {
        name: {m.id for m in CATALOGUE if name in map(catalogue.fold, (m.id, *m.aliases))}
        for name in names
    }
    assert [name for name, ids in owners.items() if len(ids) > 1] == []


def test_images_are_read_where_it_is_promised() -> None:
    """The models that see; Kimi K2 Thinking is on some lists, but its weights read text only."""
    seeing = {name for name in IDS if "vision" in CATALOGUE.resolve(name).abilities}
    promised = "ministral-14b llama-4-maverick-17b kimi-k2.5 gemma-3-4b gemma-27b kimi-vl-3b"
    assert seeing == set(promised.split())


def test_products_name_what_they_are_built_on() -> None:
    """What is sold under a name of its own says which open model it is."""
    products = {model.id: model.built_on for model in CATALOGUE if model.built_on}
    assert products == {
        "oxlo-coder-fast": ("Qwen/Qwen3-Coder-30B-A3B-Instruct",),
        "oxlo-image-pro": ("black-forest-labs/FLUX.2-klein-4B",),
        "oxlo-image-ultra": ("Qwen/Qwen-Image",),
    }


@pytest.mark.parametrize("name", ["bge-large", "e5-large"])
def test_embeddings_have_1024_numbers(name: str) -> None:
    """As they are sold; nothing else can be asked for."""
    dimensions = parameters(CATALOGUE.resolve(name))["dimensions"]
    assert (dimensions.min, dimensions.max, dimensions.default) == (1024, 1024, 1024)


@each_sold
def test_it_can_be_served(model: Model) -> None:
    """Each has weights from somewhere, and hardware with an engine that is made for it."""
    assert model.hub or model.weights or model.supplied
    assert bool(model.supplied) == bool(model.setup)
    assert any(variant.cards for variant in model.variants)
    for variant in model.variants:
        assert ENGINES[variant.engine] & model.abilities, variant.hardware


@each_sold
def test_it_fits(model: Model) -> None:
    """Its weights and the rest of what it takes fit on the cards that a variant names."""
    for variant in model.variants:
        assert variant.memory_mb
        weights_mb = (model.billions or 0) * 1e9 * bytes_each(model, variant) / 2**20
        assert weights_mb / max(1, variant.cards) < variant.memory_mb, variant.hardware
        if variant.cards:
            assert variant.memory_mb <= CARDS[variant.hardware].memory_mb, variant.hardware


def bytes_each(model: Model, variant: Variant) -> float:
    """Bytes of one weight, as the names tell."""
    if variant.args.get("compute_type") == "int8" or (variant.engine, variant.cards) == (
        "kokoro",
        0,
    ):
        return 1.0
    known = f"{variant.hub or model.hub or ''} {variant.args.get('quantization', '')}".lower()
    return next((size for word, size in BYTES.items() if word in known), 2.0)


@each_sold
def test_contexts(model: Model) -> None:
    """vLLM is told no longer context than the model has."""
    for variant in model.variants:
        if variant.engine == "vllm":
            assert variant.args["max_model_len"] <= model.context_length


@each_sold
def test_files_of_repositories(model: Model) -> None:
    """Engines that are given files, not a folder, are told which; program code is agreed to."""
    for variant in model.variants:
        files = [pattern for need in needs(model, variant) for pattern in need.repository.files]
        assert files or not needs(model, variant), variant.hardware
        assert ("*.py" in files) == bool(variant.args.get("remote_code"))


@each_sold
def test_tools_need_a_parser(model: Model) -> None:
    """A model that is said to call functions runs with the parser of its calls, and reasons so."""
    for variant in model.variants:
        if variant.engine == "vllm":
            assert bool(variant.args.get("tool_parser")) == ("tools" in model.abilities)
            assert bool(variant.args.get("reasoning_parser")) == ("reasoning" in model.abilities)
