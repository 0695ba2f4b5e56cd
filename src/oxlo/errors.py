"""Every error that a client can see, drawn once.

    ApiError
    ├── BadRequest                400  invalid_request_error
    │   ├── ContextLengthExceeded 400  context_length_exceeded
    │   └── UnsupportedAbility    400  unsupported_ability
    ├── InvalidApiKey             401  invalid_api_key
    ├── Forbidden                 403  permission_error
    │   └── ModelAccessDenied     403  model_access_denied
    ├── NotFound                  404  not_found
    │   └── ModelNotFound         404  model_not_found
    ├── MethodNotAllowed          405  method_not_allowed
    ├── RequestTimedOut           408  request_timeout
    ├── Conflict                  409  conflict
    ├── BodyTooLarge              413  body_too_large
    ├── UnsupportedMediaType      415  unsupported_media_type
    ├── RateLimitExceeded         429  rate_limit_exceeded
    │   ├── DailyLimitExceeded    429  daily_limit_exceeded
    │   ├── MinuteLimitExceeded   429  minute_limit_exceeded
    │   └── ConcurrencyExceeded   429  concurrency_limit_exceeded
    ├── HeadersTooLarge           431  headers_too_large
    ├── InternalError             500  internal_error
    ├── EngineFailed              502  engine_failed
    ├── Overloaded                503  overloaded
    │   ├── QueueFull             503  queue_full
    │   ├── QueueTimedOut         503  queue_timeout
    │   ├── ShuttingDown          503  shutting_down
    │   ├── LimitsUnavailable     503  limits_unavailable
    │   └── ModelNotDeployed      503  model_not_deployed
    └── EngineTimedOut            504  engine_timeout

None of them counts against a plan: only an answered call does.

What goes wrong where no client is waiting is an OperatorError: commands print it as one line.
"""

from typing import Any, ClassVar

import msgspec


class OperatorError(Exception):
    """Something that whoever runs the platform can put right; the message says how."""


class ApiError(Exception):
    """Something went wrong. Try again; if it happens again, report the x-request-id."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"
    #: Sent as x-should-retry when not None: the SDKs obey it before anything else.
    should_retry: ClassVar[bool | None] = None

    def __init__(
        self,
        message: str | None = None,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
        **extra: Any,
    ) -> None:
        """Make an error; `message` defaults to the class docstring.

        `retry_after` is in whole seconds; `extra` fields are repeated beside `error` in the body.
        """
        self.message = message or " ".join((type(self).__doc__ or "").split())
        self.param = param
        self.error_code = code or self.code
        self.retry_after = retry_after
        #: Methods that the address takes, where another one was tried.
        self.allow: tuple[str, ...] = ()
        self.extra = extra
        super().__init__(self.message)

    def body(self) -> bytes:
        """OpenAI's error object, with the extra fields inside it and repeated at the top level.

        Clients in the wild read both places (`error.message` and a flat `message`).
        """
        return msgspec.json.encode({"error": self.as_dict(), **self._flat()})

    def as_dict(self) -> dict[str, Any]:
        """The inner `error` object; `message`, `type`, `param` and `code` are always present."""
        error: dict[str, Any] = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.error_code,
        }
        return error | self._extra()

    def _extra(self) -> dict[str, Any]:
        retry = {} if self.retry_after is None else {"retry_after": self.retry_after}
        return self.extra | retry

    def _flat(self) -> dict[str, Any]:
        return {"message": self.message, "detail": self.message, **self._extra()}


class BadRequest(ApiError):
    """The request is not valid."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class ContextLengthExceeded(BadRequest):
    """The prompt is longer than your plan or the model allows. Shorten it."""

    code = "context_length_exceeded"


class UnsupportedAbility(BadRequest):
    """This model cannot do that. Choose one that can."""

    code = "unsupported_ability"


class InvalidApiKey(ApiError):
    """Missing or incorrect API key. Send it as 'Authorization: Bearer sk_...'."""

    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class Forbidden(ApiError):
    """This key may not do that."""

    status = 403
    type = "permission_error"
    code = "permission_denied"


class ModelAccessDenied(Forbidden):
    """Your plan does not include this model."""

    code = "model_access_denied"


class NotFound(ApiError):
    """There is nothing at this address."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class ModelNotFound(NotFound):
    """No such model."""

    code = "model_not_found"


class MethodNotAllowed(ApiError):
    """This address does not accept that method."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"

    @classmethod
    def at(cls, path: str, *methods: str, why: str | None = None) -> "MethodNotAllowed":
        """The error that names the methods which `path` takes, in words and for the header."""
        error = cls(" ".join(filter(None, (f"{path} takes {', '.join(methods)}.", why))))
        error.allow = methods
        return error


class RequestTimedOut(ApiError):
    """The request did not arrive in time. Send it again over a faster or steadier connection."""

    status = 408
    type = "invalid_request_error"
    code = "request_timeout"


class Conflict(ApiError):
    """This conflicts with what is already there."""

    status = 409
    type = "invalid_request_error"
    code = "conflict"
    should_retry = False


class BodyTooLarge(ApiError):
    """The request body is too large."""

    status = 413
    type = "invalid_request_error"
    code = "body_too_large"


class UnsupportedMediaType(ApiError):
    """Send JSON, with 'Content-Type: application/json'."""

    status = 415
    type = "invalid_request_error"
    code = "unsupported_media_type"


class RateLimitExceeded(ApiError):
    """Too many requests."""

    status = 429
    type = "rate_limit_exceeded"
    code = "rate_limit_exceeded"


class DailyLimitExceeded(RateLimitExceeded):
    """Your plan's requests for today are used up. They reset at 00:00 UTC."""

    code = "daily_limit_exceeded"
    should_retry = False


class MinuteLimitExceeded(RateLimitExceeded):
    """Your plan's requests for this minute are used up."""

    code = "minute_limit_exceeded"


class ConcurrencyExceeded(RateLimitExceeded):
    """Your plan's simultaneous requests are all under way. Wait for one to finish."""

    code = "concurrency_limit_exceeded"


class HeadersTooLarge(ApiError):
    """The request's headers are too many or too large."""

    status = 431
    type = "invalid_request_error"
    code = "headers_too_large"


class InternalError(ApiError):
    """Something went wrong on our side. It did not count; please try again."""


class EngineFailed(ApiError):
    """The model's engine failed or sent an invalid response. It did not count; please try again."""

    status = 502
    code = "engine_failed"


class Overloaded(ApiError):
    """The platform is busy. It did not count; please try again."""

    status = 503
    code = "overloaded"


class QueueFull(Overloaded):
    """The model's queue is full. It did not count; please try again."""

    code = "queue_full"


class QueueTimedOut(Overloaded):
    """The model did not become free in time. It did not count; please try again."""

    code = "queue_timeout"


class ShuttingDown(Overloaded):
    """This server is shutting down. It did not count; please try again."""

    code = "shutting_down"


class LimitsUnavailable(Overloaded):
    """Limits cannot be checked right now. It did not count; please try again."""

    code = "limits_unavailable"


class ModelNotDeployed(Overloaded):
    """This installation does not serve that model."""

    code = "model_not_deployed"
    should_retry = False


class EngineTimedOut(ApiError):
    """The model took too long. It did not count; please try again."""

    status = 504
    code = "engine_timeout"
