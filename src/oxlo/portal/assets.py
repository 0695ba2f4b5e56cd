"""Static files, kept in memory under names that change with what they hold."""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from oxlo.errors import NotFound

PATH = "/static/"
FOLDER = Path(__file__).with_name("static")
#: A year: another content has another name.
CACHE = "public, max-age=31536000, immutable"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
#: `from "./copy.js"` in a module of ours.
_IMPORT = re.compile(r"""(?<=["'])\./([\w.-]+\.js)(?=["'])""")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    #: Its public name: `site.3f2a9c1b.css`.
    name: str
    type: str
    body: bytes
    packed: bytes


class Assets:
    """The files of one folder, by the name they have there."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Read all of them. Raises KeyError where a module imports one that is not there."""
        self._sources = {
            path.name: path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.suffix in _TYPES
        }
        self._known: dict[str, Asset] = {}
        for name in self._sources:
            self._add(name)
        self._served: Mapping[str, Asset] = {asset.name: asset for asset in self._known.values()}

    def _add(self, name: str) -> Asset:
        if name not in self._known:
            body = self._linked(name)
            stem, suffix = Path(name).stem, Path(name).suffix
            digest = hashlib.sha256(body).hexdigest()[:10]
            packed = gzip.compress(body, 9, mtime=0)
            self._known[name] = Asset(f"{stem}.{digest}{suffix}", _TYPES[suffix], body, packed)
        return self._known[name]

    def _linked(self, name: str) -> bytes:
        """The file; modules that it imports are named as they are served."""
        body = self._sources[name]
        if not name.endswith(".js") or ".min." in name:
            return body
        text = _IMPORT.sub(lambda found: f"./{self._add(found[1]).name}", body.decode())
        return text.encode()

    def url(self, name: str) -> str:
        """Where a file is served; KeyError when there is none of that name."""
        return PATH + self._known[name].name

    def served(self, name: str) -> Asset:
        """The file of this public name. Raises NotFound."""
        try:
            return self._served[name]
        except KeyError:
            raise NotFound from None

    def reply(self, request: Request) -> Response:
        """Answer `GET /static/{name}`. Raises NotFound."""
        asset = self.served(request.path_params["name"])
        packs = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"cache-control": CACHE, "vary": "accept-encoding"}
        headers |= {"content-encoding": "gzip"} if packs else {}
        body = asset.packed if packs else asset.body
        return Response(body, headers=headers, media_type=asset.type)
