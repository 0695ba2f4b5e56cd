"""What model files say to engines, checked by the engines' own types."""

import sys

import msgspec
import pytest

from oxlo import catalogue
from oxlo.catalogue import Variant
from oxlo.engines import vllm_flags
from oxlo.engines.kinds import KINDS

VARIANTS = [(model.id, variant) for model in catalogue.load() for variant in model.variants]


def is_taken(variant: Variant) -> bool:
    """Whether one of the kind's `...Args` takes what the file says under `args`."""
    module = vars(sys.modules[type(KINDS[variant.engine]).__module__])
    kinds = [kind for name, kind in module.items() if name.endswith("Args")]
    assert kinds, variant.engine
    for kind in kinds:
        try:
            msgspec.convert(variant.args, kind)
        except msgspec.ValidationError:
            continue
        return True
    return False


@pytest.mark.parametrize(
    ("model", "variant"), VARIANTS, ids=[f"{name}-{v.hardware}" for name, v in VARIANTS]
)
def test_args(model: str, variant: Variant) -> None:
    """Every shipped variant names arguments that its engine knows, of the right types."""
    if variant.engine not in KINDS:
        pytest.skip(f"the engine {variant.engine} is not part of this version")
    assert is_taken(variant)
    vllm_flags.check(variant.args.get("extra", ()))


def test_a_wrong_one_is_noticed() -> None:
    """An argument that the engine does not know, or of another type."""
    known = {"max_model_len": 4096}
    for args in (known | {"no_such": 1}, known | {"max_num_seqs": "many"}):
        assert not is_taken(Variant(hardware="a100", engine="vllm", args=args))
    assert is_taken(Variant(hardware="a100", engine="vllm", args=known))
