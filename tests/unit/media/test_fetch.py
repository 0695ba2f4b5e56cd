"""Fetching by URL, from real servers on loopback that a setting allows."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from tests import connections
from tests.unit.media.conftest import read
from tests.waiting import PATIENCE

from oxlo.errors import BadRequest
from oxlo.media.addresses import Policy
from oxlo.media.fetch import MAX_REDIRECTS, Allowance, Fetcher
from oxlo.media.files import Files
from oxlo.testing.http import Connection, Reply, Request
from oxlo.wire.media import File, Medium

CONTENT = bytes(range(256)) * 1000
Answer = Callable[[Request, Reply], Awaitable[None]]


class Server:
    """Answers as each test wants it to."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[Request] = []
        self.answer: Answer = whole

    async def handle(self, request: Request, reply: Reply) -> None:
        self.requests.append(request)
        await self.answer(request, reply)

    def url(self, path: str = "/a.png", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


async def whole(request: Request, reply: Reply) -> None:
    await reply.whole(200, CONTENT, "image/png")


def redirect(*locations: str) -> Answer:
    """Each location in its turn; then the content."""
    left = list(locations)

    async def answer(request: Request, reply: Reply) -> None:
        if left:
            await reply.whole(302, b"", location=left.pop(0))
        else:
            await whole(request, reply)

    return answer


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    one = Server()
    listener = await asyncio.get_running_loop().create_server(
        lambda: Connection(one.handle), "127.0.0.1", 0
    )
    one.port = listener.sockets[0].getsockname()[1]
    yield one
    listener.close()
    await connections.close_all()


class Resolver(AbstractResolver):
    """Answers with one address after the other, as a name that is rebound does."""

    def __init__(self, *addresses: str | list[str]) -> None:
        self._addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self._addresses.pop(0)
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for address in ([found] if isinstance(found, str) else found)
        ]

    async def close(self) -> None:
        """Nothing is open."""


async def fetched(
    url: str,
    files: Files,
    *allowed: str,
    megabytes: int = 1,
    seconds: float = PATIENCE,
    resolver: AbstractResolver | None = None,
) -> File:
    fetcher = Fetcher(Policy(allowed), seconds, resolver)
    medium = Medium(source=url, kind="image", param="image")
    return await fetcher.fetch(medium, files, Allowance(megabytes))


async def refused(url: str, files: Files, *allowed: str, **options: Any) -> str:
    with pytest.raises(BadRequest) as caught:
        await fetched(url, files, *allowed, **options)
    assert caught.value.param == "image"
    return caught.value.message


async def test_content_becomes_a_file(server: Server, files: Files) -> None:
    """Its name is that of the URL; the request says nothing of ours."""
    file = await fetched(server.url("/x/a%20b.png?sig=%7E"), files, f"127.0.0.1:{server.port}")
    assert (file.name, file.size, read(file)) == ("a b.png", len(CONTENT), CONTENT)
    (request,) = server.requests
    assert request.path == "/x/a%20b.png?sig=%7E"
    assert set(request.headers) == {"host", "accept", "accept-encoding", "user-agent", "connection"}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f.1:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://127.1:{port}/",
        "http://0.0.0.0:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
    ],
)
async def test_loopback_in_every_spelling(server: Server, files: Files, url: str) -> None:
    """No spelling of it is connected to, though its port is allowed elsewhere."""
    said = await refused(url.format(port=server.port), files, f"elsewhere:{server.port}")
    assert "public addresses only" in said or "not a valid URL" in said
    assert "data URI" in said
    assert server.requests == []


async def test_a_redirect_is_checked_too(server: Server, files: Files) -> None:
    """The first hop is allowed by name; where it leads to is not."""
    server.answer = redirect(server.url())
    allowed, resolver = f"pictures.test:{server.port}", Resolver("127.0.0.1", "127.0.0.1")
    url = server.url(host="pictures.test")
    assert "public addresses" in await refused(url, files, allowed, resolver=resolver)
    assert len(server.requests) == 1
    assert server.requests[0].headers["host"] == f"pictures.test:{server.port}"


