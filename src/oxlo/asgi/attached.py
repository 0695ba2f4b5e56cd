"""Parts that a web application carries: given to it once, found again behind each request."""

from typing import Self

from starlette.applications import Starlette
from starlette.requests import Request


class Attached:
    """A record of parts; an application carries one of each kind."""

    __slots__ = ()

    @classmethod
    def of(cls, request: Request) -> Self:
        """The parts behind the application that a request came to."""
        return cls.carried(request.app)

    @classmethod
    def carried(cls, app: Starlette) -> Self:
        """The parts that an application was given."""
        parts = getattr(app.state, cls.__name__)
        assert isinstance(parts, cls)
        return parts

    def attach(self, app: Starlette) -> Starlette:
        """Give an application these parts, in the place of others of their kind."""
        setattr(app.state, type(self).__name__, self)
        return app
