"""A hub: where its files are, and what it says of a repository."""

import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from oxlo import __version__
from oxlo.weights.errors import SourceFailed

_TIMEOUT = 30.0
_CLOSED = (401, 403)


@dataclass(frozen=True, slots=True)
class Hub:
    """A server with Hugging Face's API, and our token."""

    url: str = "https://huggingface.co"
    #: Token for gated or private repositories.
    token: str = field(default="", repr=False)

    def file(self, repository: str, revision: str, path: str) -> str:
        """The URL of a file."""
        base = f"{self.url.rstrip('/')}/{repository}/resolve/{quote(revision, safe='')}"
        return f"{base}/{quote(path)}"

    def about(self, repository: str, revision: str) -> str:
        """The URL of a repository's metadata."""
        name = f"{repository}/revision/{quote(revision, safe='')}"
        return f"{self.url.rstrip('/')}/api/models/{name}?blobs=true"

    def request(self, url: str, headers: dict[str, str] | None = None) -> urllib.request.Request:
        """A request with the token, which is not sent to redirect targets."""
        if urlsplit(url).scheme not in ("http", "https"):
            raise SourceFailed(f"{url} is not an http address")
        known = {"User-Agent": f"oxlo/{__version__}", "Accept-Encoding": "identity"}
        request = urllib.request.Request(url, headers=known | (headers or {}))  # noqa: S310 - above
        if self.token and url.startswith(f"{self.url.rstrip('/')}/"):
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        return request

    def read(self, url: str, repository: str) -> bytes:
        """Read a small response. Raises SourceFailed that says what to do."""
        try:
            with urllib.request.urlopen(self.request(url), timeout=_TIMEOUT) as reply:  # noqa: S310
                return bytes(reply.read())
        except urllib.error.HTTPError as error:
            error.close()
            raise SourceFailed(self._refusal(error.code, repository)) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise SourceFailed(f"{self.url} cannot be reached: {reason}") from None

    def _refusal(self, status: int, repository: str) -> str:
        if status in _CLOSED:
            return (
                f"{self.url} does not open {repository} to you: accept its terms at "
                f"{self.url}/{repository} and set HF_TOKEN to your token"
            )
        if status == http.client.NOT_FOUND:
            return f"{self.url} has no {repository}, or not that revision of it"
        return f"{self.url} answered {status} about {repository}"


#: The default hub.
PUBLIC = Hub()
