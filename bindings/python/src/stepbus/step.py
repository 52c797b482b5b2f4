# SPDX-License-Identifier: MIT
"""One attempt of one step, as a handler sees it.

What every handler needs (id, token, attempt, handler, input) is copied when the step is polled. The rest is read when
it is asked for, from memory that the library keeps until the step is answered; asking for it later raises
``Already``. A Step may be used on any thread.
"""
from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple
from uuid import UUID

from . import payload
from . import _structs as s
from .duration import Seconds
from .errors import Already
from .layout import picker
from .memory import window
from .outcome import LATER, Checkpoint, Later, Snooze

if TYPE_CHECKING:
    from .worker import Worker

#: What every step needs; the position of each in a row.
ROW = picker(
    s.StepEvent, "step_id", "token", "retry_count", "handler_name", "handler_name_len", "input", "input_len",
    "content_type", "content_type_len",
)  # fmt: skip

_PAIR = struct.Struct("@PN")
_COUNT = struct.Struct("@I")
_WIDE = struct.Struct("@Q")
_SIGNED = struct.Struct("@q")

Row = Tuple[bytes, int, int, int, int, int, int, int, int]


class Batch:
    """What the steps of one poll share: their worker, a copy of the events, and when they were polled."""

    __slots__ = ("worker", "events", "polled_at")

    def __init__(self, worker: "Worker", events: bytes) -> None:
        self.worker = worker
        self.events = events
        self.polled_at = time.monotonic()


