# SPDX-License-Identifier: MIT
"""The engine's calls in Python's terms. Everything here may be used on any thread.

An Engine is closed once, by ``close``, by the garbage collector or when the interpreter exits, whichever comes first;
calls that are inside it then come back with ShutDown before it goes away.
"""
from __future__ import annotations

import ctypes
import json
import os
import weakref
from ctypes import byref
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from . import _native, payload
from . import _structs as s
from ._native import lib
from .clock import Clock
from .duration import timeout_ms
from .errors import Forked, InvalidArgument
from .function import StepFunction
from .gate import Gate
from .handle import StepId, id_bytes
from .layout import picker
from .outcome import StepCancelled, StepFailed, StepQuarantined
from .spec import Specs

#: How long a call may stay in the library before it looks for signals of Python.
SLICE_MS = 200

#: Durability, id, and whether the step was there before.
Enqueued = Tuple[int, bytes, int]
_ENQUEUED = picker(s.Enqueued, "durability", "step_id", "is_existing")


class Outcome(NamedTuple):
    """What a step succeeded with."""

    value: Any
    metadata: Optional[Dict[str, Any]]


class _Process:
    """Whether this process may open a store.

    A child that was forked while one was open may not: SQLite's mutexes may be held there by threads that are not in
    the child, and its notes of what is locked are the parent's, so that it would write without locks.
    """

    def __init__(self) -> None:
        self.open: Set[int] = set()
        self.is_tainted = False
        os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        self.is_tainted = self.is_tainted or bool(self.open)

    def check(self) -> None:
        if self.is_tainted:
            raise Forked(
                "this process was forked while its parent had a store open, so SQLite cannot be used in it: "
                "fork before the app is first used, or start the process anew (multiprocessing: spawn)"
            )


_process = _Process()


def close_worker(gate: Gate) -> None:
    """Ends a worker. What was polled and not answered counts as lost."""
    gate.close(lambda worker: lib.stepbus_worker_stop(worker, 0, None, None), lib.stepbus_worker_free)


def _close(gate: Gate, workers: List[Gate]) -> None:
    """Ends an engine, after its workers: the garbage collector may come to them in any order."""
    for worker in list(workers):
        close_worker(worker)
    gate.close(lambda engine: lib.stepbus_stop(engine, 0, None, None), _free)


def _free(engine: int) -> None:
    lib.stepbus_close(engine)
    _process.open.discard(engine)


