"""The dialect of our own engines (`serving`): OpenAI's, but they measure their input."""

import msgspec

from oxlo.engines.dialects.failures import UNREADABLE
from oxlo.engines.dialects.openai import OpenAI
from oxlo.engines.dialects.shapes.oxlo import Refused
from oxlo.errors import ApiError, BadRequest, ContextLengthExceeded, UnsupportedAbility

_decoder = msgspec.json.Decoder(Refused)
_KINDS = {kind.code: kind for kind in (ContextLengthExceeded, UnsupportedAbility)}
_NAMED = ("message", "type", "param", "code")


class Oxlo(OpenAI):
    """OpenAI's API; the plan's limits are sent along, and the engine enforces them."""

    name = "oxlo"
    measures = True
    watched = True

    def error(self, status: int, body: bytes) -> ApiError:
        """Keep our engine's own error: message, code, parameter and numbers."""
        refused = _refused(body) if status == BadRequest.status else None
        return refused or super().error(status, body)


def _refused(body: bytes) -> BadRequest | None:
    try:
        error = _decoder.decode(body).error
    except UNREADABLE:
        return None
    message, code, param = error.get("message"), error.get("code"), error.get("param")
    if not isinstance(message, str) or not isinstance(code, str):
        return None
    kind = _KINDS.get(code, BadRequest)
    extra = {name: value for name, value in error.items() if name not in _NAMED}
    return kind(message, param=param, code=code, **extra)
