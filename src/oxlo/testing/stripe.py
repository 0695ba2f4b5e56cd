"""A double of Stripe's API, for tests of payments with Stripe's own library.

It checks requests as Stripe does: the key, the version header, unknown parameters, unknown ids; and
it answers a repeated idempotency key with the earlier response. `pay` simulates a customer who
pays; events are signed as Stripe signs them.
"""

import hashlib
import hmac
import itertools
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from oxlo.testing.http import LocalServer, Reply, Request

_MONTH = 30 * 86400
#: Accepted parameters, by endpoint; `*` stands for a number or a name.
_PARAMETERS = {
    "POST /v1/checkout/sessions": {
        "mode", "line_items[*][price]", "line_items[*][quantity]", "client_reference_id",
        "metadata[*]", "subscription_data[metadata][*]", "success_url", "cancel_url", "customer",
        "customer_email",
    },
    "POST /v1/billing_portal/sessions": {"customer", "return_url"},
    "POST /v1/subscriptions/*": {
        "items[*][id]", "items[*][price]", "proration_behavior", "cancel_at_period_end",
    },
    "GET /v1/subscriptions/*": set(),
    "GET /v1/invoices/*": set(),
}  # fmt: skip

#: Pages for browsers: the checkout, and the customer portal.
_PAGES = ("/c/pay/", "/p/session/")
_PAGE = b'<!doctype html><link rel="icon" href="data:,"><title>Stripe</title><h1>Pay here</h1>'

Object = dict[str, Any]


