"""Chooses where a gateway keeps counts and idempotent responses: locally, or in Valkey."""

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from oxlo.gateway.idempotency.answers import Answers, FileAnswers
from oxlo.gateway.lookup import Lookup
from oxlo.ledger.base import Ledger
from oxlo.ledger.memory import MemoryLedger
from oxlo.settings import Settings, SettingsError

if TYPE_CHECKING:
    from oxlo.ledger.slots import SharedSlots
    from oxlo.valkey.address import Address

#: Timeout in seconds for Valkey to transfer a response of several megabytes.
_ANSWER_SECONDS: Final = 5.0


def ledger(
    settings: Settings, loop: asyncio.AbstractEventLoop, name: str, lookup: Lookup
) -> tuple[Ledger, "SharedSlots | None"]:
    """The ledger of gateway `name`, and the engine slots it shares with other gateways.

    Raises SettingsError if Valkey's address is invalid or its client is not installed.
    """
    if not settings.valkey_address:
        return MemoryLedger(), None
    address = _address(settings)
    from oxlo.ledger.shared import SharedLedger
    from oxlo.ledger.slots import SharedSlots

    known_as = _known_as(settings, name)
    shared = SharedLedger(
        address,
        loop,
        known_as,
        count=lookup.counted,
        when_down=settings.limits_when_store_is_down,
        timeout=settings.valkey_timeout,
    )
    slots = SharedSlots(shared.client, loop, settings.site, known_as)
    shared.slots = slots
    return shared, slots


def answers(settings: Settings, loop: asyncio.AbstractEventLoop, name: str) -> Answers:
    """The idempotency store of gateway `name`. Raises SettingsError."""
    hours, mb = settings.idempotency_hours, settings.idempotency_mb
    if not settings.valkey_address:
        return FileAnswers(settings.idempotency_dir, loop, hours=hours, mb=mb)
    address = _address(settings)
    from oxlo.gateway.idempotency.valkey_answers import ValkeyAnswers

    timeout = max(_ANSWER_SECONDS, settings.valkey_timeout)
    known_as = _known_as(settings, name)
    return ValkeyAnswers(address, loop, known_as, hours=hours, mb=mb, timeout=timeout)


def _known_as(settings: Settings, name: str) -> str:
    """A name that is unique across hosts."""
    return f"{name}.{settings.site}"


def _address(settings: Settings) -> "Address":
    """Valkey's address. Raises SettingsError."""
    if find_spec("hiredis") is None:
        raise SettingsError("OXLO_VALKEY_URL needs hiredis: pip install 'oxlo[valkey]'")
    from oxlo.valkey.address import Address, AddressError

    try:
        return Address.parse(settings.valkey_address)
    except AddressError as error:
        raise SettingsError(str(error)) from None
