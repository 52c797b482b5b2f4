# SPDX-License-Identifier: MIT
"""A handler: the function, what the library is told of it, and how it is called.

A JSON object as input becomes keyword arguments; any other value, and bytes, become the one argument; no input and
``{}`` become none. A first parameter called ``step``, or annotated as Step, gets the Step. With ``unpack=False`` the
value is always handed over as one argument.
"""
from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Callable, Dict, Generic, Iterable, Optional, TypeVar, Union

from . import _structs as s
from .duration import Seconds, milliseconds
from .errors import InvalidArgument
from .handle import Handle
from .retry import retry_of
from .step import Step

if TYPE_CHECKING:
    from .app import Stepbus

F = TypeVar("F", bound=Callable[..., Any])
Words = Union[str, Iterable[str], None]


class StepFunction(Generic[F]):
    """What ``@app.step`` makes of a function. Calling it calls the function, as tests like to."""

    def __init__(self, app: "Stepbus", function: F, name: str, options: Dict[str, Any]) -> None:
        if not callable(function):
            raise InvalidArgument("the handler of %s is %r: it must be callable" % (name, function))
        self.app = app
        self.function = function
        self.name = name
        self.unpack: bool = options.pop("unpack", True)
        #: Where its steps wait when ``enqueue`` does not say it.
        self.queue: Optional[str] = options.pop("queue", None)
        self.options = options
        self.is_async = _is_async(function)
        self.wants_step = _wants_step(function)
        #: What the hot loop may call with keyword arguments and nothing else.
        self.is_plain = self.unpack and not self.wants_step and not self.is_async
        functools.update_wrapper(self, function, updated=())

    @property
    def version(self) -> str:
        return str(self.options.get("version") or "0.1.0")

    @property
    def namespace(self) -> str:
        return str(self.options.get("namespace") or "default")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def invoke(self, step: Step, value: Any) -> Any:
        """Calls the function with a decoded input."""
        first = (step,) if self.wants_step else ()
        if self.unpack and type(value) is dict:
            return self.function(*first, **value)
        if value is None and self.unpack:
            return self.function(*first)
        return self.function(*first, value)

    def enqueue(self, *args: Any, **kwargs: Any) -> Handle:
        """Enqueues a step with these arguments as its input; ``app.enqueue`` takes options too."""
        return self.app.enqueue(self, self._input(args, kwargs))

    async def aenqueue(self, *args: Any, **kwargs: Any) -> Handle:
        return await self.app.aenqueue(self, self._input(args, kwargs))

    def _input(self, args: Any, kwargs: Dict[str, Any]) -> Any:
        if not self.unpack or (len(args) == 1 and not kwargs and not isinstance(args[0], dict)):
            if len(args) != 1 or kwargs:
                raise InvalidArgument("%s takes one value as its input" % self.name)
            return args[0]
        if args:
            first = (None,) if self.wants_step else ()
            try:
                bound = inspect.signature(self.function).bind(*first, *args, **kwargs).arguments
            except TypeError as error:
                raise InvalidArgument("%s: %s" % (self.name, error)) from None
            return {name: value for name, value in list(bound.items())[len(first) :]}
        return kwargs

    def spec(self) -> s.HandlerSpec:
        """What the library is told of it."""
        spec = s.HandlerSpec(flags=s.HANDLER_PULLED)
        said = dict(self.options)
        spec.put("name", self.name.encode())
        for field, option in _TEXTS.items():
            _put_text(spec, field, said.pop(option, None))
        for field, option in _DURATIONS.items():
            value: Optional[Seconds] = said.pop(option, None)
            setattr(spec, field, 0 if value is None else milliseconds(value, option))
        for field, number in retry_of(said.pop("retry", None)).fields().items():
            setattr(spec, field, number)
        spec.concurrency_max = said.pop("concurrency", None) or 0
        spec.rate_per_minute = said.pop("rate_per_minute", None) or 0
        spec.flags |= s.HANDLER_DEFAULT if said.pop("default", False) else 0
        assert not said, said
        return spec


_TEXTS = {
    "handler_namespace": "namespace",
    "version": "version",
    "domain": "domain",
    "description": "description",
    "capabilities": "capabilities",
    "config_schema": "config_schema",
    "permitted_queues": "permitted_queues",
    "permitted_callers": "permitted_callers",
}

_DURATIONS = {
    "wait_timeout_ms": "wait_timeout",
    "attempt_timeout_ms": "timeout",
    "total_timeout_ms": "total_timeout",
}


def words(value: Words) -> Optional[str]:
    """Comma-separated words of a text or of many."""
    return value if value is None or isinstance(value, str) else ",".join(value)


def _put_text(spec: s.HandlerSpec, field: str, value: Words) -> None:
    text = words(value)
    spec.put(field, None if text is None else text.encode())


def _is_async(function: Any) -> bool:
    call = getattr(function, "__call__", None)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _wants_step(function: Any) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    if not parameters or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        return False
    kind = parameters[0].annotation
    return parameters[0].name == "step" or kind is Step or kind in ("Step", "stepbus.Step")
