"""Error messages for invalid API keys, which explain the likely mistake."""

import re
from typing import Final

from oxlo.errors import InvalidApiKey
from oxlo.plans import apikey

_SHAPE: Final = f"Keys here are '{apikey.PREFIX}' and {apikey.LENGTH - len(apikey.PREFIX)} more"
_MAKE: Final = f"{_SHAPE} characters; make one at /dashboard/api-keys."
#: Sent by programs whose environment variable is not set.
_UNSET: Final = frozenset({"undefined", "null", "none", "nil"})
#: A variable that was not expanded: `$KEY`, `${KEY}`, `%KEY%`, `{{ key }}`.
_VARIABLE: Final = re.compile(r"\$\w+|\$?\{.*\}|%\w+%")
#: Key prefixes of other providers: OpenAI, Anthropic, OpenRouter; Groq; Fireworks; Google; Hugging
#: Face.
_OTHERS: Final = re.compile(r"sk-|gsk_|fw_|AIza|hf_")


def refusal(key: str) -> InvalidApiKey:
    """The 401 error for an invalid key, with enough of the key to recognise it."""
    shown = _shown(key)
    if key.startswith(apikey.PREFIX) and len(key) == apikey.LENGTH:
        return InvalidApiKey(f"Incorrect API key: {shown}. It may be mistyped, revoked or expired.")
    return InvalidApiKey(f"Incorrect API key: {shown}. {_guess(key)}{_MAKE}")


def _guess(key: str) -> str:
    """A sentence that explains the likely mistake; "" if there is no clue."""
    if key.lower() in _UNSET:
        return "The variable that your program reads it from is not set. "
    if _VARIABLE.fullmatch(key):
        return "Your program sent the variable's name instead of its value. "
    if _OTHERS.match(key):
        return "It looks like a key of another provider. "
    if key[:6].lower() == "basic ":
        return "Send it as 'Authorization: Bearer sk_...', not as Basic. "
    if key.startswith(apikey.PREFIX):
        return f"It has {len(key)} characters: part of it is missing, or something was added. "
    return ""


def _shown(key: str) -> str:
    """The key's first and last characters; all of it if it is a placeholder (short, no digits)."""
    secret = len(key) >= 16 or any(c.isdigit() for c in key)
    if secret and len(key) < 16:
        return "(too short)"
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in key)
    return f"{plain[:7]}...{plain[-4:]}" if secret else plain
