"""Settings from the environment, and their validation."""

import dataclasses
import os
import re
import stat
import tempfile
from pathlib import Path

import pytest
from tests.disks import full_disk

from oxlo.settings import Settings, SettingsError, environment, misspelt


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_defaults() -> None:
    """An empty environment gives the defaults."""
    settings = Settings.read({})
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert (settings.starter, settings.models) == ("small", ())
    assert settings.home.name == "oxlo"
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.database == f"sqlite+aiosqlite:///{settings.home}/oxlo.db"


def test_every_setting_is_explained() -> None:
    """Each has a description for the reference page."""
    docs = {field.name: field.metadata.get("doc", "") for field in dataclasses.fields(Settings)}
    assert [name for name, doc in docs.items() if not re.fullmatch(r"\S.{9,}\.\S*.*", doc)] == []


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("HOME", "/data", Path("/data")),
        ("HOME", "~/data", Path.home() / "data"),
        ("PORT", "9000", 9000),
        ("PORT", " 9000 ", 9000),
        ("HEAD_TIMEOUT", "2.5", 2.5),
        ("STARTER", "none", "none"),
        ("MODELS", "a, b,,c ", ("a", "b", "c")),
        ("CATALOGUE", "/models", Path("/models")),
        ("LOG_JSON", "1", True),
        ("LOG_JSON", "Yes", True),
        ("LOG_JSON", "no", False),
        ("METRICS_TOKEN", "t", "t"),
    ],
)
def test_values(name: str, text: str, value: object) -> None:
    """Each type of value is parsed from its usual spellings."""
    assert getattr(Settings.read({f"OXLO_{name}": text}), name.lower()) == value


def test_empty_is_unset() -> None:
    """Compose files pass unset variables as empty ones."""
    assert Settings.read({"OXLO_PORT": "", "OXLO_HOME": ""}) == Settings.read({})


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("PORT", "http", "OXLO_PORT='http': takes a whole number"),
        ("HEAD_TIMEOUT", "10s", "OXLO_HEAD_TIMEOUT='10s': takes a number"),
        ("STARTER", "big", "small, full, none"),
        ("LOG_JSON", "maybe", "true"),
        ("INSTALLATION_SECRET", "x" * 31, "32 characters or more"),
        ("JOURNAL_FULL", "panic", "continue, stop"),
        ("TLS_KEY", "/etc/key.pem", "needs OXLO_TLS_CERT"),
        ("SECURITY_CONTACT", "a@example.com,http://example.com", "'http://example.com' is no"),
        ("SECURITY_CONTACT", "a@example.com\nExpires: never", "is not an e-mail address"),
    ],
)
def test_mistakes_name_the_variable(name: str, text: str, told: str) -> None:
    """The message has the variable, the value, and the accepted values."""
    with pytest.raises(SettingsError, match=told):
        Settings.read({f"OXLO_{name}": text})


NUMBERS = [field.name for field in dataclasses.fields(Settings) if field.type in (int, float)]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["-1", "nan", "inf", "-0.5"])
def test_numbers_are_sane(name: str, text: str) -> None:
    """Times, sizes and counts are finite numbers from 0 up."""
    with pytest.raises(SettingsError, match=f"OXLO_{name.upper()}"):
        Settings.read({f"OXLO_{name.upper()}": text})


@pytest.mark.parametrize("port", ["0", "65536"])
def test_ports_exist(port: str) -> None:
    """The port is printed before it is bound, so it must be valid."""
    with pytest.raises(SettingsError, match="OXLO_PORT"):
        Settings.read({"OXLO_PORT": port})


def test_reads_the_real_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument it is the process's own."""
    monkeypatch.setenv("OXLO_PORT", "8123")
    assert Settings.read().port == 8123


def test_default_home_on_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder of the XDG convention."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Settings().home == tmp_path / "oxlo"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert Settings().home == Path.home() / ".local" / "share" / "oxlo"


def test_default_home_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of macOS's convention."""
    monkeypatch.setattr("sys.platform", "darwin")
    assert Settings().home == Path.home() / "Library" / "Application Support" / "oxlo"


def test_frozen(settings: Settings) -> None:
    """Settings cannot be changed after the start."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"port": 80, "host": "10.0.0.1"}, "http://10.0.0.1:80"),
        ({"host": "::1"}, "http://[::1]:8000"),
        ({"tls_cert": Path("c.pem")}, "https://127.0.0.1:8000"),
        ({"public_url": "https://ai.example.com/"}, "https://ai.example.com"),
    ],
)
def test_base_url(given: dict[str, object], url: str) -> None:
    """The public URL takes precedence over host and port."""
    assert Settings(**given).base_url == url


def test_secrets_are_read_when_needed(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """The variable's value is stripped; an unset variable is empty."""
    monkeypatch.setenv("CLOUD_KEY", " secret\n")
    assert settings.secret("CLOUD_KEY") == "secret"
    assert settings.secret("NO_SUCH_KEY") == ""


def test_prepare_closes_what_is_private(settings: Settings) -> None:
    """Everything that is created is private to the owner, whatever the umask."""
    before = os.umask(0)
    try:
        settings.prepare()
    finally:
        os.umask(before)
    assert mode(settings.home) == 0o700
    assert {mode(path) for path in settings.home.iterdir() if path.is_dir()} == {0o700}
    assert mode(settings.home / "secret") == 0o600
    assert settings.weights_dir.is_dir()


