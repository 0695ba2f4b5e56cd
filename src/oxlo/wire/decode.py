"""Decoding request bodies, and wording the errors about them."""

import re
import types
from collections.abc import Mapping
from typing import Any, Generic, TypeGuard, TypeVar

import msgspec
from msgspec import UnsetType

from oxlo.errors import BadRequest
from oxlo.wire.malformed import malformed
from oxlo.wire.options import is_plain, options

T = TypeVar("T", bound=msgspec.Struct)

_UNKNOWN_FIELD = "Object contains unknown field"
_MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `\$(.*)`)?")
_WHERE = re.compile(r" - at `\$(.*)`$")
_NAME = re.compile(r"[^A-Za-z0-9_.\-\[\]]")
_NULL = ", got `null`"
#: A field with a default that was sent as null.
_NULL_FIELD = re.compile(_NULL + r" - at `\$\.\w+`$")
_CHOICE = "Invalid enum value "
#: msgspec's notation for any value of an object in a path; list items have their index.
_EACH = "[...]"
_INDEX = re.compile(r"\[\d+\]")
_TOOL = '{"type": "function", "function": {"name": "...", "parameters": {...}}}'
#: Examples for fields that are often sent in a wrong shape.
_EXAMPLES = {
    "messages": '[{"role": "user", "content": "Hello"}]',
    "messages[]": '{"role": "user", "content": "Hello"}',
    "messages[].role": '{"role": "user", "content": "Hello"}',
    "messages[].content[]": '{"type": "text", "text": "Hello"}',
    "messages[].content[].type": '{"type": "text", "text": "Hello"}',
    "messages[].content[].image_url": '{"url": "https://..."}',
    "response_format": '{"type": "json_object"}',
    "response_format.json_schema": '{"name": "...", "schema": {...}}',
    "stream_options": '{"include_usage": true}',
    "logit_bias": '{"1234": -100}',
    "tools": f"[{_TOOL}]",
    "tools[]": _TOOL,
    "tools[].type": _TOOL,
    "tools[].function": _TOOL,
}
#: msgspec's names of types, in JSON's terms.
_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
_TYPE = re.compile(r"\b(?:str|int|float|bool)\b")
#: A number or a boolean that was sent as a string, and a reminder of how JSON writes them.
_QUOTED = re.compile(r"expected (integer|number|boolean)(?: or null)?, got string")
_UNQUOTED = {"boolean": "true and false are", "integer": "Numbers are", "number": "Numbers are"}
#: Limit on unknown fields named in a response header.
_NAMED = 16


class Decoder(Generic[T]):
    """Decodes one endpoint's body: strictly at first, and again leniently if it has more fields.

    The strict pass costs nothing extra and is all that a usual request needs.
    """

    def __init__(
        self,
        kind: type[T],
        refused: Mapping[str, str] | None = None,
        *,
        elsewhere: Mapping[str, str] | None = None,
        needed: Mapping[str, str] | None = None,
        form: bool = False,
    ) -> None:
        """`refused` are unsupported fields that must not be ignored: name to reason.

        For errors about a missing required field, `elsewhere` explains fields of other endpoints,
        and `needed` says how to send required ones. The values of a `form` are strings, whatever
        their type.
        """
        self._strict = msgspec.json.Decoder(_refusing_unknown(kind), strict=not form)
        self._lenient = msgspec.json.Decoder(kind, strict=not form)
        self._all = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._refused = refused or {}
        self._elsewhere = elsewhere or {}
        self._needed = needed or {}
        self._form = form
        self._known = frozenset(kind.__struct_encode_fields__)

    def decode(self, body: bytes) -> tuple[T, tuple[str, ...]]:
        """The request, and the names of unknown fields. Raises BadRequest."""
        check_text(body)
        try:
            return self._strict.decode(body), ()
        except msgspec.ValidationError as error:
            if _NULL_FIELD.search(str(error)):
                return self.decode(self._without_nulls(body))
            if not str(error).startswith(_UNKNOWN_FIELD):
                wrong = refused(error, self._strict.type, form=self._form)
                raise self._explained(body, wrong) from None
        except msgspec.DecodeError as error:
            raise malformed(body, error) from None
        except RecursionError:
            raise too_deep() from None
        return self._decode_leniently(body)

    def _without_nulls(self, body: bytes) -> bytes:
        """The body without fields that are null, which mean absent."""
        try:
            fields = self._all.decode(body)
        except msgspec.DecodeError as broken:  # further on than where the null was met
            raise malformed(body, broken) from None
        except RecursionError:
            raise too_deep() from None
        return msgspec.json.encode({name: raw for name, raw in fields.items() if sent(raw)})

    def _decode_leniently(self, body: bytes) -> tuple[T, tuple[str, ...]]:
        """Decode again, because the strict pass stops at the first unknown field."""
        try:
            request = self._lenient.decode(body)
        except msgspec.ValidationError as error:
            if _NULL_FIELD.search(str(error)):
                return self._decode_leniently(self._without_nulls(body))
            wrong = refused(error, self._lenient.type, form=self._form)
            raise self._explained(body, wrong) from None
        except msgspec.DecodeError as error:
            raise malformed(body, error) from None
        except RecursionError:
            raise too_deep() from None
        return request, self._unknown(body)

    def _explained(self, body: bytes, error: BadRequest) -> BadRequest:
        """The error, or a better one if a required field is missing or called something else."""
        param = error.param or ""
        if error.error_code != "missing_required_parameter" or param not in self._known:
            return error
        try:
            named = [name for name in self._all.decode(body) if name in self._elsewhere]
        except msgspec.DecodeError as broken:  # further on than where the field was missed
            return malformed(body, broken)
        except RecursionError:
            return too_deep()
        why = self._elsewhere[named[0]] if named else self._needed.get(param)
        return required(param, why) if why else error

    def _unknown(self, body: bytes) -> tuple[str, ...]:
        """Names of unknown fields, safe for a header."""
        unknown = [item for item in self._all.decode(body).items() if item[0] not in self._known]
        for name, value in unknown:
            if name in self._refused and sent(value):
                raise unsupported(name, self._refused[name])
        return tuple(_NAME.sub("?", name)[:64] for name, _ in unknown[:_NAMED])


