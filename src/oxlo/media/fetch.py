"""Fetching clients' URLs without server-side request forgery.

Each address is checked when the socket is created, so that a name cannot resolve to one address for
the check and to another for the connection. Redirects are followed manually and checked again.
"""

import asyncio
import socket
from typing import IO

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.typedefs import LooseHeaders
from yarl import URL

from oxlo import __version__
from oxlo.errors import BadRequest
from oxlo.media.addresses import LONGEST_URL, NotAllowed, Policy
from oxlo.media.files import Files
from oxlo.wire.decode import invalid
from oxlo.wire.media import File, Medium

MAX_REDIRECTS = 5
_NOT_VALID = "it is not a valid URL"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PIECE = 1 << 16
_HEADERS: LooseHeaders = {
    "accept": "image/*, audio/*, */*;q=0.1",
    "accept-encoding": "identity",
    "user-agent": f"oxlo/{__version__}",
}


class _Failed(Exception):
    """The fetch failed; the message says why."""


class Allowance:
    """The limit on bytes fetched for one request, over all its URLs."""

    def __init__(self, megabytes: int) -> None:
        self._megabytes = megabytes
        self._left = megabytes << 20

    def take(self, size: int) -> None:
        """Consume some bytes. Raises _Failed if the limit is exceeded."""
        self._left -= size
        if self._left < 0:
            raise _Failed(f"a call may fetch {self._megabytes} MB, and this is more")


class Fetcher:
    """Fetches URLs that a policy allows."""

    def __init__(
        self, policy: Policy, seconds: float, resolver: AbstractResolver | None = None
    ) -> None:
        """`seconds` is the timeout for one URL, including redirects."""
        self._policy = policy
        self._seconds = seconds
        self._resolver = resolver

    async def fetch(self, medium: Medium, files: Files, allowance: Allowance) -> File:
        """Fetch a URL to a file. Raises BadRequest."""
        with files.create() as file:
            try:
                async with asyncio.timeout(self._seconds):
                    url = await self._follow(medium.source, file, allowance)
            except TimeoutError:
                raise _unfetched(medium, f"it took longer than {self._seconds:g} s") from None
            except (_Failed, aiohttp.ClientError, OSError) as error:
                raise _unfetched(medium, _why(error)) from None
            size = file.tell()
        return File(path=file.name, size=size, type="", name=url.name[-200:])

    async def _follow(self, source: str, file: IO[bytes], allowance: Allowance) -> URL:
        """Follow redirects and write the final response; returns its URL."""
        url = _parsed(source)
        for _ in range(MAX_REDIRECTS + 1):
            self._policy.check_url(url)
            location = await self._hop(url, file, allowance)
            if not location:
                return url
            url = url.join(_parsed(location))
        raise _Failed(f"it redirects more than {MAX_REDIRECTS} times")

    async def _hop(self, url: URL, file: IO[bytes], allowance: Allowance) -> str:
        """Send one request; returns the redirect's target, or ""."""
        refused: list[NotAllowed] = []
        try:
            async with self._session(url, refused) as session:
                asking = session.get(url, headers=_HEADERS, allow_redirects=False)
                async with asking as reply:
                    return await _answered(reply, file, allowance)
        except aiohttp.ClientConnectorError:
            if refused:  # every address was refused
                raise refused[0] from None
            raise

    def _session(self, url: URL, refused: list[NotAllowed]) -> aiohttp.ClientSession:
        def checked(address: aiohttp.AddrInfoType) -> socket.socket:
            family, kind, protocol, _, where = address
            try:
                self._policy.check(url.host or "", url.port or 0, str(where[0]))
            except NotAllowed as error:
                refused.append(error)
                raise
            return socket.socket(family, kind, protocol)

        connector = aiohttp.TCPConnector(
            resolver=self._resolver, socket_factory=checked, use_dns_cache=False, force_close=True
        )
        return aiohttp.ClientSession(
            connector=connector,
            connector_owner=True,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )


async def _answered(reply: aiohttp.ClientResponse, file: IO[bytes], allowance: Allowance) -> str:
    """The redirect's target; otherwise "", with the body written to `file`."""
    location = reply.headers.get("location", "")
    if reply.status in _REDIRECTS and location:
        return location
    if reply.status != 200:
        raise _Failed(f"its server answered {reply.status}")
    async for piece in reply.content.iter_chunked(_PIECE):
        allowance.take(len(piece))
        file.write(piece)
    return ""


def _parsed(source: str) -> URL:
    """Parse a URL unchanged, so that signatures stay valid, but escape invalid characters."""
    if len(source) > LONGEST_URL:
        raise _Failed(f"a URL has at most {LONGEST_URL} characters")
    clean = source.isascii() and source.isprintable() and " " not in source
    try:
        url = URL(source, encoded=clean)
        _ = url.port  # validated on access
    except ValueError:
        raise _Failed(_NOT_VALID) from None
    return url


def _why(error: Exception) -> str:
    """The error as told to the client, without details of our network."""
    if isinstance(error, NotAllowed | _Failed):
        return str(error)
    if isinstance(error, aiohttp.InvalidURL):
        return _NOT_VALID
    return "its server cannot be reached, or speaks no HTTP"


def _unfetched(medium: Medium, why: str) -> BadRequest:
    return invalid(
        medium.param, f"the URL cannot be fetched: {why}. Send the file itself as a data URI."
    )
