"""Typed dependencies of a web application, available in each request."""

from typing import Self

from starlette.applications import Starlette
from starlette.requests import Request


class Attached:
    """A set of dependencies; an application has one of each class."""

    __slots__ = ()

    @classmethod
    def of(cls, request: Request) -> Self:
        """The dependencies of a request's application."""
        return cls.carried(request.app)

    @classmethod
    def carried(cls, app: Starlette) -> Self:
        """The dependencies of an application."""
        parts = getattr(app.state, cls.__name__)
        assert isinstance(parts, cls)
        return parts

    def attach(self, app: Starlette) -> Starlette:
        """Attach dependencies, replacing those of the same class."""
        setattr(app.state, type(self).__name__, self)
        return app
