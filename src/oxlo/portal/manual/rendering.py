"""From Markdown to a page: links that lead to pages, code with colours, tables that fit a phone."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from oxlo.portal.highlighting import colour

#: (link) -> where it leads from this page; None: nowhere, its words alone are shown.
Resolve = Callable[[str], str | None]

#: What comes before the same program in several languages, up to another comment.
_PROGRAMS = "<!-- programs:"
#: Blocks that the library does not render.
_OURS = ("fence", "code_block", "html_block")
_BUTTON = '<button type="button" class="copy" hidden>Copy</button>'
#: Keys are those of the snippets elsewhere, so that one choice holds for all.
_LANGUAGES = {
    "python": ("python", "Python"),
    "javascript": ("node", "Node"),
    "bash": ("curl", "curl"),
}
_markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
#: Pages of the site that the documentation names as code, because its files are read elsewhere too.
SITE = frozenset(
    {"/models", "/pricing", "/status", "/openapi.json", "/llms.txt", "/dashboard/api-keys"}
)
_WORDS = re.compile(r"[^\w\- ]")


class Section(NamedTuple):
    """One part of a page, for the search."""

    heading: str
    anchor: str
    text: str
    #: 1 for the page's title, 2 for its parts.
    level: int = 2


class Rendered(NamedTuple):
    """A page."""

    html: Markup
    sections: list[Section]
    #: The first paragraph, as plain text.
    summary: str


def render(text: str, resolve: Resolve) -> Rendered:
    """The page of a Markdown text."""
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
    """HTML piece by piece; code blocks are ours, all else is the library's."""
    parts: list[str] = []
    plain: list[Token] = []
    programs: list[Token] = []
    grouping = False
    for token in tokens:
        if token.type not in _OURS:
            plain.append(token)
            continue
        parts.append(_plainly(plain))
        plain = []
        if token.type == "html_block":
            parts.append(_snippet(programs, len(parts)) if programs else _shown(token))
            grouping, programs = token.content.startswith(_PROGRAMS), []
        elif grouping:
            programs.append(token)
        else:
            parts.append(_code(token))
    return [*parts, _plainly(plain)]


def _shown(token: Token) -> str:
    """Markup in a page is text, and a comment is nothing."""
    text = token.content.strip()
    comment = text.startswith("<!--") and text.endswith("-->")
    return "" if comment else f"<p>{escape(text)}</p>"


def _plainly(tokens: Sequence[Token]) -> str:
    return str(_markdown.renderer.render(tokens, _markdown.options, {}))


def _code(token: Token) -> str:
    language = (token.info or "text").split()[0]
    html = colour(token.content.rstrip("\n"), language)
    return (
        f'<div class="code"><pre tabindex="0" aria-label="{escape(language)}"><code>{html}</code>'
        f"</pre>{_BUTTON}</div>"
    )


def _snippet(programs: Sequence[Token], number: int) -> str:
    """The same program in several languages, as `components.html` has it."""
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
        f"{colour(program.content.rstrip(chr(10)), program.info)}</code></pre></div>"
        for program, (_, label) in zip(programs, named, strict=True)
    )
    return (
        f'<div class="snippet" role="group" aria-label="Language">{inputs}'
        f'<div class="langs">{labels}</div>{_BUTTON}<div class="panels">{panels}</div></div>'
    )


def _anchor(tokens: Sequence[Token]) -> None:
    """Give headings the ids that links to them use, and a link to themselves."""
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
    """A heading's id, as code hosts make it."""
    return _WORDS.sub("", heading.lower()).replace(" ", "-")


def _label_tables(tokens: Sequence[Token]) -> None:
    """Say in each cell which column it is in: on a phone rows are lists."""
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
    """A column without a name has no head, but an empty cell above it."""
    opening.attrSet("role", "columnheader" if named else "cell")
    if not named:
        opening.tag = closing.tag = "td"
        opening.attrJoin("class", "unnamed")


def _align(token: Token) -> None:
    """Alignment by class: the security policy takes no style."""
    if token.attrs.pop("style", "") == "text-align:right":
        token.attrJoin("class", "num")


def _plain(text: str) -> str:
    return text.replace("`", "").replace("*", "")


def _relink(children: Sequence[Token], resolve: Resolve) -> None:
    """Let links lead to pages; where there is no page, the words remain."""
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
            token.type = "text"  # which is escaped
        elif token.type == "image":
            token.attrSet("src", resolve(str(token.attrGet("src") or "")) or "")


def _linked(children: Sequence[Token]) -> list[Token]:
    """The same, where code that names a page of the site leads there."""
    made: list[Token] = []
    inside = 0
    for token in children:
        inside += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type == "code_inline" and token.content in SITE and not inside:
            opening = Token("link_open", "a", 1)
            opening.attrSet("href", token.content)
            made += [opening, token, Token("link_close", "a", -1)]
        else:
            made.append(token)
    return made


def _drop(token: Token) -> None:
    token.type, token.tag, token.content, token.nesting, token.attrs = "text", "", "", 0, {}


def _sections(tokens: Sequence[Token]) -> list[Section]:
    """The page cut at its headings, as plain text."""
    found: list[tuple[str, str, int, list[str]]] = [("", "", 0, [])]
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            inline = tokens[place + 1]
            level = int(token.tag.removeprefix("h"))
            found.append((_plain(inline.content), str(token.attrGet("id")), level, []))
        elif token.type == "inline" and tokens[place - 1].type != "heading_open":
            found[-1][3].append("".join(child.content for child in token.children or ()))
        elif token.type == "fence":
            found[-1][3].append(token.content)
    return [
        Section(head, to, " ".join(texts), level)
        for head, to, level, texts in found
        if head or texts
    ]


def _first_sentence(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:157].rsplit(' ', 1)[0]}\u2026"
