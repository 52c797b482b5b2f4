# SPDX-License-Identifier: MIT
"""StepExecutionSubscriber: from step.execution.received to step.completion.sent.

Each event ends in one submitted result, whatever the handler does: raises, cannot be made, is not there, returns
something else than a result, or a result that has no form in JSON. A submission that fails for the moment is tried
again with the same content, since an answer that did not arrive is no refusal; step.completion.sent follows only
when the result was taken in.
"""
from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
import traceback
from typing import Any, Callable, List, Mapping, Optional, Sequence, Union

from .answer import message_of
from .bridge import EventBridge, EventNames
from .encoding import to_json
from .errors import (
    Already,
    Cancelled,
    HandlerFailed,
    InvalidArgument,
    NotFound,
    ShutDown,
    Stale,
    StepbusError,
    StepFailure,
    TimedOut,
)
from .registry import HandlerDefinition, HandlerRegistry, ResolverNotFound
from .types import ErrorType, Json, ResultStatus, StepContext, StepError, StepExecutionResult, StepHandlerResult

logger = logging.getLogger("stepbus.subscriber")

# Takes a result in; False, or an exception, says that it did not.
Complete = Callable[[Any, StepExecutionResult], Any]
# Likewise for what a step has got done: {"step_uuid", "cursor", "items_processed", "accumulated_results"}.
Checkpoint = Callable[[Any, Json], Any]

BACKTRACE_LEN_MAX = 65536
MESSAGE_LEN_MAX = 500

# Answers that are final: the same call would get the same.
_SETTLED = (Already, Cancelled, NotFound, ShutDown, Stale, TimedOut, TypeError, ValueError)


class StepExecutionError(Exception):
    """What a handler may raise to fail a step with a type and a say on whether to try again."""

    def __init__(self, message: str, error_type: str = "step_execution_error", retryable: bool = True) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.retryable = retryable


class NotAccepted(StepbusError):
    """The completion function answered False."""


