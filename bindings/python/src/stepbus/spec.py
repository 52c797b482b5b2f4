# SPDX-License-Identifier: MIT
"""What is said when a step is enqueued, as the library takes it."""
from __future__ import annotations

import ctypes
import struct
from datetime import datetime
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, TypedDict, Union

from . import _structs as s
from . import payload
from .duration import Seconds, microseconds, milliseconds
from .errors import InvalidArgument
from .function import StepFunction, Words, words
from .retry import RetryLike, retry_of

HandlerName = Union[str, StepFunction[Any]]

STATES = {
    "waiting": s.STEP_WAITING,
    "scheduled": s.STEP_SCHEDULED,
    "ready": s.STEP_READY,
    "parked": s.STEP_PARKED,
    "running": s.STEP_RUNNING,
    "completed": s.STEP_COMPLETED,
    "failed": s.STEP_FAILED,
    "cancelled": s.STEP_CANCELLED,
    "quarantined": s.STEP_QUARANTINED,
}


class Options(TypedDict, total=False):
    """The options of ``app.enqueue``; what is None is not said.

    run_at       a datetime with a zone; delay: after a while. The later one counts.
    priority     1 to 10,000, the lowest first; 100 when not said.
    idempotency_key   at most one step of this key as long as the store keeps it.
    unique_key   at most one open step of this key; unique_scope ("queue", "handler"), unique_states and
                 unique_period narrow it down.
    concurrency_key   what the queue's key_concurrency_max counts by.
    timeout      of one attempt; wait_timeout until the first start, total_timeout of all attempts together.
    """

    version: Optional[str]
    namespace: Optional[str]
    queue: Optional[str]
    priority: Optional[int]
    delay: Optional[Seconds]
    run_at: Optional[datetime]
    retry: RetryLike
    timeout: Optional[Seconds]
    wait_timeout: Optional[Seconds]
    total_timeout: Optional[Seconds]
    idempotency_key: Optional[str]
    unique_key: Optional[str]
    unique_scope: Words
    unique_states: Optional[Sequence[str]]
    unique_period: Optional[Seconds]
    concurrency_key: Optional[str]
    tags: Words
    name: Optional[str]
    config: Optional[Mapping[str, Any]]
    correlation_id: Optional[str]
    traceparent: Optional[str]
    caller: Optional[str]
    content_type: Optional[str]


_TEXTS = {
    "version": "handler_version",
    "namespace": "handler_namespace",
    "queue": "queue",
    "name": "step_name",
    "correlation_id": "correlation_id",
    "traceparent": "traceparent",
    "content_type": "content_type",
    "caller": "caller",
    "idempotency_key": "idempotency_key",
    "unique_key": "unique_key",
    "concurrency_key": "concurrency_key",
}

_DURATIONS = {
    "delay": "delay_ms",
    "wait_timeout": "wait_timeout_ms",
    "timeout": "attempt_timeout_ms",
    "total_timeout": "total_timeout_ms",
    "unique_period": "unique_period_ms",
}

_OTHERS = {"priority", "run_at", "retry", "unique_scope", "unique_states", "tags", "config"}


def name_of(handler: HandlerName) -> str:
    if isinstance(handler, StepFunction):
        return handler.name
    if isinstance(handler, str):
        return handler
    raise InvalidArgument("the handler is %r: give its name, or what @app.step made of it" % (handler,))


Item = Tuple[HandlerName, Any, Mapping[str, Any]]

_SIZE = ctypes.sizeof(s.StepSpec)
_TEXT = struct.Struct("@PN")
_INPUT_AT = s.StepSpec.input.offset
_KIND_AT = s.StepSpec.content_type.offset
_octets = ctypes.create_string_buffer(payload.OCTETS)
_OCTETS_AT = ctypes.addressof(_octets)


