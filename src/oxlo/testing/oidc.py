"""A double of an OpenID Connect provider, for tests of single sign-on.

Every visitor is `person`, and is redirected at once. It checks what a real provider checks: the
client's secret, that a code is used once and by the same client, and the PKCE verifier.
"""

import base64
import hashlib
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from oxlo.testing.http import LocalServer, Reply, Request


class Person(msgspec.Struct, kw_only=True):
    """The user who is logged in at the provider."""

    subject: str = "42"
    email: str = "ann@example.com"
    verified: bool = True


class OidcDouble(LocalServer):
    """The provider; `issuer` is its URL."""

    def __init__(self, client_id: str, secret: str) -> None:
        self._client = (client_id, secret)
        self.person = Person()
        #: Paths of the requests so far.
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: set[str] = set()

    @property
    def issuer(self) -> str:
        """The issuer's URL."""
        return self.address

    async def answer(self, request: Request, reply: Reply) -> None:
        """Answer as a real provider does."""
        path = urlsplit(request.path).path
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            await self._send(reply, self._configuration())
        elif path == "/authorize":
            await self._authorize(request, reply)
        elif path == "/token":
            await self._token(request, reply)
        elif path == "/userinfo" and self._bearer(request) in self._tokens:
            await self._send(reply, self._claims())
        else:
            await self._send(reply, {"error": "invalid_token"}, 401)

    def _configuration(self) -> dict[str, object]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        }

    def _claims(self) -> dict[str, object]:
        who = self.person
        return {"sub": who.subject, "email": who.email, "email_verified": who.verified}

    async def _authorize(self, request: Request, reply: Reply) -> None:
        """Redirect back with a code, as if the user had consented."""
        query = dict(parse_qsl(urlsplit(request.path).query))
        valid = query.get("client_id") == self._client[0] and query.get("response_type") == "code"
        if not valid or query.get("code_challenge_method") != "S256":
            await self._send(reply, {"error": "invalid_request"}, 400)
            return
        code = secrets.token_urlsafe(8)
        self._codes[code] = query
        result = urlencode({"code": code, "state": query["state"]})
        await reply.whole(302, b"", location=f"{query['redirect_uri']}?{result}")

    async def _token(self, request: Request, reply: Reply) -> None:
        form = dict(parse_qsl(request.body.decode()))
        authorized = self._codes.pop(form.get("code", ""), None)
        if self._basic(request) != ":".join(self._client) or authorized is None:
            await self._send(reply, {"error": "invalid_grant"}, 400)
            return
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        same = form.get("redirect_uri") == authorized["redirect_uri"]
        if challenge != authorized["code_challenge"] or not same:
            await self._send(reply, {"error": "invalid_grant"}, 400)
            return
        token = secrets.token_urlsafe(8)
        self._tokens.add(token)
        await self._send(reply, {"access_token": token, "token_type": "Bearer"})

    def _basic(self, request: Request) -> str:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        return base64.b64decode(value).decode() if scheme == "Basic" else ""

    def _bearer(self, request: Request) -> str:
        return request.headers.get("authorization", "").removeprefix("Bearer ")

    async def _send(self, reply: Reply, body: object, status: int = 200) -> None:
        await reply.whole(status, msgspec.json.encode(body))
