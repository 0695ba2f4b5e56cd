"""The engine kind `upstream`: any OpenAI-compatible server that runs elsewhere."""

from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from oxlo.catalogue import Variant
from oxlo.engines.base import CannotLaunch, EngineSpec, Launch
from oxlo.engines.launching import arguments
from oxlo.settings import Settings


class Args(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file may set under `args`."""

    #: `http://10.0.0.7:8000/v1`; with or without the `/v1`.
    base_url: str
    #: The model's name there; default: the catalogue id.
    model: str = ""
    #: Environment variable that holds the key.
    api_key_env: str = ""
    dialect: Literal["openai", "vllm", "llamacpp"] = "openai"
    #: Requests sent concurrently.
    slots: int = 16
    #: Whether to send one tiny request at the start; a provider may charge for it.
    warm: bool = True


class Upstream:
    """An address, an API key and a dialect; there is no process to manage."""

    name = "upstream"

    def launch(self, spec: EngineSpec) -> Launch:
        """The server's address and key. Raises CannotLaunch."""
        args, model = _args(spec.variant), spec.model
        return Launch(
            model=model.id,
            kind=self.name,
            dialect=args.dialect,
            engine_model=args.model or model.id,
            slots=args.slots,
            context_length=model.context_length,
            abilities=model.abilities,
            api_key=_key(args, spec.settings),
            address=root(args.base_url),
            warm=args.warm,
            arguments=msgspec.to_builtins(args),
        )

    def explain(self, log: Sequence[str]) -> str:
        """Always empty: its log is elsewhere."""
        return ""


def root(base_url: str) -> str:
    """The base URL without `/v1` and without a trailing slash."""
    return base_url.rstrip("/").removesuffix("/v1").rstrip("/")


def _args(variant: Variant) -> Args:
    args = arguments(variant, Args)
    if not args.base_url.startswith(("http://", "https://")):
        raise CannotLaunch(f"base_url {args.base_url!r} must start with http:// or https://")
    if not _leads_somewhere(args.base_url):
        raise CannotLaunch(f"base_url {args.base_url!r} has no valid host and port")
    return args


def _leads_somewhere(url: str) -> bool:
    """Whether a connection can be tried; whoever opens one expects that."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname and parts.hostname.encode("idna") and parts.port != 0)
    except ValueError:  # also of `port`, and for a name that DNS cannot have
        return False


def _key(args: Args, settings: Settings) -> str:
    if not args.api_key_env:
        return ""
    key = settings.secret(args.api_key_env)
    if not key:
        raise CannotLaunch(f"the environment variable {args.api_key_env} with the key is not set")
    return key
