"""Authentication: from a request's headers to a `Caller`, usually from the cache.

A key is cached until its account, or one of its account's keys, changes; it is then looked up again
at its next use. While control is unreachable the cached result stays valid, so that a database
outage does not affect known callers.
"""

import re
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import msgspec

from oxlo.errors import ApiError, Forbidden, InvalidApiKey, Overloaded
from oxlo.gateway.badkeys import refusal
from oxlo.gateway.history import History
from oxlo.gateway.lookup import Lookup
from oxlo.plans import apikey
from oxlo.plans.caller import Caller, Changes

#: Cached well-formed but invalid keys (revoked, expired).
UNKNOWN_LIMIT = 10_000
KNOWN_LIMIT = 100_000
PLAIN_LIMIT = 10_000

#: Maximum length of a header with a key, including text pasted along with it.
LONGEST: Final = 1024
_PLAIN_LENGTH: Final = len("Bearer ") + apikey.LENGTH
#: A complete key inside pasted text: `KEY=...`, brackets, typographic quotes, a `\n`.
_WITHIN: Final = re.compile(
    rf"(?<![\w-]){apikey.PREFIX}[\w-]{{{apikey.LENGTH - len(apikey.PREFIX)}}}(?![\w-])", re.ASCII
)

K = TypeVar("K", str, bytes)
Found = Callable[[Caller | ApiError], None]


def presented_key(headers: Mapping[bytes, bytes]) -> str:
    """The API key in a request's headers, tolerating text pasted around it.

    A header without a value counts as missing: clients send an empty `Bearer` when their key is
    in another header. Raises InvalidApiKey if there is no key.
    """
    value = headers.get(b"authorization", b"")
    if len(value) == _PLAIN_LENGTH and value.startswith(b"Bearer sk_"):
        return value[len("Bearer ") :].decode("latin-1")
    key = _unwrapped(value) or _unwrapped(_elsewhere(headers))
    if not key:
        raise InvalidApiKey("You sent no API key. Send it as 'Authorization: Bearer sk_...'.")
    return key


def _elsewhere(headers: Mapping[bytes, bytes]) -> bytes:
    """The key header used by clients of Anthropic and Azure."""
    return headers.get(b"x-api-key") or headers.get(b"api-key") or b""


def _unwrapped(value: bytes) -> str:
    """The key in a header's value; empty if it has none. Raises InvalidApiKey."""
    if len(value) > LONGEST:
        raise InvalidApiKey("The API key that you sent is far too long: a key has 46 characters.")
    text = value.decode("latin-1")
    within = _WITHIN.search(text)
    if within:
        return within[0]
    previous = None
    while text != previous:
        previous = text
        text = text.strip().strip("\"'").strip()
        if text[:6].lower() == "bearer":
            text = text[6:]
    return text


