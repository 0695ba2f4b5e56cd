"""Shared by the engine kinds: arguments, required packages, child processes."""

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

#: Make glibc ask Linux for huge pages: a model that reads all its weights within a few milliseconds
#: otherwise spends a tenth of them on TLB misses.
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
#: The same, with one heap for all threads: with several, each returns its memory to Linux and asks
#: for it again, a hundred thousand pages for one recording.
ONE_HEAP = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1"}


class ChildConfig(Protocol):
    """What the configuration of every child process has; a msgspec Struct."""

    @property
    def api_key(self) -> str:
        """Bearer token that the engine requires."""

    @property
    def slots(self) -> int:
        """Requests that the gateway sends concurrently."""


def arguments(variant: Variant, kind: type[T]) -> T:
    """Decode a model file's `args`. Raises CannotLaunch."""
    try:
        return msgspec.convert(variant.args, kind)
    except msgspec.ValidationError as error:
        raise CannotLaunch(f"the model file's args for {variant.engine}: {error}") from None


def require(packages: tuple[str, ...], what: str, extra: str) -> None:
    """Raise CannotLaunch, naming the extra to install, if a package is missing."""
    if not all(map(find_spec, packages)):
        raise CannotLaunch(f"{what} not installed: pip install 'oxlo[{extra}]'")


def new_key() -> str:
    """A random bearer token for one engine."""
    return secrets.token_urlsafe(24)


def only_file(model: Model, paths: Iterable[Path], ending: str, *, needed: bool = True) -> str:
    """The only path with this ending; "" if absent and not `needed`. Raises CannotLaunch."""
    found = [path for path in paths if path.name.endswith(ending)]
    if len(found) > 1 or (needed and not found):
        raise CannotLaunch(f"{model.id} needs one weights file *{ending}, and has {len(found)}")
    return str(found[0]) if found else ""


def idle_memory_mb(configured: int, variant: Variant) -> int:
    """The memory limit of an idle engine: as configured, or three times the variant's memory."""
    return configured or 3 * (variant.memory_mb or 0)


def last_line(log: Sequence[str]) -> str:
    """The last line that is not blank: in a traceback, the exception."""
    return next((line for line in reversed(log) if line.strip()), "")


def last_error(log: Sequence[str]) -> str:
    """The last line that names an exception, whatever was logged after it."""
    return next((line for line in reversed(log) if "Error: " in line), "")


def child(
    model: Model,
    kind: str,
    module: str,
    config: ChildConfig,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Launch:
    """Launch one of our own engines (`serving`) as `python -m module`, configured over stdin."""
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
