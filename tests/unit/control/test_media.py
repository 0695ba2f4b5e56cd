"""Stored images, over control's socket."""

import time
from dataclasses import replace
from urllib.parse import urlsplit

import httpx2
import pytest
from tests.unit.control.conftest import NOW

from oxlo.control import jobs
from oxlo.control.context import Control

PNG = b"\x89PNG and so on"


def link(control: Control, name: str, lasts: int = 60) -> str:
    return (
        urlsplit(control.signer.link(name, int(NOW) + lasts))
        ._replace(scheme="", netloc="")
        .geturl()
    )


async def test_a_link_gives_the_image(control: Control, public_client: httpx2.AsyncClient) -> None:
    """The response has a type, and may be cached while the link is valid."""
    name = control.objects.put(PNG, "png")
    reply = await public_client.get(link(control, name))
    assert (reply.status_code, reply.content) == (200, PNG)
    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["content-length"] == str(len(PNG))
    assert reply.headers["cache-control"] == "private, max-age=60, immutable"


@pytest.mark.parametrize("path", ["", "?expires=99999999999&signature=" + "0" * 64, "?expires=x"])
async def test_without_a_signature(
    control: Control, public_client: httpx2.AsyncClient, path: str
) -> None:
    """The name alone is not sufficient."""
    name = control.objects.put(PNG, "png")
    reply = await public_client.get(f"/media/{name}{path}")
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "link_expired")


async def test_an_expired_link(control: Control, public_client: httpx2.AsyncClient) -> None:
    """The error says so."""
    name = control.objects.put(PNG, "png")
    assert (await public_client.get(link(control, name, 0))).status_code == 403


async def test_what_was_deleted(control: Control, public_client: httpx2.AsyncClient) -> None:
    """A valid link to a deleted image is 404."""
    name = control.objects.put(PNG, "png")
    address = link(control, name)
    await control.objects.delete_before(4e9)
    assert (await public_client.get(address)).status_code == 404


@pytest.mark.parametrize(
    "path", ["/media", "/media/", "/media/images/x.png", "/media/..%2foxlo.db"]
)
async def test_there_is_no_list(public_client: httpx2.AsyncClient, path: str) -> None:
    """Nor can a path leave the folder; a slash at the end redirects to the path without it."""
    response = await public_client.get(path, follow_redirects=True)
    assert response.status_code in (403, 404)


async def test_images_are_kept_for_so_long(control: Control) -> None:
    """Images are deleted by the age of their files, as set in hours."""
    name = control.objects.put(PNG, "png")
    old = time.time() + 3_600 * control.settings.objects_hours
    assert await jobs.delete_old_objects(replace(control, trusted_clock=lambda: old - 60)) == 0
    assert await jobs.delete_old_objects(replace(control, trusted_clock=lambda: old + 60)) == 1
    assert await control.objects.get(name) is None
