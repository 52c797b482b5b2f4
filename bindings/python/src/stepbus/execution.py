# SPDX-License-Identifier: MIT
"""Runs the function of one step and makes its answer. Nothing that a handler does comes out of here but an answer.

None as an answer means that there is none to send: the handler left it to others, or handed it in itself.
"""
from __future__ import annotations

import asyncio
import inspect
from time import perf_counter_ns
from typing import Any, Optional

from . import answer, payload
from . import _structs as s
from .answer import Answer
from .function import StepFunction
from .functions import Functions
from .logs import WORKER as LOG
from .logs import of_step
from .outcome import Later
from .step import Step

_EMPTY = b"{}"
_JSON = payload.JSON
_ABSENT: Any = object()


class Execution:
    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._single = functions.single
        #: The last KeyboardInterrupt that came up in a handler, for those that run handlers on the main thread.
        self.interrupt: Optional[KeyboardInterrupt] = None

    def run(self, step: Step) -> Optional[Answer]:
        """Runs a step. One whose function is async gets an event loop for itself."""
        began = perf_counter_ns()
        function = self._single.get(step._name) or self._functions.find(step)
        if function is None:
            return _unknown(step)
        if function.is_async:
            try:
                return asyncio.run(self.run_async(step, function, is_alone=True))
            except BaseException as error:  # of what else the handler left in that loop
                self._note_interrupt(error)
                return _raised(step, began, error)
        try:
            if function.is_plain and step._kind == _JSON:
                result = function.function() if step._input == _EMPTY else _call_plainly(function, step)
            else:
                result = _call(function, step)
        except BaseException as error:
            self._note_interrupt(error)
            return _raised(step, began, error)
        us = (perf_counter_ns() - began) // 1000
        if result is None and not step._gone:
            return step, s.OUTCOME_SUCCESS, payload.NULL, payload.JSON, us, None
        return finish(function, step, us, result)

    def _note_interrupt(self, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.interrupt = error

    async def run_async(
        self, step: Step, function: StepFunction[Any], is_alone: bool = False
    ) -> Optional[Answer]:
        """Runs a step whose function is async. SystemExit and the like do not reach the event loop."""
        began = perf_counter_ns()
        try:
            result = await _call(function, step)
        except BaseException as error:
            # By this asyncio.run tells an interrupt, where it has the loop for itself.
            if is_alone and isinstance(error, asyncio.CancelledError):
                raise
            self._note_interrupt(error)
            return _raised(step, began, error)
        return finish(function, step, (perf_counter_ns() - began) // 1000, result)


class BadInput(Exception):
    """The input does not fit the handler; it would not fit it better at the next attempt."""


def _call_plainly(function: StepFunction[Any], step: Step) -> Any:
    """The same as _call for the most usual case, in fewer steps."""
    try:
        value = payload.loads(step._input)
    except (ValueError, RecursionError) as error:
        raise BadInput("the input is not JSON: %s" % error) from None
    return function.function(**value) if type(value) is dict else function.invoke(step, value)


def _call(function: StepFunction[Any], step: Step) -> Any:
    try:
        value = payload.decode(step._input, step._kind)
    except (ValueError, RecursionError) as error:
        raise BadInput("the input is not JSON: %s" % error) from None
    return function.invoke(step, value)


def _raised(step: Step, began: int, error: BaseException) -> Optional[Answer]:
    us = (perf_counter_ns() - began) // 1000
    if step._gone:
        LOG.warning("%r raised after its answer was handed in: %s", step, error, extra=of_step(step))
        return None
    if isinstance(error, BadInput):
        return answer.failure(step, us, "bad_input", str(error))
    tb = error.__traceback__
    inner = _below(tb)
    if isinstance(error, TypeError) and inner is None:
        return answer.failure(step, us, "bad_input", "the input does not fit the handler: %s" % answer.message_of(error))
    try:
        return answer.raised(step, us, error, inner)
    except BaseException as other:
        return _unwritten(step, us, other)


def _below(tb: Any) -> Any:
    """The part of a traceback that is not this package's own; None where nothing else ran."""
    while tb is not None and tb.tb_frame.f_code in _OWN:
        tb = tb.tb_next
    return tb


def finish(function: StepFunction[Any], step: Step, us: int, result: Any) -> Optional[Answer]:
    """The answer to what a function returned; to look at that may raise (a proxy of nothing does), whatever it likes."""
    try:
        return _finish(step, us, result)
    except BaseException as error:
        return _unwritten(step, us, error)


def _finish(step: Step, us: int, result: Any) -> Optional[Answer]:
    if step._gone:
        if result is not None and not isinstance(result, Later):
            LOG.warning("%r returned a result after its answer was handed in", step, extra=of_step(step))
        return None
    if isinstance(result, Later):
        return None
    if inspect.iscoroutine(result):
        result.close()
        text = "the handler returned a coroutine: declare it with async def, or await what it calls"
        return answer.failure(step, us, "bad_result", text)
    pending = getattr(step, "_pending", _ABSENT)
    if pending is not _ABSENT and result is not pending and not isinstance(result, Exception):
        return answer.failure(step, us, "bad_result", "step.checkpoint was called, but its value was not returned")
    return answer.returned(step, us, result)


def _unwritten(step: Step, us: int, error: BaseException) -> Answer:
    return answer.failure(step, us, "bad_result", "the handler's result cannot be written: %s" % answer.message_of(error))


def _unknown(step: Step) -> Answer:
    LOG.error("step %s is for %s, which this app has not registered", step.id, step.handler_name)
    return answer.released(step)


_OWN = frozenset((
    Execution.run.__code__, Execution.run_async.__code__, _call.__code__, _call_plainly.__code__,
    StepFunction.invoke.__code__,
))  # fmt: skip