def backtrace_of(error: BaseException) -> str:
    """Where an exception came from; of a long one the end, where it happened."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return text[-BACKTRACE_LEN_MAX:]


def failure_of(error: BaseException) -> StepHandlerResult:
    """The failure that an exception of a handler stands for, also where it cannot be asked what it is."""
    try:
        return _described(error)
    except Exception:
        kind = type(error).__name__
        return StepHandlerResult.failure(message_of(error), error_type=kind, metadata={"traceback": backtrace_of(error)})


def _described(error: BaseException) -> StepHandlerResult:
    result = StepHandlerResult.failure(
        message_of(error),
        error_type=getattr(error, "error_type", None) or type(error).__name__,
        retryable=bool(getattr(error, "retryable", True)),
        metadata={"traceback": backtrace_of(error)},
    )
    if isinstance(error, StepFailure):
        result.metadata.update(error.context)
        result.error_code = error.error_code
    result.retry_after = getattr(error, "retry_after", None)
    return result


def safe_failure(error: BaseException, was_success: bool) -> StepHandlerResult:
    """Stands in for a result that cannot be submitted: short texts only, and no other attempt."""
    text = message_of(error)
    message = "the result cannot be submitted: %s" % text
    return StepHandlerResult.failure(
        message[:MESSAGE_LEN_MAX],
        error_type="FFI_SERIALIZATION_ERROR",
        retryable=False,
        metadata={"ffi_serialization_error": text[:MESSAGE_LEN_MAX], "original_success": str(was_success)},
    )


def definition_of(event: Any) -> HandlerDefinition:
    """Which handler an event asks for, and in which way."""
    inner = getattr(event, "execution_event", None)
    if inner is not None:
        return HandlerDefinition(str(inner.handler_name), version=getattr(inner, "handler_version", None) or None)
    whole = getattr(event, "task_sequence_step", None) or {}
    handler = (whole.get("step_definition") or {}).get("handler") or {}
    name = (
        handler.get("callable")
        or (whole.get("workflow_step") or {}).get("template_step_name")
        or (whole.get("step_template") or {}).get("handler_class")
        or "unknown_handler"
    )
    return HandlerDefinition(
        str(name), handler.get("method") or handler.get("handler_method"), handler.get("resolver"), handler.get("version")
    )


def run_to_end(result: Any) -> Any:
    """Waits for what an async handler returned; on a thread of its own where this one runs an event loop."""
    if not inspect.isawaitable(result):
        return result
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_awaited(result))
    return _run_elsewhere(result)


async def _awaited(result: Any) -> Any:
    return await result


def _run_elsewhere(result: Any) -> Any:
    answers: List[Any] = []
    errors: List[BaseException] = []

    def run() -> None:
        try:
            answers.append(asyncio.run(_awaited(result)))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="stepbus-async-handler")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return answers[0]


class StepExecutionSubscriber:
    """Runs the handler of each step that a bridge announces, on the thread that publishes.

    complete    takes each result in, an engine's door for instance: called with the event and a StepExecutionResult.
                False or an exception says that it did not. Without one, results are only published.
    checkpoint  likewise for handlers that return StepHandlerResult.checkpoint_yield.
    retry_delays  how long to wait, in seconds, before each further attempt to submit a result.
    """

    def __init__(
        self,
        event_bridge: EventBridge,
        handler_registry: HandlerRegistry,
        worker_id: str,
        complete: Optional[Complete] = None,
        checkpoint: Optional[Checkpoint] = None,
        retry_delays: Sequence[float] = (0.05, 0.1, 0.2, 0.5, 1.0),
    ) -> None:
        self._event_bridge = event_bridge
        self._registry = handler_registry
        self._worker_id = worker_id
        self._complete = complete
        self._checkpoint = checkpoint
        self._retry_delays = tuple(retry_delays)
        self._sleep = time.sleep
        self._active = False
        if isinstance(handler_registry, HandlerRegistry) and handler_registry.event_bridge is None:
            handler_registry.attach(event_bridge)

    def start(self) -> None:
        """Begins to run steps. Starting a started one does nothing; after a stop of the bridge it subscribes anew."""
        self._event_bridge.subscribe(EventNames.STEP_EXECUTION_RECEIVED, self._handle_execution_event)
        self._active = True
        logger.info("StepExecutionSubscriber started")

    def stop(self) -> None:
        """Ends that; from another thread it returns when the handler that runs has returned."""
        try:
            self._event_bridge.unsubscribe(EventNames.STEP_EXECUTION_RECEIVED, self._handle_execution_event)
        except NotFound:
            pass  # never started, or the bridge was stopped before
        if self._active:
            logger.info("StepExecutionSubscriber stopped")
        self._active = False

    @property
    def is_active(self) -> bool:
        return self._active

    @property
    def worker_id(self) -> str:
        return self._worker_id

    def _handle_execution_event(self, event: Any) -> None:
        if not hasattr(event, "step_uuid"):
            raise InvalidArgument("%r is no step event: it has no step_uuid" % (event,))
        started_ns = time.monotonic_ns()
        result = self._run(event)
        self._submit_result(event, result, (time.monotonic_ns() - started_ns) // 1_000_000)

    def _run(self, event: Any) -> StepHandlerResult:
        """The result of one step, also where there is no handler or it fails."""
        name = "unknown_handler"
        try:
            definition = definition_of(event)
            name = definition.callable
            logger.info("Executing step %s with handler %s", event.step_uuid, name)
            handler = self._make_handler(definition)
        except ResolverNotFound as error:
            return self._not_found(str(error), "resolver_not_found")
        except (NotFound, InvalidArgument) as error:
            return self._not_found("Handler not found: %s (%s)" % (name, error), "handler_not_found")
        except HandlerFailed as error:
            return self._failed(event, name, error.__cause__ or error, "handler_factory_error")
        except Exception as error:
            return self._failed(event, name, error)
        if handler is None:
            return self._not_found("Handler not found: %s" % name, "handler_not_found")
        return self._call(event, name, handler)

    def _make_handler(self, definition: HandlerDefinition) -> Any:
        """From a HandlerRegistry, which tells why there is none; or from whatever has a ``resolve``."""
        if isinstance(self._registry, HandlerRegistry):
            return self._registry.create(definition)
        return self._registry.resolve(definition.callable)

    def _call(self, event: Any, name: str, handler: Any) -> StepHandlerResult:
        try:
            context = StepContext.from_ffi_event(event, handler.name)
            result = run_to_end(handler.call(context))
            if isinstance(result, StepHandlerResult):
                return result
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return self._failed(event, name, error)
        return self._failed(
            event, name, TypeError("handler %s returned %r, and no StepHandlerResult" % (name, type(result).__name__)),
            ErrorType.HANDLER_ERROR.value, False,
        )  # fmt: skip

    @staticmethod
    def _not_found(message: str, error_type: str) -> StepHandlerResult:
        return StepHandlerResult.failure(message, error_type=error_type, retryable=False)

    def _failed(
        self, event: Any, name: str, error: BaseException, error_type: Optional[str] = None, retryable: bool = True
    ) -> StepHandlerResult:
        logger.error("Error executing handler %s: %s", name, message_of(error), exc_info=error)
        result = failure_of(error)
        result.error_type = error_type or result.error_type
        result.retryable = result.retryable and retryable
        self._announce(EventNames.HANDLER_ERROR, event, error)
        return result

    def _announce(self, name: str, *what: Any) -> None:
        """Publishes what has happened. That it cannot be published does not undo it."""
        try:
            if len(what) == 2:
                self._event_bridge.publish_pair(name, *what)
            else:
                self._event_bridge.publish(name, *what)
        except StepbusError as error:
            logger.error("%s was not published: %s", name, error)

    def _submit_result(self, event: Any, handler_result: StepHandlerResult, execution_time_ms: int) -> None:
        """Submits a result, until it is taken in or refused for good, and publishes that it was."""
        metadata = handler_result.metadata
        if handler_result.is_success and isinstance(metadata, Mapping) and metadata.get("checkpoint_yield") is True:
            self._submit_checkpoint(event, handler_result)
            return
        result = self._execution_result(event, handler_result, execution_time_ms)
        try:
            self._submit(event, self._complete, result)
        except (TypeError, ValueError) as error:
            # The content is to blame, and would be again: the step must not be left without a result.
            logger.error("The result of step %s cannot be submitted: %s", event.step_uuid, error)
            result = self._built(event, safe_failure(error, handler_result.is_success), execution_time_ms)
            self._submit(event, self._complete, result)
        self._announce(EventNames.STEP_COMPLETION_SENT, result)

    def _submit_checkpoint(self, event: Any, handler_result: StepHandlerResult) -> None:
        kept = handler_result.result if isinstance(handler_result.result, Mapping) else {}
        data = {
            "step_uuid": str(event.step_uuid),
            "cursor": kept.get("cursor"),
            "items_processed": kept.get("items_processed") or 0,
            "accumulated_results": kept.get("accumulated_results"),
        }
        try:
            to_json(data)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._submit_result(event, safe_failure(error, True), 0)
            return
        self._submit(event, self._checkpoint, data)
        self._announce(EventNames.STEP_CHECKPOINT_YIELD, data)

    def _execution_result(
        self, event: Any, handler_result: StepHandlerResult, execution_time_ms: int
    ) -> StepExecutionResult:
        try:
            result = self._built(event, handler_result, execution_time_ms)
            to_json([result.result, result.metadata, result.error])
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # what a result is made of may raise what it likes when it is read
            logger.error("The result of step %s cannot be written as JSON: %s", event.step_uuid, message_of(error))
            safe = safe_failure(error, handler_result.is_success)
            result = self._built(event, safe, execution_time_ms)
            result.status = ResultStatus.FAILURE.value
        return result

    def _built(self, event: Any, handler_result: StepHandlerResult, execution_time_ms: int) -> StepExecutionResult:
        metadata = dict(handler_result.metadata or {})
        backtrace = metadata.get("traceback")
        if handler_result.is_success:
            return StepExecutionResult.success_result(
                event=event,
                output={} if handler_result.result is None else handler_result.result,
                execution_time_ms=execution_time_ms,
                worker_id=self._worker_id,
                metadata=metadata,
            )
        error = StepError(
            error_type=handler_result.error_type or "unknown",
            message=handler_result.error_message or "Unknown error",
            stack_trace=backtrace if isinstance(backtrace, str) else None,
            retryable=handler_result.retryable,
            metadata=metadata,
            error_code=handler_result.error_code,
            retry_after=handler_result.retry_after,
        )
        return StepExecutionResult.failure_result(
            event=event,
            error=error,
            execution_time_ms=execution_time_ms,
            worker_id=self._worker_id,
            metadata={**{k: v for k, v in metadata.items() if k != "traceback"}, "retryable": error.retryable},
        )

    def _submit(self, event: Any, take: Optional[Union[Complete, Checkpoint]], content: Any) -> None:
        """Hands the same content over until it is taken in, or refused for good; then the refusal is raised."""
        if take is None:
            return
        delays = list(self._retry_delays)
        while True:
            try:
                if take(event, content) is False:
                    raise NotAccepted("the completion function refused the result of step %s" % event.step_uuid)
                return
            except (NotAccepted, *_SETTLED) as error:
                logger.error("The result of step %s was refused: %s", event.step_uuid, error)
                raise
            except Exception as error:
                if not delays:
                    logger.error("Failed to submit the result of step %s, giving up: %s", event.step_uuid, error)
                    raise
                logger.warning("Failed to submit the result of step %s, trying again: %s", event.step_uuid, error)
            self._sleep(delays.pop(0))
