"""The table of all routes: which handler answers each path, and at what cost."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

import msgspec

from oxlo.catalogue import Model
from oxlo.catalogue.parameters import describe, entry, voices
from oxlo.errors import BadRequest, MethodNotAllowed, NotFound
from oxlo.gateway import content, dryrun, headers
from oxlo.gateway.backends import Group
from oxlo.gateway.call import Call
from oxlo.gateway.core import Core
from oxlo.gateway.endpoints import CHAT, INFERENCE, Endpoint
from oxlo.gateway.exchange import SILENT, Exchange, Handler
from oxlo.gateway.idempotency import keyed
from oxlo.gateway.idempotency.keyed import Idempotency, Keyed
from oxlo.gateway.local_handlers import Answer, LimitsHandler, LocalHandler
from oxlo.gateway.path_hints import hint, is_call, why_not
from oxlo.gateway.relay import ControlRelay
from oxlo.plans.caller import Caller

Open = Callable[[Exchange], Handler]


@dataclass(frozen=True, slots=True)
class Route:
    """A path: its handler, and how many requests of a plan a successful call costs."""

    method: bytes
    path: str
    cost: int
    open: Open
    #: Whether it includes all paths below it.
    below: bool = False


class Routes:
    """The routing table."""

    def __init__(
        self, gateway: Core, kept: Idempotency, endpoints: Iterable[Endpoint] = INFERENCE
    ) -> None:
        self._gateway = gateway
        self._kept = kept
        self._limit = dryrun.DryRunLimit()
        self.table = (
            *(self._inference(endpoint) for endpoint in endpoints),
            Route(b"GET", CHAT.path, 0, self._asked(CHAT.name, _stored)),
            Route(b"GET", "/v1/models", 0, self._asked("models", self._models)),
            Route(b"GET", "/v1/models/", 0, self._asked("models", self._model), below=True),
            Route(b"GET", "/v1/audio/voices", 0, self._asked("voices", self._voices)),
            Route(b"GET", "/v1/limits", 0, self._limits),
            Route(b"GET", "/v1/requests", 0, self._of_control("requests")),
            Route(b"GET", "/v1/requests/", 0, self._of_control("requests"), below=True),
            Route(b"GET", "/v1/usage", 0, self._of_control("usage")),
            Route(b"GET", "/healthz", 0, self._healthz),
            Route(b"GET", "/readyz", 0, self._readyz),
        )
        self._exact = {(r.method, r.path.encode()): r for r in self.table if not r.below}
        self._below = [r for r in self.table if r.below]
        paths = (r.path for r in self.table if r.path.startswith("/v1/") and not r.below)
        self._ours = tuple(dict.fromkeys(paths))  # a path may have two methods

    def _inference(self, endpoint: Endpoint) -> Route:
        return Route(b"POST", endpoint.path, 1, lambda exchange: self._call(exchange, endpoint))

    def open(self, exchange: Exchange) -> Handler:
        """Find the handler. Raises ApiError: 401, 404, 405, 415, 503."""
        path = exchange.target
        route = self._exact.get((exchange.method, path))
        if route is not None:
            return route.open(exchange)
        return self._open_other(exchange)

    def _open_other(self, exchange: Exchange) -> Handler:
        exchange.target = _origin_form(exchange.target)
        path = exchange.path.rstrip(b"/") or b"/"
        if exchange.method == b"OPTIONS":
            return _preflight(exchange)
        method = b"GET" if exchange.method == b"HEAD" else exchange.method
        route = self._exact.get((method, path)) or self._under(method, exchange.path)
        if route is not None:
            return route.open(exchange)
        if exchange.method == b"CONNECT":  # the bytes after it would not be HTTP
            exchange.close = True
            raise BadRequest("This server is not a proxy.", code="bad_http")
        if path != b"/v1" and not path.startswith((b"/v1/", b"/internal")):
            words = self._hint(path) if is_call(method, path, exchange.headers) else None
            if words:
                raise NotFound(words)
            exchange.body_limit = 25 << 20
            return ControlRelay(self._gateway, exchange)
        raise self._unknown(path)

    def _under(self, method: bytes, path: bytes) -> Route | None:
        text = path.decode("latin-1")
        return next(
            (
                r
                for r in self._below
                if r.method == method and len(text) > len(r.path) and text.startswith(r.path)
            ),
            None,
        )

    def _unknown(self, path: bytes) -> NotFound | MethodNotAllowed:
        text = path.decode("latin-1")
        routes = [r for r in self.table if r.path == text or (r.below and text.startswith(r.path))]
        methods = sorted({r.method.decode() for r in routes})
        if methods:
            return MethodNotAllowed.at(_shown(path), *methods, why=why_not(text))
        return NotFound(self._hint(path) or self._nothing_at(path))

    def _nothing_at(self, path: bytes) -> str:
        return f"There is nothing at {_shown(path)}. This API has {', '.join(self._ours)}."

    def _hint(self, path: bytes) -> str | None:
        return hint(path, self._ours, f"{self._gateway.settings.base_url}/v1")

    # Inference.

    def _call(self, exchange: Exchange, endpoint: Endpoint) -> Handler:
        gateway, given = self._gateway, exchange.headers
        if dryrun.wanted(given):
            call: Call | Keyed = dryrun.DryRun(gateway, exchange, endpoint, self._limit)
        elif keyed.HEADER in given:
            call = Keyed(self._kept, exchange, endpoint, given[keyed.HEADER])
        else:
            call = Call(gateway, exchange, endpoint)
        gateway.authenticate(exchange, endpoint.name, call.admit)
        # Authenticate first: other errors are not disclosed without a valid key.
        dryrun.check(given)
        keyed.check(given)
        content.check(exchange, endpoint)
        return call

    # Requests that the gateway answers itself.

    def _asked(self, name: str, answer: Answer) -> Open:
        def open_(exchange: Exchange) -> Handler:
            handler = LocalHandler(self._gateway, exchange, answer)
            self._gateway.authenticate(exchange, name, handler.admit)
            return handler

        return open_

    def _models(self, exchange: Exchange, caller: Caller) -> bytes:
        listed = [self._entry(model) for model in self._gateway.catalogue]
        return msgspec.json.encode({"object": "list", "data": listed})

    def _entry(self, model: Model) -> dict[str, object]:
        group = self._gateway.backends.group(model.id)
        if group is None or not group.backends:
            return entry(model, status="unavailable", warm=False)
        listed = entry(model, status="ready" if group.ready else "starting", warm=group.ready)
        # Context length and warm-up times of the model's replicas.
        held = {"context_length": group.context_length or None, "warm_up": group.warm_up()}
        return listed | held

    def _model(self, exchange: Exchange, caller: Caller) -> bytes:
        path = unquote(exchange.path.decode("latin-1"))  # SDKs encode a slash in a name as %2F
        name = path.removeprefix("/v1/models/").rstrip("/")
        model_name, _, tail = name.rpartition("/")
        if tail == "parameters" and model_name:
            return msgspec.json.encode(describe(self._gateway.catalogue.resolve(model_name)))
        return msgspec.json.encode(self._entry(self._gateway.catalogue.resolve(name)))

    def _voices(self, exchange: Exchange, caller: Caller) -> bytes:
        """The voices of all models or of `?model=`, from the catalogue without asking an engine."""
        name = _query(exchange).get("model")
        catalogue = self._gateway.catalogue
        return msgspec.json.encode(voices([catalogue.resolve(name)] if name else catalogue))

    def _limits(self, exchange: Exchange) -> Handler:
        handler = LimitsHandler(self._gateway, exchange)
        self._gateway.authenticate(exchange, "limits", handler.admit)
        return handler

    def _of_control(self, name: str) -> Open:
        """A handler for control's part of the API, which passes on the caller's identity."""

        def open_(exchange: Exchange) -> Handler:
            relay = ControlRelay(self._gateway, exchange)
            self._gateway.authenticate(exchange, name, relay.admit)
            return relay

        return open_

    # Health.

    def _healthz(self, exchange: Exchange) -> Handler:
        exchange.reply(200, headers.JSON, b'{"status":"ok"}')
        return SILENT

    def _readyz(self, exchange: Exchange) -> Handler:
        """Ready if calls are accepted and a model answers; degraded if some models do not."""
        gateway, clock = self._gateway, self._gateway.clock()
        models = {g.model: _state(g, clock) for g in gateway.backends.groups()}
        status = self._readiness(set(models.values()))
        body = msgspec.json.encode({"status": status, "models": models})
        exchange.reply(200 if status in ("ready", "degraded") else 503, headers.JSON, body)
        return SILENT

    def _readiness(self, states: set[str]) -> str:
        gateway = self._gateway
        if gateway.draining:
            return "draining"
        if not gateway.journal.writable:
            return "not_recording"
        if not gateway.keys.reached or not gateway.backends.known:
            return "starting"
        if states and "ready" not in states:
            return "starting"
        return "ready" if states <= {"ready"} else "degraded"


#: OpenAI's list of chats sent with `store`; empty, because nothing is stored.
_NO_CHATS = msgspec.json.encode(
    {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
)


def _stored(exchange: Exchange, caller: Caller) -> bytes:
    return _NO_CHATS


def _shown(path: bytes) -> str:
    return headers.clean(path.decode("latin-1")).decode()


def _origin_form(target: bytes) -> bytes:
    """A target as `/path?query`; clients that treat us as a proxy send a full URL."""
    scheme, colon, rest = target.partition(b"://")
    if not colon or scheme.lower() not in (b"http", b"https"):
        return target
    _, slash, path = rest.partition(b"/")
    return slash + path or b"/"


def _query(exchange: Exchange) -> dict[str, str]:
    return dict(parse_qsl(exchange.target.partition(b"?")[2].decode("latin-1")))


def _state(group: Group, clock: float) -> str:
    if not group.backends:
        return "stopped"
    if not group.ready:
        return "starting"
    return "ready" if group.answers(clock) else "failing"


def _preflight(exchange: Exchange) -> Handler:
    """Answer a CORS preflight, which has no key; origins are checked with the actual request."""
    requested = exchange.headers.get(b"access-control-request-headers", b"")
    lines = headers.PREFLIGHT_METHODS
    if requested and not set(requested) & set(b"\r\n"):
        lines += b"access-control-allow-headers: %b\r\n" % requested[:2000]
    exchange.reply(204, lines, b"")
    return SILENT
