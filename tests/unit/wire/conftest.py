"""What the tests of requests share."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from oxlo import catalogue
from oxlo.catalogue import Model
from oxlo.errors import BadRequest
from oxlo.wire import chat

Refuse = Callable[..., BadRequest]


@pytest.fixture
def model() -> Model:
    """A chat model with every ability but vision and reasoning."""
    return catalogue.load().resolve("smollm2-135m")


def chat_body(**fields: Any) -> bytes:
    """A chat's body: one message, and what the test says."""
    whole = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]} | fields
    return msgspec.json.encode({name: value for name, value in whole.items() if value is not ...})


@pytest.fixture
def refuse(model: Model) -> Refuse:
    """Returns why a chat with these fields is refused; `...` leaves a field out."""

    def ask(**fields: Any) -> BadRequest:
        with pytest.raises(BadRequest) as caught:
            chat.validate(chat.decode(chat_body(**fields))[0], model)
        return caught.value

    return ask


@pytest.fixture
def accept(model: Model) -> Callable[..., chat.ChatRequest]:
    """Returns the request that a chat with these fields is."""

    def ask(**fields: Any) -> chat.ChatRequest:
        request, _ = chat.decode(chat_body(**fields))
        chat.validate(request, model)
        return request

    return ask
