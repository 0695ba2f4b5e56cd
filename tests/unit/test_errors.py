"""Every error that a client can see: its status, its words, its body."""

import inspect
import json
import re

import pytest

from oxlo import errors
from oxlo.errors import ApiError, DailyLimitExceeded, MinuteLimitExceeded, ModelAccessDenied

REQUEST = "invalid_request_error"
#: Status, type and code of each: what clients decide by, so none changes unseen.
TABLE = {
    "BadRequest": (400, REQUEST, "invalid_request"),
    "ContextLengthExceeded": (400, REQUEST, "context_length_exceeded"),
    "UnsupportedAbility": (400, REQUEST, "unsupported_ability"),
    "InvalidApiKey": (401, "invalid_request_error", "invalid_api_key"),
    "Forbidden": (403, "permission_error", "permission_denied"),
    "ModelAccessDenied": (403, "permission_error", "model_access_denied"),
    "NotFound": (404, REQUEST, "not_found"),
    "ModelNotFound": (404, REQUEST, "model_not_found"),
    "MethodNotAllowed": (405, REQUEST, "method_not_allowed"),
    "RequestTimedOut": (408, REQUEST, "request_timeout"),
    "Conflict": (409, REQUEST, "conflict"),
    "BodyTooLarge": (413, REQUEST, "body_too_large"),
    "UnsupportedMediaType": (415, REQUEST, "unsupported_media_type"),
    "RateLimitExceeded": (429, "rate_limit_exceeded", "rate_limit_exceeded"),
    "DailyLimitExceeded": (429, "rate_limit_exceeded", "daily_limit_exceeded"),
    "MinuteLimitExceeded": (429, "rate_limit_exceeded", "minute_limit_exceeded"),
    "ConcurrencyExceeded": (429, "rate_limit_exceeded", "concurrency_limit_exceeded"),
    "HeadersTooLarge": (431, REQUEST, "headers_too_large"),
    "InternalError": (500, "server_error", "internal_error"),
    "EngineFailed": (502, "server_error", "engine_failed"),
    "Overloaded": (503, "server_error", "overloaded"),
    "QueueFull": (503, "server_error", "queue_full"),
    "QueueTimedOut": (503, "server_error", "queue_timeout"),
    "ShuttingDown": (503, "server_error", "shutting_down"),
    "LimitsUnavailable": (503, "server_error", "limits_unavailable"),
    "ModelNotDeployed": (503, "server_error", "model_not_deployed"),
    "EngineTimedOut": (504, "server_error", "engine_timeout"),
}
#: The SDKs would try these again although it cannot help before tomorrow, or at all.
NOT_RETRIED = {"Conflict", "DailyLimitExceeded", "ModelNotDeployed"}

ERRORS = {
    name: error
    for name, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, ApiError) and error is not ApiError
}
each_error = pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS.keys())


def body_of(error: ApiError) -> dict[str, object]:
    return json.loads(error.body())


def test_table() -> None:
    """No error is missing from the table, and none differs from it."""
    assert {name: (e.status, e.type, e.code) for name, e in ERRORS.items()} == TABLE


def test_drawn_tree_is_the_tree() -> None:
    """The module's drawing names each error with its status, below its parent."""
    drawn = re.findall(r"^( +│?.*?)(?:├──|└──) (\w+) +(\d+)", errors.__doc__ or "", re.MULTILINE)
    parents = {0: "ApiError"}
    seen = {}
    for indent, name, status in drawn:
        depth = (len(indent) - 4) // 4
        parents[depth + 1] = name
        seen[name] = (parents[depth], int(status))
    assert seen == {name: (e.__base__.__name__, e.status) for name, e in ERRORS.items()}


def test_codes_are_unique() -> None:
    """A code alone tells which error it was."""
    assert len({error.code for error in ERRORS.values()}) == len(ERRORS)


def test_who_may_retry() -> None:
    """`x-should-retry: false` where the SDKs' own retries would only cost."""
    assert {name for name, e in ERRORS.items() if e.should_retry is False} == NOT_RETRIED
    assert not any(error.should_retry for error in ERRORS.values())


@each_error
def test_openai_shape(error: type[ApiError]) -> None:
    """`error` holds exactly OpenAI's four fields when there is nothing more to say."""
    assert body_of(error())["error"] == {
        "message": " ".join(error.__doc__.split()),
        "type": error.type,
        "param": None,
        "code": error.code,
    }


@each_error
def test_flat_message(error: type[ApiError]) -> None:
    """Clients in the wild read `message` and `detail` at the top level."""
    body = body_of(error("Said so."))
    assert (body["message"], body["detail"]) == ("Said so.", "Said so.")
    assert set(body) == {"error", "message", "detail"}


@each_error
def test_words_are_for_people(error: type[ApiError]) -> None:
    """A default message is whole sentences on one line."""
    message = error().message
    assert re.fullmatch(r"[A-Z].*[.'…]", message)
    assert "\n" not in message


def test_server_side_errors_say_that_they_are_free() -> None:
    """Who meets our failure is told that it did not count (D11)."""
    silent = {"ModelNotDeployed"}
    ours = {name: e for name, e in ERRORS.items() if e.status >= 500 and name not in silent}
    assert [name for name, error in ours.items() if "did not count" not in error().message] == []


def test_denied_model() -> None:
    """A 403 names the plan that would open the model, in both places."""
    body = body_of(ModelAccessDenied(required_plan="pro"))
    assert body["required_plan"] == "pro"
    assert body["error"]["required_plan"] == "pro"
    assert body["error"]["code"] == "model_access_denied"


def test_daily_limit() -> None:
    """A 429 says the limit and the seconds to wait, in both places."""
    body = body_of(DailyLimitExceeded(retry_after=3600, daily_limit=60))
    assert (body["retry_after"], body["daily_limit"]) == (3600, 60)
    assert (body["error"]["retry_after"], body["error"]["daily_limit"]) == (3600, 60)


def test_param_and_code_can_be_named() -> None:
    """A bad value names its field, and may say more exactly what is wrong."""
    error = errors.BadRequest("Too hot.", param="temperature", code="out_of_range")
    assert error.as_dict()["param"] == "temperature"
    assert error.as_dict()["code"] == "out_of_range"
    assert errors.BadRequest.code == "invalid_request"


def test_no_wait_is_no_field() -> None:
    """Without a moment to wait for, none is made up; no wait at all is said as 0."""
    assert "retry_after" not in MinuteLimitExceeded().as_dict()
    assert MinuteLimitExceeded(retry_after=0).as_dict()["retry_after"] == 0


def test_is_an_exception_with_words() -> None:
    """Logs show the message."""
    assert str(errors.EngineFailed("llama fell over")) == "llama fell over"