class Step:
    """One attempt of one step."""

    __slots__ = ("_batch", "_at", "_row", "_gone", "_input", "_kind", "_name", "_pending")

    def __init__(self, batch: Batch, at: int, row: Row) -> None:
        self._batch = batch
        self._at = at
        self._row = row
        # How many answers of it are accepted or under way; while it is 0, what the library keeps of it may be read.
        self._gone = 0
        self._name: bytes = window[row[3] : row[3] + row[4]]
        self._input: bytes = window[row[5] : row[5] + row[6]]
        self._kind: bytes = window[row[7] : row[7] + row[8]]

    # What it is

    @property
    def id(self) -> UUID:
        return UUID(bytes=self._row[0])

    @property
    def token(self) -> int:
        """Names the attempt, with the id; tokens of a step only grow."""
        return self._row[1]

    @property
    def attempt(self) -> int:
        """1 for the first attempt."""
        return self._row[2] + 1

    @property
    def attempts_max(self) -> int:
        """How many attempts there may be, with this one."""
        at = self._at + s.StepEvent.max_retries.offset
        return int(_COUNT.unpack_from(self._batch.events, at)[0]) + 1

    @property
    def handler_name(self) -> str:
        return self._name.decode()

    @property
    def handler_namespace(self) -> str:
        return self._text("handler_namespace")

    @property
    def handler_version(self) -> str:
        """The version that was asked for; may be empty."""
        return self._text("handler_version")

    @property
    def name(self) -> str:
        """What it is called in its task; may be empty."""
        return self._text("step_name")

    @property
    def queue(self) -> str:
        return self._text("queue")

    @property
    def correlation_id(self) -> str:
        return self._text("correlation_id")

    @property
    def traceparent(self) -> str:
        """The W3C trace context it was enqueued with; may be empty."""
        return self._text("traceparent")

    @property
    def headers(self) -> Dict[str, str]:
        """correlation_id and traceparent, as far as they are said: to hand on with requests and further steps."""
        said = {"correlation_id": self.correlation_id, "traceparent": self.traceparent}
        return {name: value for name, value in said.items() if value}

    # What it is given

    @property
    def input(self) -> bytes:
        """The input as it was enqueued."""
        return self._input

    @property
    def content_type(self) -> str:
        return self._kind.decode()

    @property
    def value(self) -> Any:
        """The input, decoded: JSON as a value, anything else as bytes."""
        return payload.decode(self._input, self._kind)

    @property
    def config(self) -> Any:
        """The step's settings; None where there are none."""
        return payload.optional(self._field("step_config"))

    @property
    def cursor(self) -> Any:
        """Where the last checkpoint said to go on; None at the beginning."""
        return payload.optional(self._field("cursor"))

    @property
    def partial(self) -> Any:
        """What the last checkpoint had so far."""
        return payload.optional(self._field("partial_result"))

    @property
    def items(self) -> int:
        """The items that the last checkpoint counted."""
        return int(_WIDE.unpack_from(self._batch.events, self._at + s.StepEvent.items_processed.offset)[0])

    @property
    def dependencies(self) -> Dict[str, Any]:
        """The results of the steps that this one depends on, decoded, by their names."""
        return {name: payload.decode(data, kind) for name, data, kind in self._dependencies()}

    # Whether to go on

    @property
    def deadline(self) -> Optional[float]:
        """When the attempt's time is over, on the clock of time.monotonic; None: never."""
        at = self._at + s.StepEvent.attempt_timeout_ms.offset
        timeout: int = _SIGNED.unpack_from(self._batch.events, at)[0]
        return self._batch.polled_at + timeout / 1000 if timeout > 0 else None

    @property
    def cancelled(self) -> bool:
        """Whether a result would be refused: it was cancelled, its time is over, or its lease was lost."""
        return self._batch.worker.is_cancelled(self)

    def heartbeat(self) -> bool:
        """Shows that the step is still being worked on. False: the worker is being stopped, finish soon.

        Raises Cancelled, TimedOut or Stale where the result would be refused: let it pass. Raises Busy
        where the lease is over and may be lost: another worker may have the step.
        """
        return self._batch.worker.heartbeat(self)

    # What a handler returns or raises besides a value

    def checkpoint(self, cursor: Any, partial: Any = None, items: int = 0) -> Checkpoint:
        """``return step.checkpoint(cursor)`` ends this attempt, uncharged, and keeps cursor and partial.

        The step goes on at once, here or in another process, with ``step.cursor`` and ``step.partial``. Both are
        values that JSON can hold. It may be raised as well; calling it and returning something else is an error.
        """
        self._pending = Checkpoint(cursor, partial, items)
        return self._pending

    def snooze(self, delay: Seconds) -> Snooze:
        """``return step.snooze(30)`` runs the step again after a while, uncharged."""
        return Snooze(delay)

    def later(self) -> Later:
        """``return step.later()`` leaves the answer to whoever calls ``step.complete`` or ``step.fail``."""
        return LATER

    # Answering it oneself, on any thread

    def complete(self, value: Any = None) -> None:
        """Hands the result in, and returns when it is durable.

        Raises what the library answers: Already (another result was handed in before), Stale, TimedOut, Cancelled,
        NotFound; Busy means that the same call may succeed later. The same result once more is fine.
        """
        self._batch.worker.answer(self, value)

    def fail(self, error: BaseException) -> None:
        """Hands in a failure, as if the handler had raised this."""
        self._batch.worker.answer(self, error)

    def release(self) -> None:
        """Gives the step back, as if it had not been handed out."""
        self._batch.worker.release(self)

    def _view(self, address: int, length: int) -> bytes:
        """Copies what the library keeps until the step is answered."""
        with self._batch.worker.views:
            if self._gone:
                raise Already("step %s was answered: read what you need of it before" % self.id)
            data: bytes = window[address : address + length] if length else b""
            return data

    def _field(self, name: str) -> bytes:
        at = self._at + getattr(s.StepEvent, name).offset
        return self._view(*_PAIR.unpack_from(self._batch.events, at))

    def _text(self, name: str) -> str:
        return self._field(name).decode("utf-8", "replace")

    def _dependencies(self) -> List[Tuple[str, bytes, bytes]]:
        with self._batch.worker.views:
            if self._gone:
                raise Already("step %s was answered: read what you need of it before" % self.id)
            event = s.StepEvent.from_buffer_copy(self._batch.events, self._at)
            return [
                (one.get("step_name").decode(), one.get("result"), one.get("content_type"))
                for one in event.dependencies[: event.dependency_count]
            ]

    def __repr__(self) -> str:
        return "<stepbus.Step %s token %d>" % (self.id, self.token)


__all__ = ["Batch", "Step", "ROW"]
