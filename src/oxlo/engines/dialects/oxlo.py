"""The dialect of our own engines (`serving`): OpenAI's, and they measure what they take."""

import msgspec

from oxlo.engines.dialects.failures import UNREADABLE
from oxlo.engines.dialects.openai import OpenAI
from oxlo.engines.dialects.shapes.oxlo import Refused
from oxlo.errors import ApiError, BadRequest, ContextLengthExceeded, UnsupportedAbility

_told = msgspec.json.Decoder(Refused)
_KINDS = {kind.code: kind for kind in (ContextLengthExceeded, UnsupportedAbility)}
_NAMED = ("message", "type", "param", "code")


class Oxlo(OpenAI):
    """OpenAI's words; the plan's caps travel along, and the engine keeps to them."""

    name = "oxlo"
    measures = True
    watched = True

    def error(self, status: int, body: bytes) -> ApiError:
        """What our engine refused, in its own words: code, parameter and numbers stay."""
        refused = _refused(body) if status == BadRequest.status else None
        return refused or super().error(status, body)


def _refused(body: bytes) -> BadRequest | None:
    try:
        error = _told.decode(body).error
    except UNREADABLE:
        return None
    message, code, param = error.get("message"), error.get("code"), error.get("param")
    if not isinstance(message, str) or not isinstance(code, str):
        return None
    kind = _KINDS.get(code, BadRequest)
    extra = {name: value for name, value in error.items() if name not in _NAMED}
    return kind(message, param=param, code=code, **extra)
