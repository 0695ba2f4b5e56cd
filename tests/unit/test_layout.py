"""The shape of the source: who imports whom, who reads the environment, who catches everything."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "oxlo"
MODULES = sorted(SOURCE.rglob("*.py"))

#: Parts of the program, lowest first: each may import its own layer and those before it.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "paths", "settings", "telemetry", "values"})
    | {"catalogue", "hardware", "plans", "snippets", "wire"},
    frozenset({"valkey", "weights", "ledger", "queue", "fleet", "engines", "objects", "store"})
    | {"asgi", "serving"},
    frozenset({"billing"}),
    frozenset({"portal"}),
    frozenset({"gateway", "control", "media", "testing"}),
    frozenset({"cli"}),
)
#: Parts of one layer that stay apart all the same: they are different processes.
STRANGERS = frozenset({"gateway", "control", "media", "testing"})
#: What a gateway never loads unasked: it speaks no SQL, serves no pages, and runs without extras.
NOT_IN_GATEWAYS = (
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "jinja2",
    "oxlo.store",
    "oxlo.portal",
    "oxlo.control",
    "oxlo.media",
    "hiredis",
)
#: Loops that outlive any single failure, and may therefore catch everything.
TOP_LEVEL_LOOPS = {
    ("gateway/process.py", "_sweep"),
    ("gateway/gateway.py", "sweep"),
    ("gateway/http.py", "act"),
    ("valkey/wire.py", "_deliver"),
    ("control/jobs.py", "attempt"),
}
LONGEST = 600
#: In pieces, so that this file does not name them.
REGISTRIES = ("py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs.org")


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def part_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[str]:
    """Every absolute name that a module imports, those inside functions too."""
    package = ["oxlo", *path.relative_to(SOURCE).parent.parts]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def parts_imported(path: Path) -> Iterator[tuple[str, str]]:
    """Parts of ours that a module imports, each with the name as imported."""
    known = frozenset().union(*LAYERS)
    for name in imports(path):
        root, _, rest = name.partition(".")
        if root == "oxlo" and rest.partition(".")[0] in known:
            yield rest.partition(".")[0], name


def layer_of(part: str) -> int:
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


def may_import(part: str, other: str) -> bool:
    if {part, other} <= STRANGERS:
        return part == other
    return layer_of(other) <= layer_of(part)


def test_every_part_has_its_place() -> None:
    """A new part is put into the table before anything else."""
    parts = {part_of(path) for path in MODULES} - {"__init__", "__main__"}
    assert parts == frozenset().union(*LAYERS)


def test_imports_go_one_way() -> None:
    """No module imports a part above its own."""
    offences = [
        f"{name_of(path)} imports {name}"
        for path in MODULES
        if part_of(path) not in ("__init__", "__main__")
        for part, name in parts_imported(path)
        if not may_import(part_of(path), part)
    ]
    assert offences == []


def dotted(path: Path) -> str:
    parts = ("oxlo", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def module_imports() -> dict[str, set[str]]:
    """Each module of ours with those that it imports, for types alone and inside functions too."""
    modules = {dotted(path): path for path in MODULES}
    return {
        name: {
            found
            for imported in imports(path)
            if (found := imported if imported in modules else imported.rpartition(".")[0])
            in modules
        }
        - {name}
        for name, path in modules.items()
    }


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Names that lead back to the first of them; none where there is no such circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_import_goes_in_a_circle() -> None:
    """What two modules need of each other belongs below both, types included."""
    assert circle(module_imports()) == []


def test_no_part_goes_in_a_circle() -> None:
    """Nor do parts of one layer need each other."""
    parts = {part: set[str]() for part in frozenset().union(*LAYERS)}
    for path in MODULES:
        if part_of(path) in parts:
            parts[part_of(path)] |= {part for part, _ in parts_imported(path)} - {part_of(path)}
    assert circle(parts) == []


def test_a_circle_is_found() -> None:
    """The search itself."""
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})


@pytest.mark.parametrize(
    ("part", "other", "allowed"),
    [
        ("gateway", "ledger", True),
        ("engines", "fleet", True),
        ("engines", "gateway", False),
        ("plans", "store", False),
        ("gateway", "control", False),
        ("control", "testing", False),
        ("gateway", "media", False),
        ("control", "portal", True),
        ("portal", "control", False),
        ("cli", "control", True),
    ],
)
def test_the_table_says(part: str, other: str, allowed: bool) -> None:
    """The rule itself, on pairs that anybody can judge."""
    assert may_import(part, other) is allowed


def test_doubles_stay_in_tests() -> None:
    """Nothing that users run stands on a double."""
    offences = [
        f"{name_of(path)} imports {name}"
        for path in MODULES
        if part_of(path) != "testing"
        for part, name in parts_imported(path)
        if part == "testing"
    ]
    assert offences == []


def reads_environment(node: ast.AST) -> bool:
    names = ("environ", "environb", "getenv", "getenvb")
    if isinstance(node, ast.Attribute):
        return node.attr in names and isinstance(node.value, ast.Name) and node.value.id == "os"
    if isinstance(node, ast.ImportFrom):
        return node.module == "os" and any(alias.name in names for alias in node.names)
    return False


def test_one_reader_of_the_environment() -> None:
    """Settings are read once and passed down; children inherit the environment untouched."""
    readers = {
        name_of(path)
        for path in MODULES
        if any(reads_environment(node) for node in ast.walk(tree_of(path)))
    }
    assert readers == {"settings.py"}


def test_gateway_names_no_database() -> None:
    """No import of SQL or of a web framework is written anywhere in the gateway."""
    offences = [
        f"{name_of(path)} imports {name}"
        for path in MODULES
        if part_of(path) == "gateway"
        for name in imports(path)
        if any(f"{name}.".startswith(f"{banned}.") for banned in NOT_IN_GATEWAYS)
    ]
    assert offences == []


def test_gateway_loads_no_database() -> None:
    """Nor does any come in by way of something else, as the command line starts it."""
    program = (
        "import sys, oxlo.cli, oxlo.cli.gateway, oxlo.gateway.process\n"
        f"print(*[name for name in {NOT_IN_GATEWAYS} if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []


def catches_everything(node: ast.AST) -> bool:
    if not isinstance(node, ast.ExceptHandler):
        return False
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException"))
        for kind in kinds
    )


def broad_handlers(path: Path) -> Iterator[tuple[str, str]]:
    """Functions that catch everything, by module and name; "" for the module itself."""

    def walk(node: ast.AST, function: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            if catches_everything(child):
                yield function
            yield from walk(child, child.name if inside else function)

    yield from ((name_of(path), function) for function in walk(tree_of(path), ""))


def test_only_loops_catch_everything() -> None:
    """Elsewhere a broad except hides a bug."""
    found = {place for path in MODULES for place in broad_handlers(path)}
    assert found == TOP_LEVEL_LOOPS


def test_modules_are_short() -> None:
    """One noun to a module."""
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def compiled() -> list[str]:
    """The modules that `setup.py` compiles."""
    tree = ast.parse((ROOT / "setup.py").read_text())
    names = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HOT"
    )
    found: list[str] = list(ast.literal_eval(names))
    return found


def test_compiled_modules_are_there() -> None:
    """A module that was renamed would silently be compiled no more."""
    assert set(compiled()) <= {name_of(path) for path in MODULES}


@pytest.mark.parametrize("name", compiled())
def test_no_struct_is_compiled(name: str) -> None:
    """A Struct that is compiled loses its options (decision 5)."""
    classes = [node for node in ast.walk(tree_of(SOURCE / name)) if isinstance(node, ast.ClassDef)]
    assert not [c.name for c in classes if "Struct" in "".join(map(ast.unparse, c.bases))]


def tracked() -> list[Path]:
    command = ["git", "ls-files", "-z"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip("not a git checkout")
    return [path for name in run.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_no_registry_is_named() -> None:
    """Packages come from whatever registry pip and npm are configured for, mirrors included."""
    offences = [
        f"{path.relative_to(ROOT)} names {host}"
        for path in tracked()
        for host in REGISTRIES
        if host.encode() in path.read_bytes()
    ]
    assert offences == []


def events(path: Path) -> Iterator[str]:
    """What a module logs: the names that operators search for."""
    for node in ast.walk(tree_of(path)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "log"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value)


def test_events_are_nouns_and_verbs() -> None:
    """Each event in the logs has a name of two words, as the documentation promises."""
    named = re.compile(r"[a-z]+\.[a-z_]+")
    offences = [
        f"{name_of(path)}: {event}"
        for path in MODULES
        for event in events(path)
        if not named.fullmatch(event)
    ]
    assert offences == []
