# SPDX-License-Identifier: MIT
"""The answers to steps, and how many of them become one array of completions.

An answer is a tuple: the step, the outcome, the result's bytes, their content type, how long the attempt took in
microseconds, and what else is said (``Said``), None for a plain success. Tuples, since hundreds of thousands of them
a second are made.
"""
from __future__ import annotations

import ctypes
import struct
import traceback
from types import TracebackType
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from . import _structs as s
from . import payload
from .duration import milliseconds
from .errors import StepFailure
from .outcome import Checkpoint, Snooze
from .step import Step

BACKTRACE_LEN_MAX = 65536
WORD_LEN_MAX = 128
MESSAGE_LEN_MAX = 8192


class Content:
    """A result that says its own content type or metadata: ``return Content(png, "image/png")``."""

    __slots__ = ("data", "content_type", "metadata")

    def __init__(self, data: Any, content_type: Optional[str] = None, metadata: Optional[Mapping[str, Any]] = None):
        self.data = data
        self.content_type = content_type
        self.metadata = metadata


class Said:
    """What is said besides a plain result; names and meanings as in stepbus_completion."""

    __slots__ = ("numbers", "texts")

    def __init__(self, numbers: Dict[str, int], texts: Dict[str, bytes]) -> None:
        self.numbers = numbers
        self.texts = texts

    @property
    def is_retryable(self) -> bool:
        return bool(self.numbers.get("is_retryable"))

    def text(self, name: str) -> str:
        return self.texts.get(name, b"").decode("utf-8", "replace")


Answer = Tuple[Step, int, bytes, bytes, int, Optional[Said]]


def failure(step: Step, us: int, error_type: str, message: str, **more: Any) -> Answer:
    """A failure in our own words: retryable, retry_after_ms, error_code, metadata, backtrace."""
    texts = {"error_type": _cut(error_type, WORD_LEN_MAX), "error_message": _cut(message, MESSAGE_LEN_MAX)}
    if more.get("error_code"):
        texts["error_code"] = _cut(str(more["error_code"]), WORD_LEN_MAX)
    if more.get("metadata"):
        texts["metadata"] = _metadata(more["metadata"])
    if more.get("backtrace"):
        texts["backtrace"] = _middle_out(more["backtrace"], BACKTRACE_LEN_MAX)
    numbers = {"is_retryable": int(more.get("retryable", False)), "retry_after_ms": more.get("retry_after_ms", -1)}
    return step, s.OUTCOME_FAILURE, b"", b"", us, Said(numbers, texts)


def raised(step: Step, us: int, error: BaseException, tb: Optional[TracebackType]) -> Answer:
    """The answer to what a handler raised. tb begins in the handler's own code."""
    if isinstance(error, (Snooze, Checkpoint)):
        return returned(step, us, error)
    more: Dict[str, Any] = {"retryable": True, "backtrace": _backtrace(error, tb)}
    name = type(error).__name__
    if isinstance(error, StepFailure):
        name = error.error_type
        more.update(retryable=error.retryable, error_code=error.error_code, metadata=error.context)
        if error.retry_after is not None:
            more["retry_after_ms"] = milliseconds(error.retry_after, "retry_after")
    return failure(step, us, name, message_of(error), **more)


def returned(step: Step, us: int, value: Any) -> Answer:
    """The answer to what a handler returned; TypeError and ValueError where it cannot be written."""
    if isinstance(value, Snooze):
        return step, s.OUTCOME_SNOOZE, b"", b"", us, Said({"retry_after_ms": value.delay_ms}, {})
    if isinstance(value, Checkpoint):
        cursor = payload.dumps(value.cursor)
        partial = b"" if value.partial is None else payload.dumps(value.partial)
        said = Said({"retry_after_ms": -1, "items_processed": value.items}, {"cursor": cursor})
        return step, s.OUTCOME_CHECKPOINT, partial, payload.JSON if partial else b"", us, said
    if isinstance(value, StepFailure):
        return raised(step, us, value, value.__traceback__)
    if isinstance(value, Content):
        data, kind = payload.encode(value.data)
        texts = {"metadata": _metadata(value.metadata)} if value.metadata else {}
        kind = value.content_type.encode() if value.content_type else kind
        return step, s.OUTCOME_SUCCESS, data, kind, us, Said({"retry_after_ms": -1}, texts)
    data, kind = payload.encode(value)
    return step, s.OUTCOME_SUCCESS, data, kind, us, None


