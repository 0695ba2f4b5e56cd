"""Explaining invalid JSON: where it is invalid and, for common mistakes, why."""

import codecs
import re
from typing import Final

import msgspec

from oxlo.errors import BadRequest

_PLACE: Final = re.compile(r" \(byte (\d+)\)$")
#: A lone surrogate in JSON's notation: `\ud83d` without its other half.
_HALF: Final = re.compile(
    rb"(?<!\\)(?:\\\\)*(\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
#: The parser's messages about one.
_HALVED: Final = ("surrogate", "hex escape", "truncated")
#: Common mistakes, and what to write instead.
_SLIPS: Final = (
    (re.compile(rb"[-+]?(NaN|nan|Infinity|inf)\b"), "JSON has neither NaN nor Infinity."),
    (re.compile(rb"True|False|None|undefined"), "JSON writes true, false and null."),
    (
        re.compile(rb"'|\xe2\x80[\x98-\x9f]"),
        'Names and texts are written in plain double quotes: ".',
    ),
    (re.compile(rb"[\n\r\t]"), r"Inside a text, line ends are written \n and tabs \t."),
    (re.compile(rb"//|/\*|#"), "JSON has no comments."),
    (re.compile(rb"[A-Za-z_][\w.\[\]%]*="), "This looks like a form: send JSON."),
)


def malformed(body: bytes, error: msgspec.DecodeError) -> BadRequest:
    """The error for a body that is empty or not JSON."""
    return BadRequest(_words(body, str(error)), code="bad_json")


def _words(body: bytes, text: str) -> str:
    if not body.strip():
        return "The body is empty. Send a JSON object."
    if body.startswith(codecs.BOM_UTF8):
        return (
            "The body begins with a byte order mark (EF BB BF), which JSON has not. "
            "Encode it as UTF-8 without one."
        )
    half = _HALF.search(body) if any(word in text for word in _HALVED) else None
    if half is not None:
        return (
            f"The body holds half of a character, {half[1].decode()} (byte {half.start(1)}): "
            "a text was cut inside an emoji, or the like. Cut it between characters."
        )
    return f"We could not parse the JSON body of your request: {_reason(body, text)}"


def _reason(body: bytes, text: str) -> str:
    place = _PLACE.search(text)
    if place is None:
        return "it ends too early, before everything that was opened is closed."
    at = int(place[1])
    reason = text.removeprefix("JSON is malformed: ")
    slip = next((words for start, words in _SLIPS if start.match(body, at)), "")
    return f"{reason}, near {_near(body, at)}. {slip}".rstrip()


def _near(body: bytes, at: int) -> str:
    """An excerpt of the body around a position, on one line."""
    piece = body[max(at - 16, 0) : at + 16].decode(errors="ignore")
    return "".join(c if c.isprintable() else " " for c in piece)
