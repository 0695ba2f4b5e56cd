"""From a request's bytes to its fields: one place that words what is wrong with them."""

import re
from typing import Generic, TypeVar

import msgspec

from oxlo.errors import BadRequest

T = TypeVar("T", bound=msgspec.Struct)

_UNKNOWN_FIELD = "Object contains unknown field"
_MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `\$(.*)`)?")
_WHERE = re.compile(r" - at `\$(.*)`$")
_NAME = re.compile(r"[^A-Za-z0-9_.\-]")
#: Unknown fields named in a reply, at most.
_NAMED = 16


class Decoder(Generic[T]):
    """Decodes one endpoint's body: strictly at first, and again leniently if it has more fields.

    The strict pass costs nothing extra and is all that a usual request needs.
    """

    def __init__(self, strict: type[T], lenient: type[T]) -> None:
        """`lenient` is `strict` without `forbid_unknown_fields`."""
        self._strict = msgspec.json.Decoder(strict)
        self._lenient = msgspec.json.Decoder(lenient)
        self._all = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._known = frozenset(strict.__struct_encode_fields__)

    def decode(self, body: bytes) -> tuple[T, tuple[str, ...]]:
        """The request and the names of fields that we do not know. Raises BadRequest."""
        check_text(body)
        try:
            return self._strict.decode(body), ()
        except msgspec.ValidationError as error:
            if not str(error).startswith(_UNKNOWN_FIELD):
                raise refused(error) from None
        except msgspec.DecodeError as error:
            raise malformed(error) from None
        return self._decode_leniently(body)

    def _decode_leniently(self, body: bytes) -> tuple[T, tuple[str, ...]]:
        try:
            request = self._lenient.decode(body)
        except msgspec.ValidationError as error:
            raise refused(error) from None
        unknown = [name for name in self._all.decode(body) if name not in self._known]
        return request, tuple(_NAME.sub("?", name)[:64] for name in unknown[:_NAMED])


def check_text(body: bytes) -> None:
    """Refuse what is not UTF-8 anywhere, also in parts that are passed on undecoded."""
    if body.isascii():
        return
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"The body is not valid UTF-8 (byte {error.start}).", code="invalid_utf8"
        ) from None


def malformed(error: msgspec.DecodeError) -> BadRequest:
    """The body is not JSON."""
    reason = str(error).removeprefix("JSON is malformed: ")
    return BadRequest(
        f"We could not parse the JSON body of your request: {reason}.", code="bad_json"
    )


def refused(error: msgspec.ValidationError, prefix: str = "") -> BadRequest:
    """A field has a wrong type or value: name it, and say what it takes."""
    text = str(error)
    missing = _MISSING.match(text)
    if missing:
        param = _param(prefix, (missing[2] or "") + "." + missing[1])
        return BadRequest(
            f"You must provide '{param}'.", param=param, code="missing_required_parameter"
        )
    where = _WHERE.search(text)
    param = _param(prefix, where[1] if where else "")
    reason = _WHERE.sub("", text).replace("`", "")
    if not param:
        return BadRequest(f"The body must be a JSON object: {reason}.")
    return BadRequest(
        f"Invalid value for '{param}': {reason[0].lower()}{reason[1:]}.",
        param=param,
        code="invalid_value",
    )


def _param(prefix: str, path: str) -> str:
    """`$.messages[...].role` as people write it."""
    return (prefix + path.replace("[...]", "[]")).lstrip(".")


def invalid(param: str, message: str) -> BadRequest:
    """A value that has the right type and is wrong all the same."""
    return BadRequest(f"Invalid value for '{param}': {message}", param=param, code="invalid_value")