def released(step: Step) -> Answer:
    return step, s.OUTCOME_RELEASE, b"", b"", 0, Said({"retry_after_ms": -1}, {})


def message_of(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except BaseException:  # a __str__ that raises must not hide the failure
        return "%s, whose text cannot be had" % type(error).__name__


def _backtrace(error: BaseException, tb: Optional[TracebackType]) -> str:
    try:
        return "".join(traceback.format_exception(type(error), error, tb))
    except BaseException:
        return "".join(traceback.format_tb(tb))


def _cut(text: str, length: int) -> bytes:
    return text.encode("utf-8", "replace")[:length]


def _middle_out(text: str, length: int) -> bytes:
    """Cuts out the middle: a traceback says where it began at its top, and what happened at its end."""
    data = text.encode("utf-8", "replace")
    if len(data) <= length:
        return data
    half = (length - 16) // 2
    return data[:half] + b"\n  ...\n" + data[-half:]


def _metadata(value: Mapping[str, Any]) -> bytes:
    """Metadata as JSON. Where JSON cannot hold it, its repr is better than losing the answer it comes with."""
    try:
        return payload.dumps(dict(value))
    except (TypeError, ValueError, RecursionError):
        return payload.dumps({"unserialisable": repr(value)[:1000]})


# Completions

_SIZE = ctypes.sizeof(s.Completion)
_NULL = payload.NULL

#: What differs between plain successes: which attempt it is, how long it took, and the result.
_ATTEMPT = struct.Struct("@16s16xQq")
_ATTEMPT_AT = s.Completion.step_id.offset
_RESULT = struct.Struct("@PNPN")
_RESULT_AT = s.Completion.result.offset

_words = {word: ctypes.create_string_buffer(word) for word in (payload.JSON, payload.OCTETS, payload.NULL)}
_addresses = {word: ctypes.addressof(buffer) for word, buffer in _words.items()}


def _plain() -> bytes:
    """A success with nothing to tell; its texts lie in _words."""
    one = s.Completion(outcome=s.OUTCOME_SUCCESS, retry_after_ms=-1)
    made = bytearray(bytes(one))
    _RESULT.pack_into(made, _RESULT_AT, _addresses[_NULL], len(_NULL), _addresses[payload.JSON], len(payload.JSON))
    return bytes(made)


_PLAIN = _plain()


class Completions:
    """An array of completions made of answers, and what it points at."""

    __slots__ = ("array", "count", "_kept")

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.count = len(answers)
        buffer = bytearray(_PLAIN * self.count)
        blob = b"".join([answer[2] for answer in answers if answer[2] is not _NULL])
        self._kept: List[Any] = [blob]
        self._pack(answers, buffer, ctypes.cast(ctypes.c_char_p(blob), ctypes.c_void_p).value or 0)
        self.array = (s.Completion * self.count).from_buffer(buffer)

    def _pack(self, answers: Sequence[Answer], buffer: bytearray, at: int) -> None:
        pack, position = _ATTEMPT.pack_into, 0
        pack_result, kinds = _RESULT.pack_into, _addresses
        for step, outcome, result, kind, us, said in answers:
            row = step._row
            if said is not None:
                self._pack_said(buffer, position, (step, outcome, result, kind, us, said))
            else:
                pack(buffer, position + _ATTEMPT_AT, row[0], row[1], us)
                if result is not _NULL:
                    pack_result(buffer, position + _RESULT_AT, at, len(result), kinds[kind], len(kind))
            if result is not _NULL:
                at += len(result)
            position += _SIZE

    def _pack_said(self, buffer: bytearray, position: int, answer: Answer) -> None:
        step, outcome, result, kind, us, said = answer
        assert said is not None
        one = s.Completion(outcome=outcome, token=step._row[1], execution_time_us=us, **said.numbers)
        one.step_id[:] = step._row[0]
        one.put("result", result or None)
        one.put("content_type", kind or None)
        for name, text in said.texts.items():
            one.put(name, text or None)
        buffer[position : position + _SIZE] = bytes(one)
        self._kept.append(one)