def _refusing_unknown(kind: type[T]) -> type[T]:
    """The type, but refusing unknown fields."""
    strict: type[T] = types.new_class(kind.__name__, (kind,), {"forbid_unknown_fields": True})
    return strict


def sent(raw: msgspec.Raw | UnsetType) -> TypeGuard[msgspec.Raw]:
    """Whether an undecoded field was sent; null means absent."""
    return isinstance(raw, msgspec.Raw) and bytes(raw) != b"null"


def check_text(body: bytes) -> None:
    """Refuse invalid UTF-8, also in parts that are forwarded undecoded."""
    if body.isascii():
        return
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"The body is not valid UTF-8 (byte {error.start}).", code="invalid_utf8"
        ) from None


def too_deep(param: str | None = None) -> BadRequest:
    """The error for JSON that is nested too deeply."""
    return BadRequest(
        f"{param or 'The body'} is nested too deeply. Send flatter JSON.",
        param=param,
        code="too_deep",
    )


def refused(
    error: msgspec.ValidationError, kind: Any, prefix: str = "", *, form: bool = False
) -> BadRequest:
    """The error for a wrong type or value in `kind`: names the field and what it takes."""
    text = str(error)
    missing = _MISSING.match(text)
    if missing:
        return required(_param(prefix, f"{missing[2] or ''}.{missing[1]}"))
    where = _WHERE.search(text)
    path = where[1] if where else ""
    param = _param(prefix, path)
    text = _WHERE.sub("", text)
    if path and not path.endswith("]") and text.endswith(_NULL):
        return required(param)  # null is the same as nothing
    reason = _reason(text, kind, path)
    if not param:
        return BadRequest(f"The body must be a JSON object: {reason}")
    like = "" if is_plain(kind, path) else _example(param)
    return invalid(param, f"{_in_form(reason) if form else _in_json(reason)}{like}")


def _in_json(reason: str) -> str:
    """The reason, and how JSON writes the expected type, if a string was sent instead."""
    quoted = _QUOTED.match(reason)
    return f"{reason} {_UNQUOTED[quoted[1]]} written without quotes." if quoted else reason


def _in_form(reason: str) -> str:
    """The reason in a form's terms: a field that comes twice was read as a list."""
    several = reason.removesuffix("got array.")
    return reason if several == reason else f"{several}got several. Send the field once."


def _reason(text: str, kind: Any, path: str) -> str:
    """msgspec's message in JSON's terms; for a choice, with the allowed values."""
    choices = options(kind, path) if text.startswith(_CHOICE) else ()
    if choices:
        one_of = "one of " if len(choices) > 1 else ""
        return f"expected {one_of}{', '.join(choices)}, got {text.removeprefix(_CHOICE)[:80]}."
    plain = _TYPE.sub(lambda found: _TYPES[found[0]], text.replace("`", "").replace(" | ", " or "))
    if path.endswith(_EACH):
        plain = plain.replace(", got", " for each value, got")
    return f"{plain[0].lower()}{plain[1:]}."


def _param(prefix: str, path: str) -> str:
    """The field's path without `$.`; for values of an object, the object's."""
    return (prefix + path.removesuffix(_EACH).replace(_EACH, "[]")).lstrip(".")


def _example(param: str) -> str:
    """An example, for fields that are often sent in a wrong shape."""
    like = _EXAMPLES.get(_INDEX.sub("[]", param))
    return f" For example: {like}" if like else ""


def required(param: str, why: str = "") -> BadRequest:
    """The error for a missing field; `why` is an additional sentence."""
    words = f"You must provide '{param}'.{_example(param)} {why}".rstrip()
    return BadRequest(words, param=param, code="missing_required_parameter")


def invalid(param: str, message: str) -> BadRequest:
    """The error for an invalid value of the right type."""
    return BadRequest(f"Invalid value for '{param}': {message}", param=param, code="invalid_value")


def unsupported(param: str, why: str) -> BadRequest:
    """The error for a field of OpenAI's that is not supported."""
    return BadRequest(
        f"'{param}' is not supported: {why}", param=param, code="unsupported_parameter"
    )
