# SPDX-License-Identifier: MIT
"""A worker that is polled: the layer that ``app.run`` and ``app.serve`` stand on, and one to use directly.

    worker = app.worker(queues=["mail"])
    for step in worker.poll(256, timeout=1.0):
        worker.complete([(step, handle(step.value))])

A step that was polled is answered once: by ``complete``, ``step.complete``, ``step.fail`` or ``step.release``, on any
thread. Until then the library renews its lease. What is not answered when the worker is closed goes back.
"""
from __future__ import annotations

import ctypes
import json
import threading
import time
import weakref
from collections import deque
from ctypes import byref
from itertools import count as count_up
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from . import _native, answer
from . import _structs as s
from ._native import lib
from .answer import Answer, Completions
from .duration import Seconds, timeout_ms
from .engine import SLICE_MS, close_worker
from .errors import StepbusError, from_status
from .logs import WORKER as LOG
from .outcome import Later
from .step import ROW, Batch, Step

if TYPE_CHECKING:
    from .engine import Engine

POLL_COUNT_MAX = 256
GIVE_BACK_COUNT = 1024

#: After these the step is still ours, and the same answer may be accepted later.
SEND_AGAIN = frozenset(
    (s.EBUSY, s.ENOMEM, s.ESTORE, s.ENOSPACE, s.EREADONLY, s.EFULL, s.ESYSTEM, s.ECORRUPT)
)

_EVENT_SIZE = ctypes.sizeof(s.StepEvent)


class _Room:
    """Where one poll writes; made once and used again."""

    __slots__ = ("events", "bytes", "count", "count_at", "err", "err_at")

    def __init__(self) -> None:
        self.events = (s.StepEvent * POLL_COUNT_MAX)()
        self.bytes = memoryview(self.events).cast("B")
        self.count = ctypes.c_size_t()
        self.count_at = byref(self.count)
        self.err = s.Error()
        self.err_at = byref(self.err)


