"""Who is calling: from the head of a request to a `Caller`, usually without leaving the process.

Looked-up keys are kept with the number of the change they were read at. After any change to
accounts or keys the next use of each asks again; if control cannot be reached, the old answer
stands, so a dead database does not stop callers that are known.
"""

import time
from collections.abc import Callable, Mapping

from oxlo.errors import ApiError, Forbidden, InvalidApiKey, Overloaded
from oxlo.gateway.lookup import Lookup
from oxlo.plans import apikey
from oxlo.plans.caller import Caller

#: Genuine but unknown keys (revoked, expired) that are remembered.
UNKNOWN_LIMIT = 10_000
KNOWN_LIMIT = 100_000

Found = Callable[[Caller | ApiError], None]


def presented_key(headers: Mapping[bytes, bytes]) -> str:
    """The key in a request's head, as pasted: quotes, spaces and a second `Bearer` are forgiven.

    Raises InvalidApiKey when there is none.
    """
    value = headers.get(b"authorization") or headers.get(b"x-api-key") or b""
    text = value.decode("latin-1")
    if len(text) != len("Bearer ") + apikey.LENGTH or not text.startswith("Bearer sk_"):
        return _unwrapped(text)
    return text[len("Bearer ") :]


def _unwrapped(text: str) -> str:
    previous = None
    while text != previous:
        previous = text
        text = text.strip().strip("\"'").strip()
        if text[:6].lower() == "bearer":
            text = text[6:]
    if not text:
        raise InvalidApiKey("You sent no API key. Send it as 'Authorization: Bearer sk_...'.")
    return text


def refusal(key: str) -> InvalidApiKey:
    """The 401 for a key that is not valid, showing enough of it to recognise."""
    shown = f"{key[:7]}...{key[-4:]}" if len(key) >= 16 else "(too short)"
    shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in shown)
    return InvalidApiKey(f"Incorrect API key: {shown}. It may be mistyped, revoked or expired.")


class Keys:
    """The keys that this gateway has seen."""

    def __init__(self, lookup: Lookup, secret: bytes) -> None:
        self._lookup = lookup
        self._secret = secret
        self._known: dict[str, tuple[Caller, int]] = {}
        self._unknown: dict[str, int] = {}
        self._asking: dict[str, list[Found]] = {}
        self.change = 0

    def find(self, key: str, found: Found) -> Caller | None:
        """The caller if it is known and fresh; else None, and `found` is called later.

        Raises InvalidApiKey for keys that cannot be valid.
        """
        digest = apikey.digest(key)
        entry = self._known.get(digest)
        if entry is not None and entry[1] == self.change:
            return entry[0]
        if entry is None and self._is_bad(key, digest):
            raise refusal(key)
        self._ask(digest, key, found)
        return None

    def _is_bad(self, key: str, digest: str) -> bool:
        return self._unknown.get(digest) == self.change or not apikey.genuine(key, self._secret)

    def _ask(self, digest: str, key: str, found: Found) -> None:
        waiting = self._asking.setdefault(digest, [])
        waiting.append(found)
        if len(waiting) == 1:
            change = self.change
            self._lookup.key(digest, lambda answer: self._answered(digest, key, change, answer))

    def _answered(
        self, digest: str, key: str, change: int, answer: Caller | ApiError | None
    ) -> None:
        result = self._learn(digest, key, change, answer)
        for found in self._asking.pop(digest, []):
            found(result)

    def _learn(
        self, digest: str, key: str, change: int, answer: Caller | ApiError | None
    ) -> Caller | ApiError:
        if isinstance(answer, Caller):
            _bound(self._known, KNOWN_LIMIT)
            self._known[digest] = (answer, change)
            return answer
        if answer is None:
            self._known.pop(digest, None)
            _bound(self._unknown, UNKNOWN_LIMIT)
            self._unknown[digest] = change
            return refusal(key)
        entry = self._known.get(digest)
        return entry[0] if entry else Overloaded("Keys cannot be checked just now.", retry_after=2)

    def invalidate(self, change: int) -> None:
        """Something changed: ask again about each key at its next use."""
        self.change = change


def _bound(
    cache: dict[str, object] | dict[str, int] | dict[str, tuple[Caller, int]], limit: int
) -> None:
    """Drop the oldest entry of a full cache (dicts keep their order)."""
    if len(cache) >= limit:
        cache.pop(next(iter(cache)))


def check_scope(caller: Caller, endpoint: str, origin: bytes) -> None:
    """Whether the key may be used for this endpoint, from this origin, now. Raises ApiError."""
    if caller.expires_at and caller.expires_at < time.time():
        raise InvalidApiKey("This API key has expired. Create another one.")
    if caller.endpoints and endpoint not in caller.endpoints:
        allowed = ", ".join(sorted(caller.endpoints))
        raise Forbidden(f"This API key may not call {endpoint}; it may call {allowed}.")
    if caller.origins and origin and origin.decode("latin-1") not in caller.origins:
        raise Forbidden("This API key may not be used from this origin.", code="origin_denied")
