"""Settings from the environment: read once into a frozen record that is passed down."""

import contextlib
import difflib
import hashlib
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from oxlo import values
from oxlo.errors import OperatorError
from oxlo.paths import Paths

_PORT_MAX = 65535
#: Every key is signed with the secret, so whoever has a key can try to guess a short one.
_SECRET_MIN = 32
#: Validators of the items of list settings.
_EACH = {
    "trusted_proxies": values.check_network,
    "security_contact": values.check_contact,
    "stripe_prices": values.check_price,
}


class SettingsError(OperatorError):
    """A setting has an invalid value."""


def _setting(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


def _default_home() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "oxlo"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "oxlo"


@dataclass(frozen=True, slots=True)
class Settings(Paths):
    """All settings with defaults and descriptions; each is read from `OXLO_<NAME>`."""

    home: Path = _setting(None, "Data folder: database, journal, weights, sockets.")
    host: str = _setting("127.0.0.1", "Address that the gateway listens on.")
    port: int = _setting(8000, "Port that the gateway listens on.")
    starter: Literal["small", "full", "none"] = _setting(
        "small", "Which starter models `oxlo serve` fetches and runs."
    )
    models: tuple[str, ...] = _setting(
        (), "Model ids to serve, comma-separated; instead of the starter set."
    )
    replicas: tuple[str, ...] = _setting(
        (), "Replicas per model, `MODEL=NUMBER`, comma-separated; instead of its file's `replicas`."
    )
    min_replicas: tuple[str, ...] = _setting(
        (),
        "Replicas of a model that must stay ready while one is replaced, `MODEL=NUMBER`, "
        "comma-separated; 1 for models not named.",
    )
    catalogue: Path | None = _setting(
        None, "Folder of your own model files (TOML); default HOME/models.d."
    )
    hub_url: str = _setting(
        "https://huggingface.co", "Hub that repositories are fetched from; HF_TOKEN is its token."
    )
    plans: Path | None = _setting(None, "A plans.toml to use instead of the shipped one.")
    database_url: str = _setting("", "SQLAlchemy URL; default SQLite in HOME.")
    valkey_url: str = _setting(
        "",
        "Valkey for the shared limits of several gateways: valkey://[USER:PASSWORD@]HOST[:PORT], "
        "valkeys:// (TLS), redis://, rediss:// or unix:///PATH.",
    )
    valkey: Literal["", "embedded"] = _setting(
        "", "embedded: `oxlo serve` starts a Valkey with its data in HOME/valkey."
    )
    valkey_timeout: float = _setting(
        1.0, "Seconds without an answer after which Valkey counts as down."
    )
    limits_when_store_is_down: Literal["open", "closed"] = _setting(
        "closed",
        "While Valkey is down: closed refuses requests (503), open lets each gateway count alone.",
    )
    public_url: str = _setting("", "Base of every absolute link; default http://HOST:PORT.")
    trusted_proxies: tuple[str, ...] = _setting(
        (), "Addresses or networks whose X-Forwarded-* headers are trusted, comma-separated."
    )
    tls_cert: Path | None = _setting(None, "Certificate chain (PEM): serve HTTPS.")
    tls_key: Path | None = _setting(None, "Private key (PEM) of the certificate.")
    installation_secret: str = _setting(
        "",
        "Secret that signs keys, 32 characters or more; the same on every host. Default: kept in "
        "HOME/secret.",
    )
    metrics_token: str = _setting(
        "", "Bearer token for /metrics; without it only loopback may read it."
    )
    otlp_endpoint: str = _setting(
        "", "Collector for traces of requests, over OTLP/HTTP: http://HOST:4318."
    )
    otlp_headers: tuple[str, ...] = _setting(
        (), "Headers for the collector, name=value, comma-separated."
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", "debug, info, warning or error."
    )
    log_json: bool = _setting(default=False, doc="Logs as JSON lines even on a terminal.")

    signup: Literal["open", "closed"] = _setting(
        "open", "Whether people may sign up at /signup; operators can always create accounts."
    )
    smtp_url: str = _setting(
        "",
        "Mail server: smtp://user:password@host:587 (STARTTLS if it is offered) or smtps://. "
        "Without it mails are kept in the operator's outbox.",
    )
    mail_from: str = _setting("", "Sender of mails; default oxlo@ and the host of the public URL.")
    github_client: str = _setting("", "Log in with GitHub: CLIENT_ID:SECRET of an OAuth app.")
    google_client: str = _setting("", "Log in with Google: CLIENT_ID:SECRET of a web client.")
    oidc_issuer: str = _setting("", "Log in with any OpenID Connect provider: its issuer's URL.")
    oidc_client: str = _setting("", "CLIENT_ID:SECRET at that provider.")
    oidc_name: str = _setting("single sign-on", "That provider's name on the login button.")
    security_contact: tuple[str, ...] = _setting(
        (),
        "Where security problems of this installation are reported, for /.well-known/security.txt: "
        "e-mail addresses or https:// pages, comma-separated, the preferred one first.",
    )
    stripe_key: str = _setting(
        "", "Take payments by Stripe: its secret key. Default: the operator approves plans."
    )
    stripe_webhook_secret: str = _setting("", "Secret of the webhook at /billing/webhook.")
    stripe_prices: tuple[str, ...] = _setting(
        (), "Prices of the plans at Stripe: PLAN=PRICE_ID, comma-separated."
    )
    stripe_api: str = _setting("", "Alternative base URL of Stripe's API, for tests.")

    head_timeout: float = _setting(10.0, "Seconds for a request's head to arrive.")
    body_timeout: float = _setting(
        30.0,
        "Seconds for a body of up to 0.5 MB to arrive; a larger one gets more, at 16 KB a second.",
    )
    idle_timeout: float = _setting(75.0, "Seconds an idle keep-alive connection is kept.")
    write_timeout: float = _setting(60.0, "Seconds a client may go without reading anything.")
    body_memory_mb: int = _setting(256, "Memory for the request bodies of all connections.")
    media_timeout: float = _setting(
        60.0, "Seconds for reading, fetching and checking the files of a request; then 503."
    )
    media_allow: tuple[str, ...] = _setting(
        (),
        "Private hosts, addresses and networks that files may be fetched from, comma-separated, "
        "each with `:port` or for any port.",
    )
    media_fetch_seconds: float = _setting(20.0, "Seconds to fetch a URL, redirects included.")
    media_fetch_mb: int = _setting(
        25, "Total size of the files fetched for one request; 0: none is fetched."
    )
    media_megapixels: int = _setting(50, "Maximum megapixels of a picture.")
    engine_timeout: float = _setting(
        300.0, "Seconds an engine may send nothing, where its progress cannot be seen."
    )
    head_hold: float = _setting(
        10.0, "Seconds a stream's head waits for the first event (then comments)."
    )
    queue_limit: int = _setting(256, "Requests that may wait per model; then 503.")
    drain_seconds: float = _setting(
        30.0, "Seconds that running requests get to finish at shutdown."
    )
    objects: str = _setting(
        "", "Where images are kept: a folder, or s3://, gs:// or az://; default HOME/objects."
    )
    objects_hours: int = _setting(24, "Hours that images and links to them are kept.")
    idempotency_hours: int = _setting(
        24, "Hours that answers to requests with an Idempotency-Key are kept."
    )
    idempotency_mb: int = _setting(256, "Space for those answers; the oldest are dropped first.")
    receipts_days: int = _setting(90, "Days that receipts are kept.")
    journal_full: Literal["continue", "stop"] = _setting(
        "continue",
        "When the journal cannot be written: continue serving, or stop admitting requests.",
    )

    llamacpp_threads: int = _setting(0, "Threads per llama.cpp engine; 0: sized to the machine.")
    llamacpp_slots: int = _setting(
        0, "Parallel slots per llama.cpp engine; 0: sized to the machine."
    )
    llamacpp_context: int = _setting(
        0, "Context tokens per slot; 0: what the model allows, at most 8192."
    )
    llamacpp_cache_mb: int = _setting(512, "Host memory for llama.cpp's prompt cache, per engine.")
    vllm: str = _setting(
        "vllm",
        "The vLLM program: a name on PATH, or a path, also into another Python environment.",
    )
    remote_code: tuple[str, ...] = _setting(
        (), "Models whose repository code vLLM may run, comma-separated."
    )
    engine_stall: float = _setting(
        60.0,
        "Seconds without progress until a busy engine is restarted; CPU waits do not count.",
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "home", Path(self.home) if self.home else _default_home())

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read `OXLO_*` from the environment (or `environ`).

        Raises SettingsError that names the variable, its value and the accepted values.
        """
        source = os.environ if environ is None else environ
        overrides = {
            f.name: _parse(f"OXLO_{f.name.upper()}", source[f"OXLO_{f.name.upper()}"], f.type)
            for f in fields(cls)
            if source.get(f"OXLO_{f.name.upper()}", "") != ""
        }
        _check(overrides)
        return cls(**overrides)

    def secret(self, name: str) -> str:
        """Read the environment variable `name`, given in a model file; "" if it is not set.

        Read on use, so the secret is not in a record that may be logged or passed on.
        """
        return os.environ.get(name, "").strip()

    @property
    def visible_gpus(self) -> str | None:
        """CUDA_VISIBLE_DEVICES; None if it is not set."""
        return os.environ.get("CUDA_VISIBLE_DEVICES")

    @property
    def sender(self) -> str:
        """Sender address of mails."""
        host = urlsplit(self.base_url).hostname or "localhost"
        return self.mail_from or f"oxlo@{host}"

    @property
    def stripe_price_ids(self) -> dict[str, str]:
        """Stripe price ids by plan."""
        return dict(pair.split("=", 1) for pair in self.stripe_prices)

    @property
    def secure(self) -> bool:
        """Whether browsers reach the pages over HTTPS, so cookies are marked Secure."""
        return self.base_url.startswith("https://")

    @property
    def base_url(self) -> str:
        """The platform's public URL, without `/v1` and without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url.rstrip("/") or f"{self.scheme}://{host}:{self.port}"

    @property
    def scheme(self) -> str:
        """Protocol of the gateway's listener: https or http."""
        return "https" if self.tls_cert else "http"

    @property
    def database(self) -> str:
        """The effective SQLAlchemy URL."""
        return self.database_url or f"sqlite+aiosqlite:///{self.home / 'oxlo.db'}"

    @property
    def valkey_address(self) -> str:
        """The effective Valkey URL; "": limits are kept in memory."""
        if self.valkey_url or not self.valkey:
            return self.valkey_url
        return f"unix://{self.valkey_socket}"

    @property
    def site(self) -> str:
        """Id of this host and home among installations that share a Valkey and a database."""
        place = f"{socket.gethostname()} {self.home.absolute()}"
        return hashlib.sha256(place.encode()).hexdigest()[:12]

    @property
    def objects_location(self) -> str:
        """Image storage: a URL or a folder."""
        return self.objects or str(self.home / "objects")

    @property
    def plans_file(self) -> Path | None:
        """The effective plans file; None: the shipped plans."""
        return self.plans or (self.edited_plans if self.edited_plans.exists() else None)

    @property
    def catalogue_dir(self) -> Path:
        """Folder of the operator's own model files."""
        return self.catalogue or self.home / "models.d"

    def prepare(self) -> None:
        """Create the folders with mode 0700, whatever the umask. Raises SettingsError.

        A home that exists keeps its mode: it may be shared on purpose.
        """
        try:
            self._make_folders()
            self._make_secret()
        except OSError as error:
            raise SettingsError(f"OXLO_HOME {self.home} cannot be used: {error.strerror}") from None

    def _make_folders(self) -> None:
        closed = (self.journal_dir, self.run_dir, self.logs_dir)
        for folder in (self.home, self.weights_dir, *closed):
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        if self.run_dir.parent != self.home:
            _check_ours(self.run_dir)
        for folder in closed:
            folder.chmod(0o700)

    def _make_secret(self) -> None:
        """Write the secret atomically; linking fails if another process was first."""
        self.check_secret()
        target = self.home / "secret"
        if target.exists():
            return
        draft = self.home / f"secret.{os.getpid()}"
        draft.touch(mode=0o600)
        try:
            with draft.open("w") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(file.fileno())  # or a power failure could leave an empty file
            with contextlib.suppress(FileExistsError):
                target.hardlink_to(draft)
        finally:
            draft.unlink()

    def check_secret(self) -> None:
        """Check that a home in use still has its secret, whole. Raises SettingsError.

        A new one in its place would end every key without a word.
        """
        if self.installation_secret:
            return
        used, file = self._in_use(), self.home / "secret"  # in this order: the secret is older
        try:
            found = file.read_text().strip()
        except FileNotFoundError:
            if used:
                raise SettingsError(_no_secret(file, "is missing")) from None
            return
        except OSError:  # a home that cannot be read is reported by what uses it
            return
        if len(found) < _SECRET_MIN:
            raise SettingsError(_no_secret(file, "is not whole"))

    def _in_use(self) -> bool:
        """Whether there are accounts or calls in the home."""
        return (self.home / "oxlo.db").exists() or any(self.journal_dir.glob("*"))

    def signing_secret(self) -> bytes:
        """Return the secret that signs keys. Raises SettingsError if `prepare` was never called."""
        if self.installation_secret:
            return self.installation_secret.encode()
        try:
            return (self.home / "secret").read_text().strip().encode()
        except FileNotFoundError:
            raise SettingsError(f"{self.home} is not set up yet: run `oxlo serve` once") from None


def misspelt(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Find OXLO_* variables that are not settings; return each with the closest setting."""
    names = [f"OXLO_{field.name.upper()}" for field in fields(Settings)]
    variables = os.environ if environ is None else environ
    unknown = [name for name in variables if name.upper().startswith("OXLO_") and name not in names]
    close = {
        name: difflib.get_close_matches(name.upper(), names, n=1, cutoff=0.9) for name in unknown
    }
    return {name: matches[0] for name, matches in sorted(close.items()) if matches}


def environment(own: Mapping[str, str], *, foreign: bool = False) -> dict[str, str]:
    """Build a child's environment: ours plus `own`; `foreign` programs get no settings."""
    inherited = {k: v for k, v in os.environ.items() if not (foreign and k.startswith("OXLO_"))}
    return inherited | dict(own)


def _parse(name: str, text: str, kind: Any) -> Any:
    try:
        return values.parse(text, kind)
    except ValueError as error:
        raise SettingsError(f"{name}={text!r}: {error}") from None


def _check(overrides: Mapping[str, Any]) -> None:
    """Validate ranges and combinations of values. Raises SettingsError."""
    if not 1 <= overrides.get("port", 1) <= _PORT_MAX:
        raise SettingsError(f"OXLO_PORT={overrides['port']}: takes 1 to {_PORT_MAX}")
    for name, check in _EACH.items():
        try:
            for text in overrides.get(name, ()):
                check(text)
        except ValueError as error:
            raise SettingsError(f"OXLO_{name.upper()}: {error}") from None
    if 0 < len(overrides.get("installation_secret", "")) < _SECRET_MIN:
        raise SettingsError(
            f"OXLO_INSTALLATION_SECRET: takes {_SECRET_MIN} characters or more, such as those of "
            "`openssl rand -hex 32`"
        )
    if overrides.get("tls_key") and not overrides.get("tls_cert"):
        raise SettingsError("OXLO_TLS_KEY needs OXLO_TLS_CERT: without it, HTTP is served")
    if overrides.get("stripe_key") and not overrides.get("stripe_webhook_secret"):
        raise SettingsError("OXLO_STRIPE_KEY needs OXLO_STRIPE_WEBHOOK_SECRET: payments come by it")


def _no_secret(file: Path, state: str) -> str:
    return (
        f"{file} {state}, and the keys of this home were made with it: restore it from a backup. "
        f"If there is none, `openssl rand -hex 32 > '{file}'` makes another and ends all keys"
    )


def _check_ours(folder: Path) -> None:
    """Refuse another user's folder, which may exist in a shared temporary folder."""
    if folder.lstat().st_uid != os.geteuid():
        raise SettingsError(
            f"{folder} belongs to another user, who could read and replace the sockets in it: "
            "remove it, or choose a shorter OXLO_HOME"
        )