class Specs:
    """An array of specs made of items, and what it points at.

    Steps of one handler with the same options differ in their input only, so what is said of them is written once
    and copied.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self.count = len(items)
        self._kept: List[Any] = []
        inputs = [_input(value) for _, value, _ in items]
        blob = b"".join([data for data, _ in inputs])
        self._kept.append(blob)
        at = ctypes.cast(ctypes.c_char_p(blob), ctypes.c_void_p).value or 0
        buffer = bytearray(_SIZE * self.count)
        templates: Dict[Tuple[HandlerName, int], bytes] = {}
        for position, (handler, _, options) in enumerate(items):
            key = handler, id(options)
            template = templates.get(key)
            if template is None:
                template = templates[key] = self._template(handler, options)
            start = position * _SIZE
            buffer[start : start + _SIZE] = template
            data, kind = inputs[position]
            _TEXT.pack_into(buffer, start + _INPUT_AT, at, len(data))
            at += len(data)
            if kind is payload.OCTETS and not options.get("content_type"):
                _TEXT.pack_into(buffer, start + _KIND_AT, _OCTETS_AT, len(payload.OCTETS))
        self.array = (s.StepSpec * self.count).from_buffer(buffer)

    def _template(self, handler: HandlerName, options: Mapping[str, Any]) -> bytes:
        """Everything but the input."""
        spec = s.StepSpec()
        spec.put("handler_name", name_of(handler).encode())
        for option, said in _defaults(handler, options).items():
            if said is not None:
                _put(spec, option, said)
        self._kept.append(spec)
        return bytes(spec)


def _defaults(handler: HandlerName, options: Mapping[str, Any]) -> Dict[str, Any]:
    """The options, and where they do not say it the version and namespace of the handler that is meant."""
    said = dict(options)
    if isinstance(handler, StepFunction):
        for name in ("version", "namespace"):
            if said.get(name) is None:
                said[name] = handler.options.get(name)
        if said.get("queue") is None:
            said["queue"] = handler.queue
    return said


def _input(value: Any) -> Tuple[bytes, bytes]:
    if value is None:
        return b"{}", payload.JSON
    try:
        return payload.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument("the input cannot be written as JSON: %s" % error) from error


def _put(spec: s.StepSpec, option: str, value: Any) -> None:
    if option in _TEXTS:
        if not isinstance(value, str) or not value:
            raise InvalidArgument("%s is %r: it must be a text, or left out" % (option, value))
        spec.put(_TEXTS[option], value.encode())
    elif option in _DURATIONS:
        setattr(spec, _DURATIONS[option], milliseconds(value, option))
    elif option in _OTHERS:
        _put_other(spec, option, value)
    else:
        raise TypeError("enqueue has no option %r; those there are: %s" % (option, ", ".join(known())))


def _put_other(spec: s.StepSpec, option: str, value: Any) -> None:
    if option == "priority":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= 10000:
            raise InvalidArgument("priority is %r: it must be from 1 to 10000" % (value,))
        spec.priority = value
    elif option == "run_at":
        spec.run_at_us = microseconds(value, option)
    elif option == "retry":
        for field, number in retry_of(value).fields().items():
            setattr(spec, field, number)
    elif option == "tags":
        spec.put("tags", str(words(value)).encode())
    elif option == "config":
        spec.put("step_config", payload.dumps(value))
    elif option == "unique_scope":
        spec.unique_scope = _bits(value, {"queue": s.UNIQUE_QUEUE, "handler": s.UNIQUE_HANDLER}, option)
    elif option == "unique_states":
        spec.unique_states = _bits(value, {name: 1 << number for name, number in STATES.items()}, option)


def _bits(value: Words, known_bits: Mapping[str, int], option: str) -> int:
    names: List[str] = value.split(",") if isinstance(value, str) else list(value or ())
    bits = 0
    for name in names:
        if name not in known_bits:
            raise InvalidArgument("%s names %r: it must be of %s" % (option, name, ", ".join(known_bits)))
        bits |= known_bits[name]
    return bits


def known() -> List[str]:
    return sorted({*_TEXTS, *_DURATIONS, *_OTHERS})