async def test_a_redirect_to_another_scheme(server: Server, files: Files) -> None:
    """A file of this machine is no place to go to."""
    server.answer = redirect("file:///etc/passwd")
    said = await refused(server.url(), files, f"127.0.0.1:{server.port}")
    assert "only http and https" in said


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://127.0.0.1/", "public addresses only"),
        ("//127.0.0.1/", "public addresses only"),
        ("http://[::ffff:127.0.0.1]/", "public addresses only"),
        ("http://[::1]/", "public addresses only"),
        ("http://169.254.169.254/latest/meta-data/", "public addresses only"),
        ("http://[::ffff:a9fe:a9fe]/latest/meta-data/", "public addresses only"),
        ("http://[fd00:ec2::254]/latest/meta-data/", "public addresses only"),
        ("http://10.0.0.1:{port}/", "public addresses only"),
        ("http://127.0.0.2:{port}/", "public addresses only"),
        ("http://93.184.216.34:{port}/", "public addresses only"),
        ("http://127.0.0.1:22/", "port 22"),
        ("http://127.0.0.1:0/", "port 0"),
        ("http://127.0.0.1:99999/", "not a valid URL"),
        ("http://me:secret@pictures.test:{port}/", "user name"),
        ("http://pictures.test:{port}@169.254.169.254/", "user name"),
        ("ftp://pictures.test/a.png", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("gopher://127.0.0.1:6379/_FLUSHALL", "only http and https"),
        ("data:image/png;base64,AAAA", "only http and https"),
    ],
)
async def test_no_redirect_leads_inside(
    server: Server, files: Files, location: str, why: str
) -> None:
    """A server that may be asked sends us nowhere that may not, nor to any odd port of it."""
    server.answer = redirect(location.format(port=server.port))
    url, allowed = server.url(host="pictures.test"), f"pictures.test:{server.port}"
    said = await refused(url, files, allowed, resolver=Resolver("127.0.0.1"))
    assert why in said
    assert len(server.requests) == 1


async def test_a_name_with_an_inner_address(server: Server, files: Files) -> None:
    """Of the addresses of one name only those that may be are tried."""
    url, allowed = server.url(host="two.test"), f"127.0.0.1:{server.port}"
    resolver = Resolver(["127.0.0.2", "169.254.169.254"])
    assert "public addresses" in await refused(url, files, allowed, resolver=resolver)
    assert server.requests == []
    await fetched(url, files, allowed, resolver=Resolver(["127.0.0.2", "127.0.0.1"]))
    assert len(server.requests) == 1


async def test_relative_redirects(server: Server, files: Files) -> None:
    """As many as are allowed, and what they lead to names the file."""
    server.answer = redirect(*["/next"] * (MAX_REDIRECTS - 1), "b.png")
    file = await fetched(server.url(), files, "127.0.0.1")
    assert (file.name, len(server.requests)) == ("b.png", MAX_REDIRECTS + 1)


async def test_endless_redirects(server: Server, files: Files) -> None:
    """One more than that is too many."""
    server.answer = redirect(*["/next"] * (MAX_REDIRECTS + 1))
    assert "redirects more than 5 times" in await refused(server.url(), files, "127.0.0.1")


async def test_rebinding(server: Server, files: Files) -> None:
    """A name that changes its address between two hops is checked at each connection."""
    server.answer = redirect(f"http://rebound.test:{server.port}/again")
    resolver = Resolver("127.0.0.1", "127.0.0.2")
    url = server.url(host="rebound.test")
    said = await refused(url, files, f"127.0.0.1:{server.port}", resolver=resolver)
    assert "public addresses" in said
    assert len(server.requests) == 1


async def endless(request: Request, reply: Reply) -> None:
    """Sends for as long as somebody listens, and never says how much."""
    await reply.start(200, "image/png")
    while True:
        await reply.chunk(CONTENT)


async def test_too_large(server: Server, files: Files) -> None:
    """No more is read than a call may fetch."""
    server.answer = endless
    assert "may fetch 1 MB" in await refused(server.url(), files, "127.0.0.1")


async def test_too_slow(server: Server, files: Files) -> None:
    """The time is for all of it, however steadily it drips."""

    async def drip(request: Request, reply: Reply) -> None:
        await reply.start(200, "image/png")
        await asyncio.get_running_loop().create_future()

    server.answer = drip
    said = await refused(server.url(), files, "127.0.0.1", seconds=0.05)
    assert "longer than 0.05 s" in said


async def not_found(request: Request, reply: Reply) -> None:
    await reply.whole(404, b"no")


async def garbage(request: Request, reply: Reply) -> None:
    await reply.raw(b"SSH-2.0-x\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "why"), [(not_found, "answered 404"), (garbage, "speaks no HTTP")]
)
async def test_no_picture(server: Server, files: Files, answer: Answer, why: str) -> None:
    """What went wrong is said, not what was there."""
    server.answer = answer
    assert why in await refused(server.url(), files, "127.0.0.1")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1\\@example.com/", "not a valid URL"),
        ("http://example.com:99999/", "not a valid URL"),
        ("http://example.com/" + "a" * 9000, "at most 8192"),
        ("http://nowhere.invalid/", "cannot be reached"),
    ],
)
async def test_bad_urls(files: Files, url: str, why: str) -> None:
    """Refused with the reason."""
    assert why in await refused(url, files)
