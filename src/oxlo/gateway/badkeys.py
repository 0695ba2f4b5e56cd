"""What to tell whoever sent something that is not a valid key: often one can see what it is."""

import re
from typing import Final

from oxlo.errors import InvalidApiKey
from oxlo.plans import apikey

_SHAPE: Final = f"Keys here are '{apikey.PREFIX}' and {apikey.LENGTH - len(apikey.PREFIX)} more"
_MAKE: Final = f"{_SHAPE} characters; make one at /dashboard/api-keys."
#: What programs send whose variable is not set.
_UNSET: Final = frozenset({"undefined", "null", "none", "nil"})
#: A shell's variable that nobody replaced: `$KEY`, `${KEY}`, `%KEY%`, `{{ key }}`.
_VARIABLE: Final = re.compile(r"\$\w+|\$?\{+.*\}+|%\w+%")
#: Keys of others begin so: OpenAI, Anthropic, OpenRouter; Groq; Fireworks; Google; Hugging Face.
_OTHERS: Final = re.compile(r"sk-|gsk_|fw_|AIza|hf_")


def refusal(key: str) -> InvalidApiKey:
    """The 401 for a key that is not valid, showing enough of it to recognise."""
    shown = _shown(key)
    if key.startswith(apikey.PREFIX) and len(key) == apikey.LENGTH:
        return InvalidApiKey(f"Incorrect API key: {shown}. It may be mistyped, revoked or expired.")
    return InvalidApiKey(f"Incorrect API key: {shown}. {_guess(key)}{_MAKE}")


def _guess(key: str) -> str:
    """A sentence about what was sent instead of a key; "" where it could be anything."""
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
    """Its ends; all of what is short and has no digit: a placeholder, and no secret."""
    secret = len(key) >= 16 or any(c.isdigit() for c in key)
    if secret and len(key) < 16:
        return "(too short)"
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in key)
    return f"{plain[:7]}...{plain[-4:]}" if secret else plain
