# SPDX-License-Identifier: MIT
"""The way between the models of this package and an engine of the C library: its step events in, results back out."""
from __future__ import annotations

import ctypes
from typing import Any, Dict, Optional

from . import _native as native
from . import _structs as s
from .encoding import from_json, to_json
from .types import ExecutionEvent, FfiStepEvent, StepExecutionResult

#: Ten years, the longest that the library takes: what is longer, or without end, is as good as never.
DELAY_S_MAX = 10 * 366 * 24 * 3600
JSON_TYPES = (b"application/json", b"")


def _decoded(data: bytes, content_type: bytes) -> Any:
    """JSON as what it says, anything else (and what is no JSON after all) as bytes."""
    if content_type not in JSON_TYPES:
        return data
    try:
        return from_json(data)
    except ValueError:
        return data


def _text(data: bytes) -> Optional[str]:
    return data.decode("utf-8", "replace") or None


def _dependencies(view: Any) -> Dict[str, Any]:
    results: Dict[str, Any] = {}
    for i in range(view.dependency_count):
        one = view.dependencies[i]
        result = _decoded(one.get("result"), one.get("content_type"))
        results[one.get("step_name").decode("utf-8", "replace")] = {"result": result}
    return results


def _checkpoint(view: Any) -> Optional[Dict[str, Any]]:
    cursor, partial = view.get("cursor"), view.get("partial_result")
    if not cursor and not partial:
        return None
    return {
        "cursor": _decoded(cursor, b""),
        "items_processed": view.items_processed,
        "accumulated_results": _decoded(partial, b""),
    }


def step_event(view: Any) -> FfiStepEvent:
    """Copies a stepbus_step_event."""
    task_id = bytes(view.task_id)
    step_uuid = native.id_uuid(view.step_id)
    config = _decoded(view.get("step_config"), b"")
    return FfiStepEvent(
        event_id="%s:%d" % (step_uuid, view.token),
        task_uuid=native.id_uuid(task_id) if any(task_id) else None,
        step_uuid=step_uuid,
        correlation_id=_text(view.get("correlation_id")),
        trace_id=_text(view.get("traceparent")),
        token=view.token,
        task_sequence_step={
            "workflow_step": {"name": _text(view.get("step_name")), "checkpoint": _checkpoint(view)},
        },
        execution_event=ExecutionEvent(
            handler_name=view.get("handler_name").decode("utf-8", "replace"),
            input_data=_decoded(view.get("input"), view.get("content_type")),
            dependency_results=_dependencies(view),
            step_config=config if isinstance(config, dict) else {},
            retry_count=view.retry_count,
            max_retries=view.max_retries,
            handler_version=_text(view.get("handler_version")),
        ),
    )


def milliseconds(seconds: Optional[float]) -> int:
    """A delay of a handler; -1 where it says none."""
    return -1 if seconds is None else max(0, int(min(seconds, DELAY_S_MAX) * 1000))


def completion(event: Any, result: StepExecutionResult) -> s.Completion:
    """A result as a stepbus_completion."""
    made = s.Completion(
        outcome=s.OUTCOME_SUCCESS if result.success else s.OUTCOME_FAILURE,
        step_id=s.Id.from_buffer_copy(native.id_bytes(event.step_uuid)),
        token=event.token or 0,
        execution_time_us=result.execution_time_ms * 1000,
        retry_after_ms=-1,
    )
    made.put("worker_id", native.encode(result.worker_id or ""))
    made.put("metadata", to_json(result.metadata) if result.metadata else None)
    if result.success:
        made.put("result", result.result if isinstance(result.result, bytes) else to_json(result.result))
        made.put("content_type", b"application/octet-stream" if isinstance(result.result, bytes) else JSON_TYPES[0])
    elif result.error is not None:
        made.is_retryable = int(result.error.retryable)
        made.retry_after_ms = milliseconds(result.error.retry_after)
        made.put("error_type", native.encode(result.error.error_type))
        made.put("error_message", native.encode(result.error.message))
        made.put("error_code", native.encode(result.error.error_code or ""))
        made.put("backtrace", native.encode(result.error.stack_trace or ""))
    return made


class EngineDoor:
    """Submits results to an engine: ``complete`` and ``checkpoint`` are what a StepExecutionSubscriber asks for.

    engine  the stepbus handle; must stay open as long as this is used.
    """

    def __init__(self, engine: int) -> None:
        self._engine = engine

    def complete(self, event: Any, result: StepExecutionResult) -> None:
        made = completion(event, result)
        native.call("stepbus_complete", self._engine, ctypes.byref(made), 1, None)

    def checkpoint(self, event: Any, data: Dict[str, Any]) -> None:
        made = s.CheckpointSpec(
            step_id=s.Id.from_buffer_copy(native.id_bytes(event.step_uuid)),
            token=event.token or 0,
            items_processed=int(data.get("items_processed") or 0),
        )
        made.put("cursor", to_json(data.get("cursor")))
        partial = data.get("accumulated_results")
        made.put("partial_result", None if partial is None else to_json(partial))
        native.call("stepbus_checkpoint", self._engine, ctypes.byref(made))