class Keys:
    """The cache of keys that this gateway has seen."""

    def __init__(self, lookup: Lookup, secret: bytes) -> None:
        self._lookup = lookup
        self._secret = secret
        #: Callers as last looked up; they may be outdated.
        self._known: dict[str, Caller] = {}
        self._history = History()
        #: Callers whose keys have no restrictions, by the raw header they sent.
        self._plain: dict[bytes, Caller] = {}
        self._unknown: set[str] = set()
        #: Who waits for look-ups, by digest and by the turn in which they were asked for.
        self._asking: dict[tuple[str, int], list[Found]] = {}
        #: Whether control has ever replied; before that, no key can be verified.
        self.reached = False

    @property
    def change(self) -> int:
        """Number of the last change that was applied."""
        return self._history.number

    def plain(self, headers: dict[bytes, bytes]) -> Caller | None:
        """The caller, if its header is cached and its key has no restrictions."""
        return self._plain.get(headers.get(b"authorization", b""))

    def known(self, key: str) -> Caller | None:
        """The caller, if looked up since its account's last change."""
        caller = self._known.get(apikey.digest(key))
        return caller if caller is not None and self._history.is_current(caller) else None

    def note(self, headers: Mapping[bytes, bytes], caller: Caller) -> None:
        """Cache a verified caller's header, if its key has no restrictions.

        Headers without a key are not cached: anyone who sent the same would be this caller.
        """
        head = headers.get(b"authorization", b"")
        plain = not (caller.expires_at or caller.endpoints or caller.origins)
        if plain and _unwrapped(head):
            _bound(self._plain, PLAIN_LIMIT)
            self._plain[head] = caller

    def ask(self, key: str, found: Found) -> None:
        """Verify a key with control; `found` is called once, later.

        Raises InvalidApiKey for keys that cannot be valid.
        """
        digest = apikey.digest(key)
        if digest not in self._known and self._is_bad(key, digest):
            raise refusal(key)
        self._ask(digest, key, found)

    def _is_bad(self, key: str, digest: str) -> bool:
        return digest in self._unknown or not apikey.genuine(key, self._secret)

    def _ask(self, digest: str, key: str, found: Found) -> None:
        # A look-up may have been answered before a change that was applied since it was asked for:
        # whoever comes after that change waits for another one.
        turn, change = self._history.turn, self.change
        waiting = self._asking.setdefault((digest, turn), [])
        waiting.append(found)
        if len(waiting) == 1:

            def answered(answer: Caller | ApiError | None) -> None:
                result = self._learn(digest, key, turn, _dated(answer, change))
                for each in self._asking.pop((digest, turn), []):
                    each(result)

            self._lookup.key(digest, answered)

    def _learn(
        self, digest: str, key: str, turn: int, answer: Caller | ApiError | None
    ) -> Caller | ApiError:
        if isinstance(answer, ApiError):  # control is unreachable: the previous result stays valid
            return self._known.get(digest) or Overloaded(
                "Keys cannot be checked right now.", retry_after=2
            )
        self.reached = True
        if answer is None:
            self._known.pop(digest, None)
            if turn == self._history.turn:  # otherwise the key may have been created meanwhile
                _bound(self._unknown, UNKNOWN_LIMIT)
                self._unknown.add(digest)
            return refusal(key)
        if self._history.holds(turn):
            self.remember(digest, answer)
        return answer

    def remember(self, digest: str, caller: Caller) -> None:
        """Cache control's reply."""
        if self._known.pop(digest, None) is not None:
            self._plain.clear()
        _bound(self._known, KNOWN_LIMIT)
        self._known[digest] = caller

    def follow(self, changed: Callable[[], object] | None = None) -> None:
        """Ask control for changes: changed accounts' keys are looked up again at their next use.

        `changed` is called if there were any.
        """
        turn = self._history.turn

        def heard(changes: Changes | None) -> None:
            if changes is not None and self._apply(changes, turn) and changed is not None:
                changed()

        self._lookup.changes(self.change, heard)

    def _apply(self, changes: Changes, turn: int) -> bool:
        self.reached = True
        if not self._history.hear(changes, turn):
            return False
        if not self._history.holds(turn):
            self._known.clear()
        self._plain.clear()
        self._unknown.clear()
        return True


def _dated(answer: Caller | ApiError | None, change: int) -> Caller | ApiError | None:
    """The answer to a look-up after a change; a control of an earlier version does not date it."""
    if isinstance(answer, Caller) and not answer.as_of:
        return msgspec.structs.replace(answer, as_of=change)
    return answer


def _bound(cache: dict[K, Caller] | set[str], limit: int) -> None:
    """Make room in a full cache."""
    if len(cache) < limit:
        return
    if isinstance(cache, dict):  # dicts are ordered: evict the oldest
        del cache[next(iter(cache))]
    else:
        cache.pop()


def check_scope(caller: Caller, endpoint: str, origin: bytes) -> None:
    """Check that the key permits this endpoint, from this origin, now. Raises ApiError."""
    if caller.expires_at and caller.expires_at < time.time():
        raise InvalidApiKey("This API key has expired. Create another one.")
    if caller.endpoints and endpoint not in caller.endpoints:
        allowed = ", ".join(sorted(caller.endpoints))
        raise Forbidden(f"This API key may not call {endpoint}; it may call {allowed}.")
    if caller.origins and origin and origin.decode("latin-1") not in caller.origins:
        raise Forbidden("This API key may not be used from this origin.", code="origin_denied")
