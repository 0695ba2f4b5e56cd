"""Checks of the documentation against the code."""

import ast
import importlib.util
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
import typer

from oxlo import errors
from oxlo.catalogue import Parameter, load
from oxlo.catalogue.abilities import shared
from oxlo.catalogue.parameters import parameters
from oxlo.cli import app
from oxlo.settings import Settings
from oxlo.snippets import CATEGORIES
from oxlo.wire import chat, completions
from oxlo.wire.detection import DetectRequest
from oxlo.wire.embeddings import EmbeddingRequest
from oxlo.wire.shapes.chat import ChatFields
from oxlo.wire.shapes.completions import CompletionFields
from oxlo.wire.speech import SpeechRequest
from oxlo.wire.transcription import TranscriptionRequest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`[^`\n]+`")
#: Parsers of snippets by language.
_PARSERS = {
    "json": json.loads,
    "toml": tomllib.loads,
    "python": lambda text: compile(text, "snippet", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT),
}
#: Variables that are not settings: the tests' own, and those of examples.
_OTHER_VARIABLES = {"OXLO_TEST_CACHE", "OXLO_API_KEY", "OXLO_BASE_URL"}

#: Weights of the models that come with the package.
_BINARY = {".gguf", ".safetensors", ".pyc", ".so"}

Decode = Callable[[bytes], tuple[object, tuple[str, ...]]]

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@cache
def text(page: Path) -> str:
    return page.read_text()


def prose(page: Path) -> str:
    return _FENCE.sub("", text(page))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub generates them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows(page: Path, first: str) -> Iterator[list[str]]:
    """Return the cells of the table whose first heading is `first`, without backticks."""
    inside = False
    for line in text(page).splitlines():
        cells = [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        if inside and line.startswith("|") and not line.startswith("|---"):
            yield cells
        inside = line.startswith("|") and (inside or cells[0] == first)


@each_page
def test_links(page: Path) -> None:
    """Every internal link resolves, including its anchor."""
    for link in _LINK.findall(_CODE.sub("", prose(page))):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each_page
def test_snippets(page: Path) -> None:
    """Every JSON, TOML and Python snippet parses."""
    for language, snippet in _FENCE.findall(text(page)):
        parse = _PARSERS.get(language)
        if parse is not None:
            parse(snippet)


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_proxies_are_shown_as_they_are(name: str) -> None:
    """The page of operations has the site's file, but for the two lines that explain it."""
    _, _, site = (ROOT / "deploy" / name).read_text().split("\n", 2)
    assert f"\n{site}```" in text(DOCS / "operations.md")


def variables(text: str) -> set[str]:
    return set(re.findall(r"\bOXLO_[A-Z_]*[A-Z]\b", text)) - _OTHER_VARIABLES


SETTINGS = {f"OXLO_{setting.name.upper()}" for setting in fields(Settings)}


@each_page
def test_variables(page: Path) -> None:
    """Every variable on a page is read by the program."""
    assert variables(text(page)) <= SETTINGS


def test_variables_elsewhere() -> None:
    """So is every variable of the files for deployment, of pages and of messages."""
    files = [*(ROOT / "deploy").rglob("*"), *(ROOT / "src" / "oxlo").rglob("*"), ROOT / "Makefile"]
    named = {
        variable: file.relative_to(ROOT)
        for file in files
        if file.suffix not in _BINARY and file.is_file()
        for variable in variables(file.read_text())
    }
    assert {name: file for name, file in named.items() if name not in SETTINGS} == {}


@each_page
def test_commands(page: Path) -> None:
    """Every `oxlo ...` on a page is a command."""
    command = typer.main.get_command(app)
    shown = re.findall(r"(?:^|`|\$ |\n|bin/|\()oxlo ([a-z]+(?: [a-z-]+)?)", text(page))
    for words in shown:
        assert is_command(command, words.split()), words


def is_command(command: object, words: list[str]) -> bool:
    """Whether the words are a command; those without subcommands accept any further words."""
    commands = getattr(command, "commands", None)
    if commands is None or not words:
        return True
    return words[0] in commands and is_command(commands[words[0]], words[1:])


def loaded(name: str) -> ModuleType:
    """Load a script of the repository as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("settings_doc", "configuration.md"),
        ("models_doc", "models.md"),
        ("parameters_doc", "api/parameters.md"),
    ],
)
def test_tables_are_fresh(name: str, target: str) -> None:
    """Generated tables are up to date."""
    script, page = loaded(name), DOCS / target
    assert script.page(text(page)) == text(page), f"run: python scripts/{name}.py"
    assert page == script.PAGE


@pytest.mark.parametrize("category", CATEGORIES)
def test_programs_are_fresh(category: str) -> None:
    """Each program is on a page, as it runs in the tests against real models."""
    script = loaded("snippets_doc")
    mark = f"<!-- programs: {category} "
    (page,) = (page for page in script.FOLDER.glob("*.md") if mark in text(page))
    assert script.page(text(page)) == text(page), "run: python scripts/snippets_doc.py"


def test_alerts_have_their_rows() -> None:
    """Each alert is documented with its checks and remedies, and no others are."""
    rules = (ROOT / "deploy" / "alerts.yml").read_text()
    told = [row[0].strip("`") for row in rows(DOCS / "observability.md", "alert")]
    assert told == re.findall(r"- alert: (\w+)", rules)


def test_events_have_their_rows() -> None:
    """Every log event is in the table of events."""
    said = re.compile(r"""log\.(?:info|warning|error|exception)\(\s*"([a-z_]+\.[a-z_]+)\"""")
    source = "".join(path.read_text() for path in (ROOT / "src" / "oxlo").rglob("*.py"))
    assert set(said.findall(source)) <= set(
        re.findall(r"`([a-z_.]+)`", text(DOCS / "observability.md"))
    )


