"""An OpenID Connect provider on a local port: for tests of logging in elsewhere.

Everybody who comes is `person`, and is sent back at once. It checks what a real one checks: the
client's secret, that a code is used once, by who asked for it, with its PKCE verifier.
"""

import base64
import hashlib
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from oxlo.testing.http import LocalServer, Reply, Request


class Person(msgspec.Struct, kw_only=True):
    """Who is logged in there."""

    subject: str = "42"
    email: str = "ann@example.com"
    verified: bool = True


class OidcDouble(LocalServer):
    """The provider; `issuer` is its address."""

    def __init__(self, client_id: str, secret: str) -> None:
        self._client = (client_id, secret)
        self.person = Person()
        #: Questions so far, by path.
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: set[str] = set()

    @property
    def issuer(self) -> str:
        """Where it is, as it calls itself."""
        return self.address

    async def answer(self, request: Request, reply: Reply) -> None:
        """Answer as the real one does."""
        path = urlsplit(request.path).path
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            await self._send(reply, self._about())
        elif path == "/authorize":
            await self._authorize(request, reply)
        elif path == "/token":
            await self._token(request, reply)
        elif path == "/userinfo" and self._bearer(request) in self._tokens:
            await self._send(reply, self._claims())
        else:
            await self._send(reply, {"error": "invalid_token"}, 401)

    def _about(self) -> dict[str, object]:
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
        """Send the browser back with a code, as if somebody had said yes."""
        asked = dict(parse_qsl(urlsplit(request.path).query))
        right = asked.get("client_id") == self._client[0] and asked.get("response_type") == "code"
        if not right or asked.get("code_challenge_method") != "S256":
            await self._send(reply, {"error": "invalid_request"}, 400)
            return
        code = secrets.token_urlsafe(8)
        self._codes[code] = asked
        query = urlencode({"code": code, "state": asked["state"]})
        await reply.whole(302, b"", location=f"{asked['redirect_uri']}?{query}")

    async def _token(self, request: Request, reply: Reply) -> None:
        form = dict(parse_qsl(request.body.decode()))
        asked = self._codes.pop(form.get("code", ""), None)
        if self._basic(request) != ":".join(self._client) or asked is None:
            await self._send(reply, {"error": "invalid_grant"}, 400)
            return
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        same = form.get("redirect_uri") == asked["redirect_uri"]
        if challenge != asked["code_challenge"] or not same:
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
