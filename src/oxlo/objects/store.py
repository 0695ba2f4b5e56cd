"""Storing files in a folder, or in a bucket of S3, Google or Azure."""

import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from oxlo.objects.errors import StorageError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

#: Media types by file extension.
TYPES: Final = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
_NAME = re.compile(rf"[0-9a-f]{{32}}\.({'|'.join(TYPES)})")
#: Matches the names of our own objects.
_PREFIX = "images"
#: Requests wait while their images are stored, so timeouts are short. Plain HTTP is used only if
#: the operator's endpoint says so.
_CLIENT: "ClientConfig" = {"connect_timeout": "5s", "timeout": "30s", "allow_http": True}
_RETRY: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}
_PIECE = 1 << 18
_DELETED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Found:
    """A stored file, read while it is sent."""

    type: str
    #: Size in bytes.
    size: int
    pieces: AsyncIterator[bytes]


class Objects:
    """Stored files, under random names."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def open(cls, location: str) -> "Objects":
        """The store at a URL (`s3://bucket/prefix`, `gs://`, `az://`) or in a local folder.

        Credentials come from the environment, as for the clouds' own tools. This does not connect
        yet. Raises CannotKeep.
        """
        try:
            if "://" in location:
                return cls(from_url(location, client_options=_CLIENT, retry_config=_RETRY))
            folder = Path(location).absolute()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(LocalStore(folder))
        except (BaseError, ValueError, OSError) as error:
            raise StorageError(f"OXLO_OBJECTS={location}: {_reason(error)}") from None

    def put(self, data: bytes, ending: str) -> str:
        """Store a file with an extension of `TYPES`; returns its name. Raises CannotKeep."""
        name = f"{secrets.token_hex(16)}.{ending}"
        try:
            obstore.put(self._store, _key(name), data)
        except (BaseError, OSError) as error:
            raise StorageError(_reason(error)) from error
        return name

    async def get(self, name: str) -> Found | None:
        """Open a file by name; None if it does not exist. Raises CannotKeep."""
        ours = _NAME.fullmatch(name)
        if ours is None:
            return None
        try:
            result = await obstore.get_async(self._store, _key(name))
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise StorageError(_reason(error)) from error
        return Found(TYPES[ours[1]], result.meta["size"], _pieces(result))

    async def delete_before(self, moment: float) -> int:
        """Delete files from before `moment`, unix seconds; returns how many. Raises CannotKeep."""
        before, deleted = datetime.fromtimestamp(moment, UTC), 0
        try:
            async for some in obstore.list(self._store, _PREFIX, chunk_size=_DELETED_AT_ONCE):
                old = [meta["path"] for meta in some if meta["last_modified"] < before]
                if old:
                    await obstore.delete_async(self._store, old)
                    deleted += len(old)
        except (BaseError, OSError) as error:
            raise StorageError(_reason(error)) from error
        return deleted


def _key(name: str) -> str:
    return f"{_PREFIX}/{name}"


async def _pieces(result: "obstore.GetResult") -> AsyncIterator[bytes]:
    async for piece in result.stream(_PIECE):
        yield bytes(piece)


def _reason(error: Exception) -> str:
    """The first line; the rest is the library's debugging output."""
    return str(error).split("\n", 1)[0]