def test_home_that_cannot_be_used(settings: Settings) -> None:
    """A home that cannot be made is an error that names it."""
    settings.home.write_text("")
    with pytest.raises(SettingsError, match=re.escape(f"OXLO_HOME {settings.home} cannot be used")):
        settings.prepare()


def test_secret_on_a_full_disk(settings: Settings) -> None:
    """Without room for the secret nothing half-written is left, and the next start makes it."""
    with full_disk(), pytest.raises(SettingsError, match="cannot be used"):
        settings.prepare()
    assert list(settings.home.glob("secret*")) == []
    settings.prepare()
    assert len(settings.signing_secret()) == 64


def test_prepare_keeps_the_home_as_it_is(settings: Settings) -> None:
    """A folder that the operator made is not closed; what is secret in it is."""
    settings.home.mkdir()
    settings.home.chmod(0o755)
    settings.journal_dir.mkdir()
    settings.journal_dir.chmod(0o755)
    settings.prepare()
    assert mode(settings.home) == 0o755
    assert mode(settings.journal_dir) == 0o700


def test_shared_folder_where_somebody_was_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sockets are never created in another user's folder, who could replace them."""
    settings = Settings(home=tmp_path / ("long" * 30))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    settings.prepare()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(SettingsError, match="belongs to another user"):
        settings.prepare()


def test_secret_is_made_once(settings: Settings) -> None:
    """Keys stay valid across restarts."""
    settings.prepare()
    first = settings.signing_secret()
    settings.prepare()
    assert settings.signing_secret() == first
    assert len(first) == 64
    assert [path.name for path in settings.home.glob("secret*")] == ["secret"]


@pytest.mark.parametrize("used", ["oxlo.db", "journal/g1-000001.jsonl"])
def test_lost_secret(settings: Settings, used: str) -> None:
    """A home in use never gets another secret by itself: every key would end without a word."""
    settings.prepare()
    (settings.home / used).touch()
    (settings.home / "secret").unlink()
    with pytest.raises(SettingsError, match=r"secret is missing.*restore it"):
        settings.prepare()
    assert not (settings.home / "secret").exists()


def test_secret_that_is_cut_short(settings: Settings) -> None:
    """What a crash or an editor left of a secret signs nothing."""
    settings.prepare()
    (settings.home / "secret").write_text("abc\n")
    with pytest.raises(SettingsError, match=r"secret is not whole.*restore it"):
        settings.prepare()


def test_given_secret_needs_no_file(tmp_path: Path) -> None:
    """Hosts that share a secret do not depend on their own."""
    settings = Settings(home=tmp_path, installation_secret="shared")
    settings.prepare()
    (tmp_path / "oxlo.db").touch()
    (tmp_path / "secret").unlink()
    settings.prepare()
    assert settings.signing_secret() == b"shared"


def test_given_secret_wins(tmp_path: Path) -> None:
    """Several hosts can share one."""
    settings = Settings(home=tmp_path, installation_secret="shared")
    settings.prepare()
    assert settings.signing_secret() == b"shared"


def test_no_secret_yet(settings: Settings) -> None:
    """The error of a gateway that is started first says what to do."""
    with pytest.raises(SettingsError, match="oxlo serve"):
        settings.signing_secret()


def test_sockets_fit_a_long_home(tmp_path: Path) -> None:
    """The sockets of a deeply nested home are in a short, stable folder."""
    deep = Settings(home=tmp_path / ("deep" * 30))
    other = Settings(home=tmp_path / ("deep" * 31))
    assert len(str(deep.control_private_socket)) <= 104
    assert len(str(deep.gateway_socket("g1"))) <= 104
    assert deep.run_dir == Settings(home=deep.home).run_dir
    assert deep.run_dir != other.run_dir


def test_everything_else_is_under_home(settings: Settings) -> None:
    """One folder to back up or to delete."""
    home = settings.home
    paths = (settings.journal_dir, settings.weights_dir, settings.catalogue_dir)
    assert [path.parent for path in paths] == [home, home, home]


def test_children_inherit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Additional variables take precedence; foreign programs get no settings."""
    monkeypatch.setenv("OXLO_INSTALLATION_SECRET", "hush")
    monkeypatch.setenv("HF_HOME", "/hub")
    ours = environment({"HF_HOME": "/mine"})
    assert (ours["OXLO_INSTALLATION_SECRET"], ours["HF_HOME"]) == ("hush", "/mine")
    foreign = environment({}, foreign=True)
    assert "OXLO_INSTALLATION_SECRET" not in foreign
    assert foreign["HF_HOME"] == "/hub"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("OXLO_MODLES", "OXLO_MODELS"),
        ("OXLO_LLAMACPP_THREAD", "OXLO_LLAMACPP_THREADS"),
        ("oxlo_port", "OXLO_PORT"),
    ],
)
def test_misspelt_names(name: str, meant: str) -> None:
    """An unknown variable is reported with the closest setting."""
    assert misspelt({name: "1", "OXLO_PORT": "8000", "PATH": "/bin"}) == {name: meant}


def test_other_variables() -> None:
    """The operator's own variables, such as a provider's key, are not reported."""
    own = ("OXLO_API_KEY", "OXLO_BASE_URL", "OXLO_TEST_CACHE", "OXLO_COMPILE", "OXLO_HOMEPAGE")
    assert misspelt(dict.fromkeys(own, "1")) == {}
