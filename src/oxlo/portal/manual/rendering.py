"""Renders Markdown: resolves links, highlights code, labels table cells for narrow screens."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from oxlo.portal.highlighting import highlight_code

#: (href) -> resolved URL; None: there is no target, only the text is shown.
Resolve = Callable[[str], str | None]

#: Comment before code blocks that show one program in several languages, up to the next comment.
_PROGRAMS = "<!-- programs:"
#: Token types that are rendered here instead of by the library.
_CUSTOM = ("fence", "code_block", "html_block")
_BUTTON = '<button type="button" class="copy" hidden>Copy</button>'
#: The same keys as in `oxlo.snippets`, so that one language choice applies to all.
_LANGUAGES = {
    "python": ("python", "Python"),
    "javascript": ("node", "Node"),
    "bash": ("curl", "curl"),
}
_markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
#: Paths that the documentation writes as code, since it is also read outside the site; linked here.
SITE = frozenset(
    {"/models", "/pricing", "/status", "/openapi.json", "/llms.txt", "/dashboard/api-keys"}
)
_NOT_IN_SLUG = re.compile(r"[^\w\- ]")


class Section(NamedTuple):
    """A section of a page, for the search."""

    heading: str
    anchor: str
    text: str
    #: Heading level: 1 for the title, 2 for sections.
    level: int = 2


class Rendered(NamedTuple):
    """A rendered page."""

    html: Markup
    sections: list[Section]
    #: The first paragraph, as plain text.
    summary: str


def render(text: str, resolve: Resolve) -> Rendered:
    """Render a Markdown page."""
    tokens = _markdown.parse(text)
    _anchor(tokens)
    _label_tables(tokens)
    for token in tokens:
        _relink(token.children or [], resolve)
        if token.children:
            token.children = _linked(token.children)
    sections = list(_sections(tokens))
    summary = next((s.text for s in sections if s.text), "")
    html = "".join(_blocks(tokens))
    return Rendered(Markup(html), sections, _first_sentence(summary))  # noqa: S704 -- escaped


def _blocks(tokens: Sequence[Token]) -> list[str]:
    """Render tokens to HTML; code blocks are rendered here, everything else by the library."""
    parts: list[str] = []
    plain: list[Token] = []
    programs: list[Token] = []
    grouping = False
    for token in tokens:
        if token.type not in _CUSTOM:
            plain.append(token)
            continue
        parts.append(_render_plain(plain))
        plain = []
        if token.type == "html_block":
            parts.append(_snippet(programs, len(parts)) if programs else _escaped(token))
            grouping, programs = token.content.startswith(_PROGRAMS), []
        elif grouping:
            programs.append(token)
        else:
            parts.append(_code(token))
    return [*parts, _render_plain(plain)]


def _escaped(token: Token) -> str:
    """Escape HTML in a page, and drop comments."""
    text = token.content.strip()
    comment = text.startswith("<!--") and text.endswith("-->")
    return "" if comment else f"<p>{escape(text)}</p>"


def _render_plain(tokens: Sequence[Token]) -> str:
    return str(_markdown.renderer.render(tokens, _markdown.options, {}))


def _code(token: Token) -> str:
    language = (token.info or "text").split()[0]
    html = highlight_code(token.content.rstrip("\n"), language)
    return (
        f'<div class="code"><pre tabindex="0" aria-label="{escape(language)}"><code>{html}</code>'
        f"</pre>{_BUTTON}</div>"
    )


def _snippet(programs: Sequence[Token], number: int) -> str:
    """One program in several languages, with the markup of `components.html`."""
    named = [_LANGUAGES.get(program.info, (program.info, program.info)) for program in programs]
    group = f"program-{number}"
    inputs = "".join(
        f'<input type="radio" name="{group}" id="{group}-{key}" value="{key}"'
        f"{' checked' if place == 0 else ''}>"
        for place, (key, _) in enumerate(named)
    )
    labels = "".join(f'<label for="{group}-{key}">{label}</label>' for key, label in named)
    panels = "".join(
        f'<div class="panel"><pre tabindex="0" aria-label="{label}"><code>'
        f"{highlight_code(program.content.rstrip(chr(10)), program.info)}</code></pre></div>"
        for program, (_, label) in zip(programs, named, strict=True)
    )
    return (
        f'<div class="snippet" role="group" aria-label="Language">{inputs}'
        f'<div class="langs">{labels}</div>{_BUTTON}<div class="panels">{panels}</div></div>'
    )


def _anchor(tokens: Sequence[Token]) -> None:
    """Give headings ids and links to themselves."""
    known: dict[str, int] = {}
    for place, token in enumerate(tokens):
        if token.type != "heading_open":
            continue
        inline = tokens[place + 1]
        slug = anchor(inline.content)
        known[slug] = known.get(slug, -1) + 1
        token.attrSet("id", f"{slug}-{known[slug]}" if known[slug] else slug)
        if token.tag != "h1" and inline.children is not None:
            inline.children += _self_link(str(token.attrGet("id")), inline.content)


def _self_link(target: str, title: str) -> list[Token]:
    opening = Token("link_open", "a", 1)
    opening.attrSet("class", "anchor")
    opening.attrSet("href", f"#{target}")
    opening.attrSet("aria-label", f"Link to: {title}")
    text = Token("text", "", 0)
    text.content = "#"
    return [opening, text, Token("link_close", "a", -1)]


def anchor(heading: str) -> str:
    """The id of a heading, by GitHub's rules."""
    return _NOT_IN_SLUG.sub("", heading.lower()).replace(" ", "-")