class StripeRefused(Exception):
    """An error response of the API."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        self.status = status
        self.body = {"error": {"type": "invalid_request_error", "message": message, "code": code}}
        super().__init__(message)


class StripeDouble(LocalServer):
    """The API; `address` replaces https://api.stripe.com."""

    def __init__(self, key: str, secret: str) -> None:
        self._key = key
        self._secret = secret
        self._numbers = itertools.count(1)
        self._by_key: dict[str, Object] = {}
        self.sessions: dict[str, Object] = {}
        self.subscriptions: dict[str, Object] = {}
        self.invoices: dict[str, Object] = {}
        #: Requests so far, as `GET /v1/...`.
        self.asked: list[str] = []
        #: Answer all requests with 500.
        self.broken = False

    def pay(self, url: str, *, customer: str = "") -> Object:
        """Pay at a checkout's URL; returns the new subscription."""
        session = next(one for one in self.sessions.values() if one["url"] == url)
        asked = session["asked"]
        made: Object = {
            "id": self._id("sub"),
            "object": "subscription",
            "customer": asked.get("customer") or customer or self._id("cus"),
            "status": "active",
            "metadata": {"account": asked["subscription_data[metadata][account]"]},
            "cancel_at": None,
            "cancel_at_period_end": False,
            "items": {"object": "list", "data": [self._item(asked["line_items[0][price]"])]},
        }
        self.subscriptions[made["id"]] = made
        session |= {"subscription": made["id"], "customer": made["customer"]}
        return made

    def invoice(self, subscription: Object, cents: int, status: str = "paid") -> Object:
        """Create an invoice for a subscription."""
        number = self._id("in")
        self.invoices[number] = {
            "id": number,
            "object": "invoice",
            "customer": subscription["customer"],
            "created": int(time.time()),
            "total": cents,
            "currency": "usd",
            "status": status,
            "number": f"OX-{number}",
            "hosted_invoice_url": f"https://invoice.stripe.com/i/{number}",
            "parent": {"subscription_details": {"metadata": subscription["metadata"]}},
        }
        return self.invoices[number]

    def event(self, kind: str, about: Object, *, age: float = 0.0) -> tuple[bytes, str]:
        """Create an event; returns the body of its webhook, and the `stripe-signature`."""
        body = msgspec.json.encode(
            {
                "id": self._id("evt"),
                "object": "event",
                "type": kind,
                "created": int(time.time()),
                "data": {"object": dict(about)},
            }
        )
        return body, self.signature(body, age=age)

    def signature(self, body: bytes, *, age: float = 0.0, secret: str = "") -> str:
        """The `stripe-signature` of a body."""
        at = int(time.time() - age)
        key = (secret or self._secret).encode()
        digest = hmac.digest(key, f"{at}.".encode() + body, hashlib.sha256).hex()
        return f"t={at},v1={digest}"

    async def answer(self, request: Request, reply: Reply) -> None:
        """Answer as Stripe does."""
        path = request.path.partition("?")[0]
        self.asked.append(f"{request.method} {path}")
        if request.method == "GET" and path.startswith(_PAGES):
            await reply.whole(200, _PAGE, "text/html")
            return
        try:
            result = self._once(request, path)
        except StripeRefused as refused:
            await reply.whole(refused.status, msgspec.json.encode(refused.body))
        else:
            await reply.whole(200, msgspec.json.encode(result))

    def _once(self, request: Request, path: str) -> Object:
        self._check(request)
        key = request.headers.get("idempotency-key", "") if request.method == "POST" else ""
        if key and key in self._by_key:
            return self._by_key[key]
        result = self._handle(request, path)
        if key:
            self._by_key[key] = result
        return result

    def _check(self, request: Request) -> None:
        if self.broken:
            raise StripeRefused(500, "An unknown error occurred.")
        if request.headers.get("authorization") != f"Bearer {self._key}":
            raise StripeRefused(401, "Invalid API Key provided.")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d\.\w+", request.headers.get("stripe-version", "")):
            raise StripeRefused(400, "Invalid Stripe API version.")

    def _handle(self, request: Request, path: str) -> Object:
        fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        call = f"{request.method} {path}"
        known = next((names for name, names in _PARAMETERS.items() if _fits(name, call)), None)
        if known is None:
            raise StripeRefused(404, f"Unrecognized request URL ({call}).")
        unknown = [name for name in fields if not any(_fits(pattern, name) for pattern in known)]
        if unknown:
            raise StripeRefused(
                400, f"Received unknown parameter: {unknown[0]}", "parameter_unknown"
            )
        handlers: dict[str, Callable[[str, Object], Object]] = {
            "checkout": self._checkout, "billing_portal": self._portal,
            "subscriptions": self._subscription, "invoices": self._invoice,
        }  # fmt: skip
        return handlers[path.split("/")[2]](path.rpartition("/")[2], fields)

    def _checkout(self, _last: str, fields: Object) -> Object:
        if fields.get("mode") != "subscription" or "line_items[0][price]" not in fields:
            raise StripeRefused(400, "Missing required param: line_items.", "parameter_missing")
        number = self._id("cs_test")
        url = f"{self.address}/c/pay/{number}"
        made = {"id": number, "object": "checkout.session", "url": url, "asked": fields}
        self.sessions[number] = made
        return made

    def _portal(self, _last: str, fields: Object) -> Object:
        if fields.get("customer") not in {s["customer"] for s in self.subscriptions.values()}:
            raise StripeRefused(400, "No such customer.", "resource_missing")
        url = f"{self.address}/p/session/{self._id('bps')}"
        return {"object": "billing_portal.session", "url": url}

    def _subscription(self, last: str, fields: Object) -> Object:
        found = self._found(self.subscriptions, last)
        item = found["items"]["data"][0]
        if "items[0][price]" in fields:
            if fields.get("items[0][id]") != item["id"]:
                raise StripeRefused(400, "No such subscription item.", "resource_missing")
            item["price"] = {"id": fields["items[0][price]"]}
        if "cancel_at_period_end" in fields:
            ends = fields["cancel_at_period_end"].lower() == "true"
            found["cancel_at_period_end"] = ends
            found["cancel_at"] = item["current_period_end"] if ends else None
        return found

    def _invoice(self, last: str, _fields: Object) -> Object:
        return self._found(self.invoices, last)

    def _found(self, among: dict[str, Object], number: str) -> Object:
        try:
            return among[number]
        except KeyError:
            raise StripeRefused(404, f"No such object: {number!r}", "resource_missing") from None

    def _item(self, price: str) -> Object:
        end = int(time.time()) + _MONTH
        return {"id": self._id("si"), "price": {"id": price}, "current_period_end": end}

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):06d}"


def _fits(pattern: str, name: str) -> bool:
    regex = re.escape(pattern).replace(r"\*", r"[\w-]+")
    return re.fullmatch(regex, name) is not None
