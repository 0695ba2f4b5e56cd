"""`/openapi.json`, and `/docs/api-reference` for people."""

import json
from typing import Any

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import NotFound
from oxlo.portal import readiness
from oxlo.portal.highlighting import highlight_code
from oxlo.portal.manual.naming import Names, replace_models, replacements
from oxlo.portal.manual.pages import sidebar
from oxlo.portal.openapi.document import document, problems
from oxlo.portal.openapi.operations import OPERATIONS, Operation
from oxlo.portal.site import Site

Json = dict[str, Any]
_INT64_LIMIT = 1 << 63
#: Values of path parameters in examples.
_PATH_EXAMPLES = {"model": "smollm2-135m", "id": "req_..."}


def described(site: Site) -> Json:
    """The OpenAPI document, built once."""
    if "openapi" not in site.cache:
        site.cache["openapi"] = document(site.settings.base_url, lambda slug: _page(site, slug))
    return dict(site.cache["openapi"])


def _page(site: Site, slug: str) -> str:
    try:
        return site.manual.library.text(site.manual.entry(slug))
    except NotFound:
        return ""


async def raw(request: Request) -> Response:
    """`/openapi.json`."""
    headers = {"cache-control": "public, max-age=300", "access-control-allow-origin": "*"}
    body = msgspec.json.encode(described(Site.of(request)))
    return Response(body, headers=headers, media_type="application/json")


async def reference(request: Request) -> Response:
    """`/docs/api-reference`: every operation on one page."""
    site = Site.of(request)
    contents = [(op.id, f"{op.method.upper()} {op.path}") for op in OPERATIONS]
    context = sidebar(site, "api-reference", [*contents, ("errors", "Errors")]) | {
        "operations": _listed(site, _names(site)),
        "errors": problems(),
    }
    return site.pages.respond(request, "reference.html", context)


def _names(site: Site) -> Names:
    ready = readiness.read(site.settings.replicas_file)
    return replacements("api-reference", site.catalogue, ready)


def _listed(site: Site, names: Names) -> list[Json]:
    """Template context of each operation, cached until other models are ready."""
    cached, listed = site.cache.get("reference", (None, []))
    if cached != names:
        spec = described(site)
        listed = [_shown(site, spec, op, names) for op in OPERATIONS]
        site.cache["reference"] = names, listed
    return list(listed)


def _shown(site: Site, spec: Json, op: Operation, names: Names) -> Json:
    operation = spec["paths"][op.path][op.method]
    reply = operation["responses"]["200"]["content"].get("application/json", {}).get("example")
    return {
        "op": op,
        "fields": _fields(spec, op) if op.body else [],
        "curl": highlight_code(replace_models(_curl(site.settings.base_url, op), names), "bash"),
        "reply": None if reply is None else highlight_code(_pretty(reply), "json"),
    }


def _pretty(value: Any) -> str:
    """Indented JSON with long lists and strings shortened."""
    return json.dumps(_shortened(value), indent=2, ensure_ascii=False)


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shortened(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_shortened(one) for one in value[:3]] + (["\u2026"] if len(value) > 3 else [])
    if isinstance(value, str) and len(value) > 120:
        return f"{value[:80]}\u2026"
    return value


def _curl(base: str, op: Operation) -> str:
    path = op.path.format(**_PATH_EXAMPLES)
    lines = [f"curl {base}{path}", '-H "Authorization: Bearer $OXLO_API_KEY"']
    if op.form == "only":
        fields = op.example or {}
        lines += ["-F file=@speech.mp3"]
        lines += [f"-F {name}={value}" for name, value in fields.items() if name != "file"]
    elif op.example is not None:
        body = json.dumps(_shortened(op.example))
        lines += ['-H "Content-Type: application/json"', f"-d '{body}'"]
    if op.reply is bytes:
        lines += ["--fail-with-body -o speech.mp3"]
    return " \\\n  ".join(lines)


def _fields(spec: Json, op: Operation) -> list[tuple[str, str, bool, str, str, Markup]]:
    """Name, type, required flag, range, default and description of each field."""
    schema = spec["components"]["schemas"][op.body.__name__]
    required = schema.get("required", [])
    return [
        (
            name,
            kind(field),
            name in required,
            span(field),
            default(field),
            _with_code(field.get("description", "")),
        )
        for name, field in schema["properties"].items()
    ]


def _with_code(text: str) -> Markup:
    """A description with backticks rendered as code."""
    parts = text.split("`")
    shown = [
        Markup("<code>{}</code>").format(one) if place % 2 else one
        for place, one in enumerate(parts)
    ]
    return Markup("").join(shown)


def kind(field: Json) -> str:
    """Type of a field as text."""
    if "$ref" in field:
        return str(field["$ref"].rsplit("/", 1)[1])
    if "anyOf" in field:
        return " or ".join(k for one in field["anyOf"] if (k := kind(one)) != "null")
    type_name = field.get("type", "string" if "enum" in field else "any")
    type_name = (
        next((one for one in type_name if one != "null"), "")
        if isinstance(type_name, list)
        else type_name
    )
    if type_name == "array":
        return f"array of {kind(field.get('items', {}))}"
    return str(type_name)


def default(field: Json) -> str:
    """A field's default as JSON."""
    value = field.get("default")
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return "" if value is None else json.dumps(value).strip('"')


def span(field: Json) -> str:
    """Range or choices of a field as text."""
    options = field.get("enum") or next(
        (one["enum"] for one in field.get("anyOf", []) if "enum" in one), None
    )
    if options:
        return ", ".join(map(str, options))
    low, high = field.get("minimum"), field.get("maximum")
    if low is None and high is None:
        return ""
    if low == -_INT64_LIMIT:
        return "any of 64 bits"
    return f"{low} to {high}" if high is not None else f"from {low}"
