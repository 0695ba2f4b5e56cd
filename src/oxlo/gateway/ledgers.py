"""Which ledger a gateway uses: its own memory, or the Valkey that it shares with others."""

import asyncio
from typing import TYPE_CHECKING

from oxlo.gateway.lookup import Lookup
from oxlo.ledger.base import Ledger
from oxlo.ledger.memory import MemoryLedger
from oxlo.settings import Settings, SettingsError

if TYPE_CHECKING:
    from oxlo.ledger.slots import SharedSlots


def ledger(
    settings: Settings, loop: asyncio.AbstractEventLoop, name: str, lookup: Lookup
) -> tuple[Ledger, "SharedSlots | None"]:
    """The ledger of gateway `name`, and the slots of engines that it shares with others.

    Raises SettingsError when Valkey's address is none, or what speaks to it is not installed.
    """
    if not settings.valkey_address:
        return MemoryLedger(), None
    try:
        from oxlo.ledger.shared import SharedLedger
        from oxlo.ledger.slots import SharedSlots
        from oxlo.valkey.address import Address, AddressError
    except ImportError as error:
        raise SettingsError(
            f"OXLO_VALKEY_URL needs {error.name}: pip install 'oxlo[valkey]'"
        ) from None
    try:
        address = Address.parse(settings.valkey_address)
    except AddressError as error:
        raise SettingsError(str(error)) from None
    known_as = f"{name}.{settings.site}"  # other hosts have gateways of the same names
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