class Worker:
    """A pull worker. Closed by ``close``, by the end of a ``with``, or with its app."""

    def __init__(self, engine: "Engine", settings: Optional[Mapping[str, Any]] = None) -> None:
        self.engine = engine
        self.settings: Dict[str, Any] = {**(settings or {}), "pull": True}
        #: Guards what steps point at: taken to read it, and to say that it is going away.
        self.views = threading.Lock()
        self._held: Set[Step] = set()
        self._rooms: Deque[_Room] = deque()
        self.gate = engine.start_worker(self.settings)
        self.gate.before_free = _weakly(self._let_go)
        self._poll = lib.stepbus_poll
        self._complete = lib.stepbus_complete
        self._finalizer = weakref.finalize(self, close_worker, self.gate)
        self._finalizer.atexit = False

    # Taking steps

    def poll(self, count_max: int = POLL_COUNT_MAX, timeout: Optional[Seconds] = 0) -> List[Step]:
        """Takes the next steps, waiting for the first one; None waits until the worker is stopped.

        Gives an empty list where none came. Raises ShutDown once the worker is stopped, Busy where so many steps
        wait for their answer that no more are handed out.
        """
        limit = timeout_ms(timeout)
        end = time.monotonic() + limit / 1000
        while True:
            left = SLICE_MS if limit < 0 else max(0, int((end - time.monotonic()) * 1000))
            steps = self.poll_once(count_max, min(left, SLICE_MS))
            if steps or 0 <= limit and left <= SLICE_MS:
                return steps

    def poll_once(self, count_max: int, wait_ms: int) -> List[Step]:
        """The same with one call of the library, which Python's signals cannot interrupt."""
        with self.gate as worker:
            try:
                room = self._rooms.pop()
            except IndexError:
                room = _Room()
            events = room.events
            events[0].size = _EVENT_SIZE
            status = self._poll(worker, events, min(count_max, POLL_COUNT_MAX), wait_ms, room.count_at, room.err_at)
            count = room.count.value
            try:
                steps = self._read(room, count) if count else []
            except BaseException:
                self._unread(events, count)
                raise
            message = room.err.message if status and not count else b""
            self._rooms.append(room)
        if status and not count and status != s.ETIMEDOUT:
            raise from_status(status, message.decode("utf-8", "replace"))
        return steps

    def _read(self, room: _Room, count: int) -> List[Step]:
        events = bytes(room.bytes[: count * _EVENT_SIZE])
        batch = Batch(self, events)
        rows: Iterable[Any] = ROW.iter_unpack(events)
        steps = [Step(batch, at, row) for at, row in zip(count_up(0, _EVENT_SIZE), rows)]
        self._held.update(steps)
        return steps

    def _unread(self, events: Any, count: int) -> None:
        """Gives back what was polled and nobody heard of."""
        with self.engine.gate as engine:
            for i in range(count):
                lib.stepbus_release(engine, bytes(events[i].step_id), events[i].token, None)

    # Answering

    def complete(self, results: Iterable[Tuple[Step, Any]]) -> List[Optional[StepbusError]]:
        """Answers many steps in one transaction: each with a value, an exception, a Snooze or a Checkpoint.

        Gives for each one None where it was accepted, and otherwise why not. After Busy, OutOfMemory and errors of
        the store the step is still yours, and the same answer may be accepted later.
        """
        answers = [_answer_of(step, value) for step, value in results]
        statuses = self.submit(answers)
        if statuses is None:
            return [None] * len(answers)
        return [from_status(status) if status else None for status in statuses]

    def submit(self, answers: Sequence[Answer]) -> Optional[Sequence[int]]:
        """Hands answers in. None: all were accepted; else a status for each."""
        if not answers:
            return None
        completions = Completions(answers)
        statuses = (ctypes.c_int32 * completions.count)()
        with self.views:
            for one in answers:
                one[0]._gone += 1
        try:
            with self.engine.gate as engine:
                status = self._complete(engine, completions.array, completions.count, statuses, None)
        except StepbusError as error:
            status = error.code
            statuses[:] = [status] * completions.count
        if status == s.OK:
            self._held.difference_update([one[0] for one in answers])
            return None
        if status == s.EINVAL and not any(statuses):
            statuses[:] = [status] * completions.count
        each = list(statuses)
        self._settled(answers, each)
        return each

    def _settled(self, answers: Sequence[Answer], statuses: Sequence[int]) -> None:
        with self.views:
            for one, status in zip(answers, statuses):
                if status in SEND_AGAIN or status == s.EINVAL:
                    one[0]._gone -= 1  # not to 0 where another answer was accepted, or is under way
                else:
                    self._held.discard(one[0])

    def answer(self, step: Step, value: Any) -> None:
        """Answers one step, and raises why it was not accepted."""
        self._answer_one(_answer_of(step, value))

    def release(self, step: Step) -> None:
        """Gives one step back."""
        self._answer_one(answer.released(step))

    def _answer_one(self, one: Answer) -> None:
        completions = Completions([one])
        err = s.Error()
        status_of = (ctypes.c_int32 * 1)()
        with self.views:
            one[0]._gone += 1
        with self.engine.gate as engine:
            status = self._complete(engine, completions.array, 1, status_of, byref(err))
        self._settled([one], [status])
        _native.check(status, err)

    def explain(self, one: Answer) -> str:
        """What the library says against an answer that it found invalid."""
        try:
            self._answer_one(one)
        except StepbusError as error:
            return str(error)
        return "it is not valid"

    # Asking

    def is_cancelled(self, step: Step) -> bool:
        with self.engine.gate as engine:
            return bool(lib.stepbus_step_is_cancelled(engine, step._row[0], step._row[1]))

    def heartbeat(self, step: Step) -> bool:
        err = s.Error()
        with self.engine.gate as engine:
            status = lib.stepbus_heartbeat(engine, step._row[0], step._row[1], byref(err))
        if status == s.ESHUTDOWN:
            return False
        _native.check(status, err)
        return True

    def held(self) -> List[Step]:
        """The steps that were polled and not answered."""
        return list(self._held)

    def fileno(self) -> int:
        """A descriptor that is readable while ``poll`` has something to say; never read it."""
        fd = ctypes.c_int32()
        with self.gate as worker:
            _native.call("stepbus_wake_fd", worker, s.WAKE_EVENTFD, byref(fd))
        return fd.value

    def metrics(self) -> Dict[str, Any]:
        """How well this host keeps up; names as in stepbus_dispatch_metrics."""
        out = s.DispatchMetrics()
        with self.gate as worker:
            _native.call("stepbus_worker_metrics", worker, byref(out))
        found = {name: getattr(out, name) for name, _ in out._fields_[2:-1]}
        oldest = bytes(out.oldest_step_id)
        found.update(is_starving=bool(out.is_starving), oldest_step_id=_native.id_uuid(oldest) if any(oldest) else None)
        return found

    # Ending

    def stop(self, timeout: Optional[Seconds] = None) -> List[Dict[str, Any]]:
        """Claims no more, gives back what nobody polled, and waits for the answers to the rest.

        Gives those that were not answered in time: step_id, token, handler and running_ms of each.
        """
        out = ctypes.c_void_p()
        err = s.Error()
        with self.gate as worker:
            status = lib.stepbus_worker_stop(worker, timeout_ms(timeout), byref(out), byref(err))
        unfinished: List[Dict[str, Any]] = json.loads(_native.take_text(out.value)) if out.value else []
        if status != s.ETIMEDOUT:
            _native.check(status, err)
        return unfinished

    def give_back(self) -> None:
        """Releases all that was polled and not answered."""
        steps = self.held()
        for start in range(0, len(steps), GIVE_BACK_COUNT):
            self.submit([answer.released(step) for step in steps[start : start + GIVE_BACK_COUNT]])
        if steps:
            LOG.warning("%d steps went back unfinished, for the next worker", len(steps))

    def close(self) -> None:
        """Ends it. Steps that were polled and not answered go back."""
        self._finalizer()

    def _let_go(self) -> None:
        """The last moment in which there is something to give back and to look at."""
        self.give_back()
        with self.views:
            for step in self._held:
                step._gone += 1
            self._held.clear()

    def end_at_exit(self) -> None:
        """Gives everything back and frees nothing: handlers may still hold its steps while the process ends."""
        try:
            self.stop(0)
            self.give_back()
        except StepbusError:
            pass

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _weakly(method: Callable[[], None]) -> Callable[[], None]:
    """A method that does nothing once its object is gone: what holds it must not keep it."""
    kept = weakref.WeakMethod(method)

    def call() -> None:
        found = kept()
        if found is not None:
            found()

    return call


def _answer_of(step: Step, value: Any) -> Answer:
    if isinstance(value, Later):
        raise TypeError("LATER is no answer: it leaves one to others")
    if isinstance(value, BaseException):
        return answer.raised(step, 0, value, value.__traceback__)
    return answer.returned(step, 0, value)