def tree() -> set[tuple[str, str, str]]:
    """Return code, status and type of each error class."""
    kinds = [k for k in vars(errors).values() if isinstance(k, type)]
    found = [k for k in kinds if issubclass(k, errors.ApiError) and k is not errors.ApiError]
    return {(kind.code, str(kind.status), kind.type) for kind in found}


def test_error_tree() -> None:
    """docs/errors.md lists exactly the error classes, with status and type."""
    listed = [tuple(row[:3]) for row in rows(DOCS / "errors.md", "code") if row[1].isdigit()]
    assert set(listed) == tree()
    assert len(listed) == len(set(listed))


def test_exact_codes() -> None:
    """It also lists the codes that the source sets on individual errors."""
    sources = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    given = set(re.findall(r"\bcode=\"(\w+)\"", sources))
    given |= set(re.findall(r"^_UNSUPPORTED = \"(\w+)\"", sources, re.MULTILINE))
    codes = {code for code, _, _ in tree()}
    refined = [row for row in rows(DOCS / "errors.md", "code") if not row[1].isdigit()]
    assert {row[0] for row in refined} == given - codes
    assert {row[1] for row in refined} <= codes


@pytest.mark.parametrize(
    ("page", "model", "request_type"),
    [
        ("chat.md", "smollm2-135m", ChatFields),
        ("completions.md", "smollm2-135m", CompletionFields),
        ("detection.md", "yolov11", DetectRequest),
        ("embeddings.md", "minilm-l6", EmbeddingRequest),
        ("speech.md", "kokoro-82m", SpeechRequest),
        ("transcription.md", "whisper-base", TranscriptionRequest),
    ],
)
def test_parameters(page: str, model: str, request_type: type[msgspec.Struct]) -> None:
    """Each request field has a row with the catalogue's range and default."""
    listed = {
        row[0].removesuffix("[]"): (row[2], row[3])
        for row in rows(DOCS / "api" / page, "parameter")
    }
    refused = {row[0] for row in rows(DOCS / "api" / page, "refused")}
    assert set(listed) <= set(request_type.__struct_fields__) <= listed.keys() | refused
    for name, parameter in parameters(load().resolve(model)).items():
        number = parameter.type in ("float", "int")
        if name in listed and number and (page, name) not in _OWN_RANGES:
            assert listed[name] == (span(name, parameter), shown(parameter.default)), name


@pytest.mark.parametrize(
    ("page", "body", "decode"),
    [
        ("chat.md", {"model": "m", "messages": [{"role": "user", "content": "x"}]}, chat.decode),
        ("completions.md", {"model": "m", "prompt": "x"}, completions.decode),
    ],
)
def test_refused_parameters(page: str, body: dict[str, object], decode: Decode) -> None:
    """Fields that are documented as refused are refused."""
    listed = [row[0].split()[0] for row in rows(DOCS / "api" / page, "refused")]
    assert listed
    for name in listed:
        with pytest.raises(errors.BadRequest) as caught:
            decode(json.dumps(body | {name: ["audio"] if name == "modalities" else "x"}).encode())
        assert caught.value.error_code == "unsupported_parameter"
        assert caught.value.param == name


def test_parameters_of_images() -> None:
    """The page of images has all of the catalogue's parameters for images."""
    for name in shared({"images", "image_edits"}):
        assert f"`{name}`" in text(DOCS / "api" / "images.md"), name


#: Exceptions: seeds have a wider range than published, `logprobs` of completions differs from that
#: of chats, and dimensions depend on the model.
_OWN_RANGES = {
    ("chat.md", "seed"),
    ("completions.md", "seed"),
    ("completions.md", "logprobs"),
    ("embeddings.md", "dimensions"),
}


def span(name: str, parameter: Parameter) -> str:
    """Format a range as on the pages; length limits have no maximum, as they are lowered."""
    if name in ("max_tokens", "max_completion_tokens"):
        return f"from {parameter.min:g}"
    return f"{parameter.min:g} to {parameter.max:g}"


def shown(default: object) -> str:
    return f"{default:g}" if isinstance(default, int | float) else ""


def test_complaints_have_their_tests() -> None:
    """Every test that is referenced as a regression test exists."""
    named = set(re.findall(r"`(test_\w+)`", (DOCS / "complaints.md").read_text()))
    sources = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = {name for text in sources for name in re.findall(r"def (test_\w+)", text)}
    assert named
    assert named <= there