class Engine:
    def __init__(self, config: Mapping[str, Any], clock: Optional[Clock] = None) -> None:
        text = json.dumps(config).encode()
        options = s.Options(config=text, config_len=len(text))
        host = s.Host()
        if clock is not None:
            clock.lend(host)
            options.host = ctypes.pointer(host)
        _process.check()
        handle = _native.make("stepbus_open", byref(options))
        _process.open.add(handle)
        self.clock = clock  # must outlive the engine
        self.gate = Gate(handle, "the engine")
        self._workers: List[Gate] = []
        self._finalizer = weakref.finalize(self, _close, self.gate, self._workers)
        self._finalizer.atexit = False

    def close(self) -> None:
        self._finalizer()

    def abandon(self) -> None:
        """Closes nothing: the process ends, and handlers still run."""
        self._finalizer.detach()

    def is_closed(self) -> bool:
        return self.gate.is_closed()

    # Handlers

    def register(self, function: StepFunction[Any]) -> None:
        with self.gate as engine:
            _native.call("stepbus_registry_register", lib.stepbus_engine_registry(engine), byref(function.spec()))

    # Steps

    def enqueue(self, specs: Specs) -> Iterable[Enqueued]:
        """Enqueues steps in one transaction."""
        out = (s.Enqueued * specs.count)()
        out[0].size = ctypes.sizeof(s.Enqueued)
        with self.gate as engine:
            _native.call("stepbus_step_enqueue", engine, specs.array, specs.count, out)
        rows: Iterable[Any] = _ENQUEUED.iter_unpack(bytes(out))
        return rows

    def _look(self, step_id: bytes, wait_ms: int) -> Optional[int]:
        """Waits for a step's outcome for a while: its handle, to be freed, or None: it is not final."""
        out = ctypes.c_void_p()
        err = s.Error()
        with self.gate as engine:
            status = lib.stepbus_step_await(engine, step_id, wait_ms, byref(out), byref(err))
        if status == s.ETIMEDOUT:
            return None
        _native.check(status, err)
        return out.value

    def outcome(self, step_id: bytes, wait_ms: int) -> Optional[Outcome]:
        """Looks once; None: it is not final. Raises StepFailed where it ended without a result."""
        handle = self._look(step_id, wait_ms)
        if handle is None:
            return None
        try:
            completion = lib.stepbus_outcome_completion(handle)[0]
            if completion.outcome == s.OUTCOME_SUCCESS:
                value = payload.decode(completion.get("result"), completion.get("content_type"))
                return Outcome(value, payload.optional(completion.get("metadata")))
            error = _failed(step_id, completion)
        finally:
            lib.stepbus_outcome_free(handle)
        self._add_attempts(error, step_id)
        raise error

    def _add_attempts(self, error: StepFailed, step_id: bytes) -> None:
        attempts = self.attempts(step_id)
        error.attempts = len(attempts)
        for attempt in reversed(attempts):
            if attempt.get("backtrace"):
                error.backtrace = attempt["backtrace"]
                break

    def cancel(self, step: StepId) -> None:
        self.run("stepbus_step_cancel", id_bytes(step))

    def redrive(self, step: StepId) -> None:
        self.run("stepbus_step_redrive", id_bytes(step))

    def redrive_all(self, query: Mapping[str, Any]) -> int:
        return self._count("stepbus_step_redrive_all", query)

    def count(self, query: Mapping[str, Any]) -> int:
        return self._count("stepbus_step_count", query)

    def _count(self, name: str, query: Mapping[str, Any]) -> int:
        count = ctypes.c_uint64()
        self.run(name, *_native.pair(json.dumps(query)), byref(count))
        return count.value

    def info(self, step: StepId) -> Dict[str, Any]:
        found: Dict[str, Any] = self.ask("stepbus_step_info", id_bytes(step))
        return found

    def attempts(self, step: StepId) -> List[Dict[str, Any]]:
        found: List[Dict[str, Any]] = self.ask("stepbus_step_attempts", id_bytes(step))
        return found

    def page(self, query: Mapping[str, Any]) -> Dict[str, Any]:
        found: Dict[str, Any] = self.ask("stepbus_step_list", *_native.pair(json.dumps(query)))
        return found

    # Workers

    def start_worker(self, settings: Mapping[str, Any]) -> Gate:
        with self.gate as engine:
            worker = _native.make("stepbus_worker_start", engine, *_native.pair(json.dumps(settings)))
            gate = Gate(worker, "the worker")
            self._workers[:] = [other for other in self._workers if not other.is_closed()] + [gate]
            return gate

    def stop(self, timeout: Optional[float]) -> None:
        self.run("stepbus_stop", timeout_ms(timeout), None)

    # What the calls have in common

    def run(self, name: str, *arguments: Any) -> None:
        with self.gate as engine:
            _native.call(name, engine, *arguments)

    def ask(self, name: str, *arguments: Any) -> Any:
        with self.gate as engine:
            return _native.ask_json(name, engine, *arguments)


def _failed(step_id: bytes, completion: s.CompletionView) -> StepFailed:
    kinds = {s.OUTCOME_CANCELLED: StepCancelled, s.OUTCOME_QUARANTINED: StepQuarantined}
    kind = kinds.get(completion.outcome, StepFailed)
    return kind(
        completion.get("error_message").decode("utf-8", "replace"),
        _native.id_uuid(step_id),
        error_type=completion.get("error_type").decode("utf-8", "replace"),
        error_code=completion.get("error_code").decode("utf-8", "replace"),
        retryable=bool(completion.is_retryable),
        metadata=payload.optional(completion.get("metadata")),
    )


def check_count(items: Sequence[Any]) -> None:
    if len(items) > 100000:
        raise InvalidArgument("enqueue_many takes at most 100000 steps at once, not %d" % len(items))
