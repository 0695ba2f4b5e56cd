"""`/openapi.json`, and the same for people: `/docs/api-reference`."""

import json
from typing import Any

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import NotFound
from oxlo.portal import readiness
from oxlo.portal.highlighting import colour
from oxlo.portal.manual.naming import Names, renamed, stand_ins
from oxlo.portal.manual.pages import sidebar
from oxlo.portal.openapi.document import document, problems
from oxlo.portal.openapi.operations import OPERATIONS, Operation
from oxlo.portal.site import Site

Json = dict[str, Any]
_SIXTY_FOUR = 1 << 63
#: What the examples have where an address has a gap.
_IN_PATHS = {"model": "smollm2-135m", "id": "req_..."}


def described(site: Site) -> Json:
    """The document, made once."""
    if "openapi" not in site.kept:
        site.kept["openapi"] = document(site.settings.base_url, lambda slug: _page(site, slug))
    return dict(site.kept["openapi"])


def _page(site: Site, slug: str) -> str:
    try:
        return site.manual.library.text(site.manual.entry(slug))
    except NotFound:
        return ""


async def raw(request: Request) -> Response:
    """The document."""
    headers = {"cache-control": "public, max-age=300", "access-control-allow-origin": "*"}
    body = msgspec.json.encode(described(Site.of(request)))
    return Response(body, headers=headers, media_type="application/json")


async def reference(request: Request) -> Response:
    """Every operation on one page."""
    site = Site.of(request)
    contents = [(op.id, f"{op.method.upper()} {op.path}") for op in OPERATIONS]
    context = sidebar(site, "api-reference", [*contents, ("errors", "Errors")]) | {
        "operations": _listed(site, _names(site)),
        "errors": problems(),
    }
    return site.pages.respond(request, "reference.html", context)


def _names(site: Site) -> Names:
    ready = readiness.read(site.settings.replicas_file)
    return stand_ins("api-reference", site.catalogue, ready)


def _listed(site: Site, names: Names) -> list[Json]:
    """What is shown of each operation: made once, and again when other models are ready."""
    kept, listed = site.kept.get("reference", (None, []))
    if kept != names:
        whole = described(site)
        listed = [_shown(site, whole, op, names) for op in OPERATIONS]
        site.kept["reference"] = names, listed
    return list(listed)


def _shown(site: Site, whole: Json, op: Operation, names: Names) -> Json:
    said = whole["paths"][op.path][op.method]
    reply = said["responses"]["200"]["content"].get("application/json", {}).get("example")
    return {
        "op": op,
        "fields": _fields(whole, op) if op.body else [],
        "curl": colour(renamed(_curl(site.settings.base_url, op), names), "bash"),
        "reply": None if reply is None else colour(_pretty(reply), "json"),
    }


def _pretty(value: Any) -> str:
    """JSON in lines; long lists and texts are cut."""
    return json.dumps(_cut(value), indent=2, ensure_ascii=False)


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cut(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_cut(one) for one in value[:3]] + (["\u2026"] if len(value) > 3 else [])
    if isinstance(value, str) and len(value) > 120:
        return f"{value[:80]}\u2026"
    return value


def _curl(base: str, op: Operation) -> str:
    path = op.path.format(**_IN_PATHS)
    lines = [f"curl {base}{path}", '-H "Authorization: Bearer $OXLO_API_KEY"']
    if op.form == "only":
        fields = op.example or {}
        lines += ["-F file=@speech.mp3"]
        lines += [f"-F {name}={value}" for name, value in fields.items() if name != "file"]
    elif op.example is not None:
        body = json.dumps(_cut(op.example))
        lines += ['-H "Content-Type: application/json"', f"-d '{body}'"]
    if op.reply is bytes:
        lines += ["--fail-with-body -o speech.mp3"]
    return " \\\n  ".join(lines)


def _fields(whole: Json, op: Operation) -> list[tuple[str, str, bool, str, str, Markup]]:
    """Name, type, whether it is required, range, default and meaning of each field."""
    schema = whole["components"]["schemas"][op.body.__name__]
    required = schema.get("required", [])
    return [
        (
            name,
            kind(field),
            name in required,
            span(field),
            default(field),
            _coded(field.get("description", "")),
        )
        for name, field in schema["properties"].items()
    ]


def _coded(text: str) -> Markup:
    """A description, where what stands between backticks is code."""
    parts = text.split("`")
    shown = [
        Markup("<code>{}</code>").format(one) if place % 2 else one
        for place, one in enumerate(parts)
    ]
    return Markup("").join(shown)


def kind(field: Json) -> str:
    """The type of a field in a word or two."""
    if "$ref" in field:
        return str(field["$ref"].rsplit("/", 1)[1])
    if "anyOf" in field:
        return " or ".join(k for one in field["anyOf"] if (k := kind(one)) != "null")
    named = field.get("type", "string" if "enum" in field else "any")
    named = next((one for one in named if one != "null"), "") if isinstance(named, list) else named
    if named == "array":
        return f"array of {kind(field.get('items', {}))}"
    return str(named)


def default(field: Json) -> str:
    """A default as it would be sent."""
    value = field.get("default")
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return "" if value is None else json.dumps(value).strip('"')


def span(field: Json) -> str:
    """What values a field takes."""
    options = field.get("enum") or next(
        (one["enum"] for one in field.get("anyOf", []) if "enum" in one), None
    )
    if options:
        return ", ".join(map(str, options))
    low, high = field.get("minimum"), field.get("maximum")
    if low is None and high is None:
        return ""
    if low == -_SIXTY_FOUR:
        return "any of 64 bits"
    return f"{low} to {high}" if high is not None else f"from {low}"
