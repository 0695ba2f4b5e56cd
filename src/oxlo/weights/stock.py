"""Locating a model's weights, and fetching what is missing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from oxlo.catalogue import Model, Repository, Variant, WeightsFile
from oxlo.settings import Settings
from oxlo.weights import fetching, pins, tree
from oxlo.weights.errors import WeightsError
from oxlo.weights.hub import Hub
from oxlo.weights.pins import Pin
from oxlo.weights.progress import Progress, Silent

#: Files to fetch of a repository by default: never pickles, never code.
_USUAL = {
    "vllm": ("*.safetensors", "*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja"),
    "diffusers": ("model_index.json", "*/*.json", "*/*.txt", "*/*.model", "*/*.safetensors"),
}
#: Engines that take a folder; others take files.
_BY_FOLDER = frozenset(_USUAL)


class Missing(WeightsError):
    """Weights are missing; the message says how to get them."""


@dataclass(frozen=True)
class Stock:
    """The weights of one installation."""

    weights: Path
    pins: Path
    supplied: Path
    hub: Hub

    @classmethod
    def of(cls, settings: Settings) -> "Stock":
        """The stock of these settings."""
        hub = Hub(settings.hub_url, settings.secret("HF_TOKEN"))
        return cls(settings.weights_dir, settings.pins_dir, settings.supplied_dir, hub)

    def locate(self, model: Model, variant: Variant) -> list[Path]:
        """The paths for an engine, in the order of the model file. Raises Missing.

        It is one folder if the engine takes a folder, or if file names contain folders.
        """
        if variant.hardware == "remote":
            return []
        if model.supplied:
            return [self._supplied(model, name) for name in model.supplied]
        if needs(model, variant):
            paths = self._of_repositories(model, variant)
        else:
            folder = variant.engine in _BY_FOLDER
            paths = tree.ready(model.weights, self.weights, folder=folder)
        if paths is None:
            raise Missing(f"weights are missing: run `oxlo models pull {model.id}`")
        return paths

    def _supplied(self, model: Model, name: str) -> Path:
        path = self.supplied / name
        if not path.is_file():
            raise Missing(f"{path} is not there: `oxlo models show {model.id}` says how to make it")
        return path

    def _of_repositories(self, model: Model, variant: Variant) -> list[Path] | None:
        files = self.known(model, variant)
        if not files:
            return None
        found = [path for file in files if (path := self.present(file))]
        if len(found) < len(files):
            return None
        return [tree.lay_out(files, self.weights)] if variant.engine in _BY_FOLDER else found

    def _entries(
        self,
        model: Model,
        variant: Variant,
        pin_of: Callable[[Repository, Path], Pin | None],
    ) -> tuple[WeightsFile, ...] | None:
        """The files of a variant's repositories; None if one is not pinned."""
        files: dict[str, WeightsFile] = {}
        for need in needs(model, variant):
            pin = pin_of(need.repository, self.pins)
            if pin is None:
                return None
            for file in pin.entries(need.repository.files):
                named = msgspec.structs.replace(file, name=need.name or file.name)
                files[named.name] = named
        return tuple(files.values())

    def present(self, file: WeightsFile) -> Path | None:
        """The path of a file, if it is here."""
        return fetching.present(file, self.weights)

    def pinned(self, repository: Repository) -> str | None:
        """The pinned commit of a repository; None if it is not pinned yet."""
        pin = pins.kept(repository, self.pins)
        return pin.revision if pin else None

    def known(self, model: Model, variant: Variant) -> tuple[WeightsFile, ...]:
        """The files of a variant as far as pinned, without asking a hub."""
        if not needs(model, variant):
            return model.weights
        return self._entries(model, variant, pins.kept) or ()

    def size(self, model: Model, variant: Variant) -> int | None:
        """Size of a variant's weights in bytes; None if they are not pinned yet."""
        return sum(file.size for file in self.known(model, variant)) or None

    def pin(self, repository: Repository) -> Pin:
        """Read a repository from the hub, and store the pin. Raises SourceFailed."""
        pins.keep(pins.read(repository, self.hub), self.pins)
        pin = pins.kept(repository, self.pins)
        assert pin is not None
        return pin

    def files(self, model: Model, variant: Variant) -> tuple[WeightsFile, ...]:
        """All files of a variant, pinning its repositories first if necessary."""
        if variant.hardware == "remote":
            return ()
        if not needs(model, variant):
            return model.weights
        asked = self._entries(model, variant, self._pinned_now)
        assert asked is not None
        return asked

    def _pinned_now(self, repository: Repository, directory: Path) -> Pin:
        return pins.kept(repository, directory) or self.pin(repository)

    def fetch(
        self,
        variants: Iterable[tuple[Model, Variant]],
        progress: Callable[[], Progress] = Silent,
    ) -> list[Path]:
        """Fetch missing files in parallel; returns the paths of all. Raises WeightsError."""
        chosen = list(variants)
        files = [file for model, variant in chosen for file in self.files(model, variant)]
        paths = fetching.fetch_all(files, self.weights, progress, hub=self.hub)
        for model, variant in chosen:
            if not model.supplied:
                self.locate(
                    model, variant
                )  # creates folders now, because the cache may be read-only later
        return paths


@dataclass(frozen=True, slots=True)
class Need:
    """The files that are needed of one repository."""

    repository: Repository
    #: Local name of its only file; "": unchanged.
    name: str = ""


def needs(model: Model, variant: Variant) -> list[Need]:
    """The repositories of a variant; empty if its weights are listed file by file, or elsewhere."""
    own = model.repository(variant)
    if own is None or variant.hardware == "remote":
        return []
    files = own.files or _USUAL.get(variant.engine, ())
    parts = [
        Need(Repository(part.hub, part.revision, (part.path,)), part.name) for part in model.parts
    ]
    return [Need(Repository(own.hub, own.revision, files)), *parts]


def repositories(models: Iterable[Model]) -> list[Repository]:
    """All repositories of the models, each once, with all files that any model needs."""
    files: dict[tuple[str, str | None], dict[str, None]] = {}
    for repository in (need.repository for m in models for v in m.variants for need in needs(m, v)):
        known = files.setdefault((repository.hub, repository.revision), {})
        known.update(dict.fromkeys(repository.files))
    return [Repository(hub, revision, tuple(known)) for (hub, revision), known in files.items()]