def _label_tables(tokens: Sequence[Token]) -> None:
    """Label each cell with its column, for narrow screens where rows become lists."""
    heads: list[str] = []
    column = 0
    for place, token in enumerate(tokens):
        if token.type == "table_open":
            heads = []
            token.attrSet("class", "rows")
            token.attrSet("role", "table")
        elif token.type in ("thead_open", "tbody_open"):
            token.attrSet("role", "rowgroup")
        elif token.type == "tr_open":
            column = 0
            token.attrSet("role", "row")
        elif token.type == "th_open":
            heads.append(tokens[place + 1].content)
            _align(token)
            _head(token, tokens[place + 2], named=bool(heads[-1]))
        elif token.type == "td_open":
            _align(token)
            token.attrSet("role", "cell")
            token.attrSet("data-label", _plain(heads[column]) if column < len(heads) else "")
            if column == 0:
                token.attrJoin("class", "lead-cell")
            column += 1


def _head(opening: Token, closing: Token, *, named: bool) -> None:
    """A column without a name gets an empty cell instead of a header."""
    opening.attrSet("role", "columnheader" if named else "cell")
    if not named:
        opening.tag = closing.tag = "td"
        opening.attrJoin("class", "unnamed")


def _align(token: Token) -> None:
    """Replace style attributes, which the CSP forbids, by a class."""
    if token.attrs.pop("style", "") == "text-align:right":
        token.attrJoin("class", "num")


def _plain(text: str) -> str:
    return text.replace("`", "").replace("*", "")


def _relink(children: Sequence[Token], resolve: Resolve) -> None:
    """Resolve links; a link without a target is reduced to its text."""
    dropping = False
    for token in children:
        if token.type == "link_open":
            target = resolve(str(token.attrGet("href") or ""))
            dropping = target is None
            if target is None:
                _drop(token)
            else:
                token.attrSet("href", target)
        elif token.type == "link_close" and dropping:
            _drop(token)
            dropping = False
        elif token.type == "html_inline":
            token.type = "text"  # escaped by the renderer
        elif token.type == "image":
            token.attrSet("src", resolve(str(token.attrGet("src") or "")) or "")


def _linked(children: Sequence[Token]) -> list[Token]:
    """Turn inline code that names a page of the site into a link."""
    linked: list[Token] = []
    inside = 0
    for token in children:
        inside += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type == "code_inline" and token.content in SITE and not inside:
            opening = Token("link_open", "a", 1)
            opening.attrSet("href", token.content)
            linked += [opening, token, Token("link_close", "a", -1)]
        else:
            linked.append(token)
    return linked


def _drop(token: Token) -> None:
    token.type, token.tag, token.content, token.nesting, token.attrs = "text", "", "", 0, {}


def _sections(tokens: Sequence[Token]) -> list[Section]:
    """Split the page at its headings, as plain text."""
    parts: list[tuple[str, str, int, list[str]]] = [("", "", 0, [])]
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            inline = tokens[place + 1]
            level = int(token.tag.removeprefix("h"))
            parts.append((_plain(inline.content), str(token.attrGet("id")), level, []))
        elif token.type == "inline" and tokens[place - 1].type != "heading_open":
            parts[-1][3].append("".join(child.content for child in token.children or ()))
        elif token.type == "fence":
            parts[-1][3].append(token.content)
    return [
        Section(head, anchor_id, " ".join(texts), level)
        for head, anchor_id, level, texts in parts
        if head or texts
    ]


def _first_sentence(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:157].rsplit(' ', 1)[0]}\u2026"
