"""What kinds of engine share when one is started: arguments read, packages looked for, a child."""

import secrets
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar

import msgspec

from oxlo.catalogue import Model, Variant
from oxlo.engines.base import CannotLaunch, Launch

T = TypeVar("T", bound=msgspec.Struct)

#: What glibc allocates lies in huge pages, where Linux gives some to who asks. A model that reads
#: all of its weights in a few milliseconds spends a tenth of them on finding small ones.
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


class ChildConfig(Protocol):
    """What every child is told, whatever else its kind needs; a msgspec Struct."""

    @property
    def api_key(self) -> str:
        """What callers have to show."""

    @property
    def slots(self) -> int:
        """Calls that are sent to it at once."""


def arguments(variant: Variant, kind: type[T]) -> T:
    """What a model file says under `args`. Raises CannotLaunch."""
    try:
        return msgspec.convert(variant.args, kind)
    except msgspec.ValidationError as error:
        raise CannotLaunch(f"the model file's args for {variant.engine}: {error}") from None


def require(packages: tuple[str, ...], what: str, extra: str) -> None:
    """Raise CannotLaunch, naming the extra, when a package is not installed."""
    if not all(map(find_spec, packages)):
        raise CannotLaunch(f"{what} not installed: pip install 'oxlo[{extra}]'")


def new_key() -> str:
    """What an engine of ours asks of its callers."""
    return secrets.token_urlsafe(24)


def only_file(model: Model, paths: Iterable[Path], ending: str, *, needed: bool = True) -> str:
    """The one whose name ends so; "" where none is there or needed. Raises CannotLaunch."""
    found = [path for path in paths if path.name.endswith(ending)]
    if len(found) > 1 or (needed and not found):
        raise CannotLaunch(f"{model.id} needs one weights file *{ending}, and has {len(found)}")
    return str(found[0]) if found else ""


def idle_memory_mb(wish: int, variant: Variant) -> int:
    """What an engine may take with nothing to do: as wished, else three times what it should."""
    return wish or 3 * (variant.memory_mb or 0)


def last_line(log: Sequence[str]) -> str:
    """Of a trace, the last line is the cause."""
    return next((line for line in reversed(log) if line.strip()), "")


def last_error(log: Sequence[str]) -> str:
    """The exception that ended it, whatever was said afterwards."""
    return next((line for line in reversed(log) if "Error: " in line), "")


def child(
    model: Model,
    kind: str,
    module: str,
    config: ChildConfig,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Launch:
    """An engine of our own (`serving`): `python -m module`, configured over stdin."""
    shown = msgspec.to_builtins(config)
    del shown["api_key"]
    return Launch(
        model=model.id,
        kind=kind,
        dialect="oxlo",
        engine_model=model.id,
        slots=config.slots,
        context_length=model.context_length,
        abilities=model.abilities,
        api_key=config.api_key,
        argv=(sys.executable, "-m", module, model.id),
        config=msgspec.json.encode(config),
        environment=dict(environment),
        arguments=shown,
    )
