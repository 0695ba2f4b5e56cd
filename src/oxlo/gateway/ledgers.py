"""Which ledger a gateway uses: its own memory, or the Valkey that it shares with others."""

import asyncio

from oxlo.gateway.lookup import Lookup
from oxlo.ledger.base import Ledger
from oxlo.ledger.memory import MemoryLedger
from oxlo.settings import Settings, SettingsError


def ledger(
    settings: Settings, loop: asyncio.AbstractEventLoop, name: str, lookup: Lookup
) -> Ledger:
    """The ledger of gateway `name`.

    Raises SettingsError when Valkey's address is none, or what speaks to it is not installed.
    """
    if not settings.valkey_address:
        return MemoryLedger()
    try:
        from oxlo.ledger.shared import SharedLedger
        from oxlo.valkey.address import Address, AddressError
    except ImportError as error:
        raise SettingsError(
            f"OXLO_VALKEY_URL needs {error.name}: pip install 'oxlo[valkey]'"
        ) from None
    try:
        address = Address.parse(settings.valkey_address)
    except AddressError as error:
        raise SettingsError(str(error)) from None
    return SharedLedger(
        address,
        loop,
        name,
        count=lookup.counted,
        when_down=settings.limits_when_store_is_down,
        timeout=settings.valkey_timeout,
    )
