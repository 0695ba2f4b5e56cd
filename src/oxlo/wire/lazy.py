"""A value worked out when it is first asked for.

functools.cached_property does the same, with a lock on Python 3.11 that costs as much as the rest
of a small request's checks; a request belongs to one thread.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Lazy(Generic[T]):
    """Decorates a method without arguments of a class whose instances have a `__dict__`."""

    def __init__(self, method: Callable[[Any], T]) -> None:
        self._method = method
        self._name = method.__name__
        self.__doc__ = method.__doc__

    def __get__(self, instance: Any, owner: type) -> T:
        value = instance.__dict__[self._name] = self._method(instance)
        return value
