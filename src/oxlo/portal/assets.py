"""Static files, served from memory under names with a content hash."""

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
#: A year: changed content gets a new name.
CACHE = "public, max-age=31536000, immutable"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
#: `from "./copy.js"` in one of our modules.
_IMPORT = re.compile(r"""(?<=["'])\./([\w.-]+\.js)(?=["'])""")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    #: Public name with a hash: `site.3f2a9c1b.css`.
    name: str
    type: str
    body: bytes
    gzipped: bytes


class Assets:
    """The files of a folder, by their name on disk."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Read all files. Raises KeyError if a module imports a file that does not exist."""
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
            body = self._resolved(name)
            stem, suffix = Path(name).stem, Path(name).suffix
            digest = hashlib.sha256(body).hexdigest()[:10]
            gzipped = gzip.compress(body, 9, mtime=0)
            self._known[name] = Asset(f"{stem}.{digest}{suffix}", _TYPES[suffix], body, gzipped)
        return self._known[name]

    def _resolved(self, name: str) -> bytes:
        """Content of a file, with imported modules renamed to their public names."""
        body = self._sources[name]
        if not name.endswith(".js") or ".min." in name:
            return body
        text = _IMPORT.sub(lambda match: f"./{self._add(match[1]).name}", body.decode())
        return text.encode()

    def url(self, name: str) -> str:
        """URL of a file. Raises KeyError for an unknown name."""
        return PATH + self._known[name].name

    def served(self, name: str) -> Asset:
        """The file with this public name. Raises NotFound."""
        try:
            return self._served[name]
        except KeyError:
            raise NotFound from None

    def reply(self, request: Request) -> Response:
        """Serve `GET /static/{name}`. Raises NotFound."""
        asset = self.served(request.path_params["name"])
        accepts_gzip = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"cache-control": CACHE, "vary": "accept-encoding"}
        headers |= {"content-encoding": "gzip"} if accepts_gzip else {}
        body = asset.gzipped if accepts_gzip else asset.body
        return Response(body, headers=headers, media_type=asset.type)
