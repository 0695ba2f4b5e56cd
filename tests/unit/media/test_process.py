"""The media process does not keep the memory that pictures took."""

import base64
import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from tests.waiting import PATIENCE

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")

#: A media process that inspects a picture several times at once, and ends once it is small again.
SERVES = """
import asyncio, sys
from pathlib import Path

import httpx2
import msgspec

from oxlo.media import process
from oxlo.serving.memory import resident_mb
from oxlo.settings import Settings
from oxlo.wire.media import FOLDER, Inspect, Medium

home, picture = Path(sys.argv[1]), Path(sys.argv[2]).read_text()
asked = msgspec.json.encode(Inspect((Medium(source=picture, kind="image", param="image"),)))

async def inspect(client, number):
    folder = home / f"call-{number}"
    folder.mkdir()
    reply = await client.post("http://media/inspect", content=asked, headers={FOLDER: str(folder)})
    assert reply.status_code == 200, reply.text

async def until(condition):
    async with asyncio.timeout(float(sys.argv[3])):
        while not condition():
            await asyncio.sleep(0.01)

async def main():
    settings, stop = Settings(home=home), asyncio.Event()
    serving = asyncio.create_task(process.run(settings, stop, release_after=0.05))
    await until(settings.media_socket.exists)
    before = resident_mb()
    transport = httpx2.AsyncHTTPTransport(uds=str(settings.media_socket))
    async with httpx2.AsyncClient(transport=transport, timeout=60) as client:
        for first in (0, 3, 6):
            await asyncio.gather(*(inspect(client, first + n) for n in range(3)))
    await until(lambda: resident_mb() < before + 64)
    stop.set()
    await serving

asyncio.run(main())
"""


def test_memory_is_given_back(tmp_path: Path) -> None:
    """25 megapixels are 100 MB while they are decoded; without a release, hundreds stay."""
    file = io.BytesIO()
    Image.new("RGB", (5000, 5000), "navy").save(file, "PNG")
    uri = tmp_path / "uri"
    uri.write_text("data:image/png;base64," + base64.b64encode(file.getvalue()).decode())
    command = [sys.executable, "-c", SERVES, str(tmp_path / "home"), str(uri), str(PATIENCE)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
