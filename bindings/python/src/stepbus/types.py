# SPDX-License-Identifier: MIT
"""What a handler gets and gives, and what travels on the bridge. Plain data: nothing here calls the library.

The models take keywords, know ``model_dump`` and ``model_validate``, and compare by value.
"""
from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Optional, Type, TypeVar, Union, overload
from uuid import UUID

Json = Dict[str, Any]
T = TypeVar("T", bound="Model")


def _dumped(value: Any, mode: str) -> Any:
    if isinstance(value, Model):
        return value.model_dump(mode)
    if isinstance(value, dict):
        return {key: _dumped(item, mode) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_dumped(item, mode) for item in value]
    if mode == "json" and isinstance(value, UUID):
        return str(value)
    if mode == "json" and isinstance(value, enum.Enum):
        return value.value
    return value


class Model:
    """A dataclass with the methods that hosts know from elsewhere."""

    def model_dump(self, mode: str = "python") -> Json:
        """The fields as a dict; with mode "json" ids and enums are texts."""
        return {f.name: _dumped(getattr(self, f.name), mode) for f in dataclasses.fields(self)}

    @classmethod
    def model_validate(cls: Type[T], data: Mapping[str, Any]) -> T:
        """Makes one from a dict; what it does not know is left out."""
        names = {f.name for f in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in names})


def as_uuid(value: Any) -> Any:
    """An id as UUID where it is one; what is not stays as it is, so that no step is lost to an odd id."""
    if value is None or isinstance(value, UUID):
        return value
    try:
        return UUID(str(value))
    except ValueError:
        return value


class ResultStatus(str, enum.Enum):
    SUCCESS = "completed"
    FAILURE = "error"
    RETRYABLE_ERROR = "retryable_error"
    PERMANENT_ERROR = "permanent_error"


class ErrorType(str, enum.Enum):
    PERMANENT_ERROR = "permanent_error"
    RETRYABLE_ERROR = "retryable_error"
    VALIDATION_ERROR = "validation_error"
    TIMEOUT = "timeout"
    HANDLER_ERROR = "handler_error"

    @classmethod
    def is_standard(cls, error_type: str) -> bool:
        return error_type in [member.value for member in cls]

    @classmethod
    def is_typically_retryable(cls, error_type: str) -> bool:
        return error_type in (cls.RETRYABLE_ERROR.value, cls.TIMEOUT.value)


@dataclass
class StepError(Model):
    """Why a step failed. stack_trace is where, in the host's code."""

    error_type: str
    message: str
    stack_trace: Optional[str] = None
    retryable: bool = True
    metadata: Json = field(default_factory=dict)
    error_code: Optional[str] = None
    retry_after: Optional[float] = None


@dataclass
class StepExecutionResult(Model):
    """The result of one attempt, as it is submitted and as the payload of step.completion.sent."""

    step_uuid: Any
    task_uuid: Any = None
    success: bool = False
    status: str = ResultStatus.FAILURE.value
    execution_time_ms: int = 0
    result: Optional[Any] = None
    error: Optional[StepError] = None
    worker_id: Optional[str] = None
    correlation_id: Any = None
    metadata: Json = field(default_factory=dict)

    @property
    def output(self) -> Optional[Any]:
        """The same as result."""
        return self.result

    @classmethod
    def success_result(
        cls,
        step_uuid: Any = None,
        task_uuid: Any = None,
        result: Any = None,
        execution_time_ms: int = 0,
        worker_id: Optional[str] = None,
        correlation_id: Any = None,
        metadata: Optional[Json] = None,
        *,
        event: Any = None,
        output: Any = None,
    ) -> StepExecutionResult:
        """Made from the ids, or from the event that has them; ``output`` is another word for ``result``."""
        return cls(
            step_uuid=as_uuid(step_uuid if event is None else event.step_uuid),
            task_uuid=as_uuid(task_uuid if event is None else event.task_uuid),
            success=True,
            status=ResultStatus.SUCCESS.value,
            execution_time_ms=execution_time_ms,
            result=output if result is None else result,
            worker_id=worker_id,
            correlation_id=as_uuid(correlation_id if event is None else event.correlation_id),
            metadata=dict(metadata or {}),
        )

    @classmethod
    def failure_result(
        cls,
        step_uuid: Any = None,
        task_uuid: Any = None,
        error: Optional[StepError] = None,
        execution_time_ms: int = 0,
        worker_id: Optional[str] = None,
        correlation_id: Any = None,
        metadata: Optional[Json] = None,
        *,
        event: Any = None,
    ) -> StepExecutionResult:
        """Likewise, for a failure; the status says whether another attempt may succeed."""
        if error is None:
            error = StepError(error_type="unknown", message="Unknown error")
        status = ResultStatus.RETRYABLE_ERROR if error.retryable else ResultStatus.PERMANENT_ERROR
        return cls(
            step_uuid=as_uuid(step_uuid if event is None else event.step_uuid),
            task_uuid=as_uuid(task_uuid if event is None else event.task_uuid),
            success=False,
            status=status.value,
            execution_time_ms=execution_time_ms,
            error=error,
            worker_id=worker_id,
            correlation_id=as_uuid(correlation_id if event is None else event.correlation_id),
            metadata=dict(metadata or {}),
        )


@dataclass
class ExecutionEvent(Model):
    """The part of a step event that a handler is interested in."""

    handler_name: str
    input_data: Optional[Any] = None
    dependency_results: Optional[Json] = None
    step_config: Optional[Json] = None
    retry_count: int = 0
    max_retries: int = 3
    handler_version: Optional[str] = None


@dataclass
class FfiStepEvent(Model):
    """One attempt of one step, to be run: the payload of step.execution.received.

    What is to be done stands in ``execution_event``, or in ``task_sequence_step`` in the words of a workflow system;
    StepContext reads both. step_uuid and token name the attempt; an event of a host without an engine has no token.
    """

    event_id: Any
    task_uuid: Any = None
    step_uuid: Any = None
    correlation_id: Any = None
    task_sequence_step: Json = field(default_factory=dict)
    task_correlation_id: Optional[str] = None
    parent_correlation_id: Optional[str] = None
    trace_id: Optional[str] = None
    span_id: Optional[str] = None
    execution_event: Optional[ExecutionEvent] = None
    token: Optional[int] = None


@dataclass
class FfiDispatchMetrics(Model):
    """How well the host keeps up with the steps that it is handed."""

    pending_count: int
    oldest_pending_age_ms: Optional[int] = None
    newest_pending_age_ms: Optional[int] = None
    oldest_event_id: Optional[str] = None
    starvation_detected: bool = False
    starving_event_count: int = 0


class _Success:
    """``success`` of StepHandlerResult: on the class the factory, on a result whether the handler succeeded."""

    @overload
    def __get__(self, instance: None, owner: Type[StepHandlerResult]) -> Callable[..., StepHandlerResult]: ...

    @overload
    def __get__(self, instance: StepHandlerResult, owner: Type[StepHandlerResult]) -> bool: ...

    def __get__(
        self, instance: Optional[StepHandlerResult], owner: Type[StepHandlerResult]
    ) -> Union[bool, Callable[..., StepHandlerResult]]:
        return owner.success_handler_result if instance is None else instance.is_success

    def __set__(self, instance: StepHandlerResult, value: bool) -> None:
        instance.is_success = bool(value)


@dataclass(init=False)
class StepHandlerResult(Model):
    """What a handler returns: ``StepHandlerResult.success({…})`` or ``StepHandlerResult.failure("why")``.

    ``result.success`` and ``result.is_success`` tell which of the two it is. retry_after, in seconds, asks for the
    next attempt no sooner and no later than that.
    """

    is_success: bool
    result: Optional[Any] = None
    error_message: Optional[str] = None
    error_type: Optional[str] = None
    error_code: Optional[str] = None
    retryable: bool = True
    metadata: Json = field(default_factory=dict)
    retry_after: Optional[float] = None

    def __init__(
        self,
        *,
        success: Optional[bool] = None,
        is_success: Optional[bool] = None,
        result: Optional[Any] = None,
        error_message: Optional[str] = None,
        error_type: Optional[str] = None,
        error_code: Optional[str] = None,
        retryable: bool = True,
        metadata: Optional[Json] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        said = is_success if success is None else success
        if said is None:
            raise TypeError("StepHandlerResult needs success=True or success=False")
        self.is_success = bool(said)
        self.result = result
        self.error_message = error_message
        self.error_type = error_type
        self.error_code = error_code
        self.retryable = retryable
        self.metadata = {} if metadata is None else metadata
        self.retry_after = retry_after

    success = _Success()

    @classmethod
    def success_handler_result(
        cls, result: Optional[Any] = None, metadata: Optional[Json] = None
    ) -> StepHandlerResult:
        """Says that the step succeeded."""
        return cls(success=True, result=result, metadata=metadata)

    @classmethod
    def failure(
        cls,
        message: str,
        error_type: Union[str, ErrorType] = ErrorType.HANDLER_ERROR,
        retryable: bool = True,
        metadata: Optional[Json] = None,
        error_code: Optional[str] = None,
        retry_after: Optional[float] = None,
    ) -> StepHandlerResult:
        """Says that the step failed, and whether another attempt may succeed."""
        return cls(
            success=False,
            error_message=message,
            error_type=error_type.value if isinstance(error_type, ErrorType) else error_type,
            error_code=error_code,
            retryable=retryable,
            metadata=metadata,
            retry_after=retry_after,
        )

    failure_handler_result = failure

    @classmethod
    def checkpoint_yield(
        cls, cursor: Any, items_processed: int = 0, accumulated_results: Optional[Any] = None
    ) -> StepHandlerResult:
        """Says how far the step has got: it runs again from there, with no attempt charged."""
        kept = {"cursor": cursor, "items_processed": items_processed, "accumulated_results": accumulated_results}
        return cls(success=True, result=kept, metadata={"checkpoint_yield": True})

    def is_success_result(self) -> bool:
        return self.is_success

    def is_failure_result(self) -> bool:
        return not self.is_success

    @classmethod
    def model_validate(cls, data: Mapping[str, Any]) -> StepHandlerResult:
        return super().model_validate({**data, "is_success": data.get("success", data.get("is_success"))})

    def model_dump(self, mode: str = "python") -> Json:
        dumped = super().model_dump(mode)
        dumped["success"] = dumped.pop("is_success")
        return dumped


def _mapping(value: Any) -> Json:
    """A part of an event that may be missing, null, or no mapping at all."""
    return dict(value) if isinstance(value, Mapping) else {}


@dataclass
class StepContext(Model):
    """What a handler is called with."""

    event: Any
    task_uuid: Any
    step_uuid: Any
    correlation_id: Any
    handler_name: str
    input_data: Any = field(default_factory=dict)
    dependency_results: Json = field(default_factory=dict)
    step_config: Json = field(default_factory=dict)
    retry_count: int = 0
    max_retries: int = 3
    step_inputs: Json = field(default_factory=dict)

    @classmethod
    def from_ffi_event(cls, event: Any, handler_name: str) -> StepContext:
        """Reads an event, in the form of execution_event or of task_sequence_step."""
        inner = getattr(event, "execution_event", None)
        read = cls._from_task_sequence_step(event) if inner is None else cls._from_execution_event(inner)
        return cls(
            event=event,
            task_uuid=as_uuid(event.task_uuid),
            step_uuid=as_uuid(event.step_uuid),
            correlation_id=as_uuid(event.correlation_id),
            handler_name=handler_name,
            **read,
        )

    @staticmethod
    def _from_execution_event(inner: Any) -> Json:
        data = getattr(inner, "input_data", None)
        return {
            "input_data": {} if data is None else data,
            "dependency_results": _mapping(getattr(inner, "dependency_results", None)),
            "step_config": _mapping(getattr(inner, "step_config", None)),
            "retry_count": getattr(inner, "retry_count", 0) or 0,
            "max_retries": _or_default(getattr(inner, "max_retries", None)),
        }

    @staticmethod
    def _from_task_sequence_step(event: Any) -> Json:
        whole = _mapping(getattr(event, "task_sequence_step", None))
        task = _mapping(whole.get("task"))
        step = _mapping(whole.get("workflow_step"))
        handler = _mapping(_mapping(whole.get("step_definition")).get("handler"))
        data = _mapping(task.get("task", task)).get("context")
        return {
            "input_data": {} if data is None else data,
            "dependency_results": _mapping(whole.get("dependency_results")),
            "step_config": _mapping(handler.get("initialization")),
            "retry_count": step.get("attempts") or 0,
            "max_retries": _or_default(step.get("max_attempts")),
            "step_inputs": _mapping(step.get("inputs")),
        }

    @property
    def task_sequence_step(self) -> Json:
        return _mapping(getattr(self.event, "task_sequence_step", None))

    def get_input(self, key: str) -> Any:
        return self.input_data.get(key) if isinstance(self.input_data, Mapping) else None

    def get_input_or(self, key: str, default: Any = None) -> Any:
        value = self.get_input(key)
        return default if value is None else value

    def get_config(self, key: str) -> Any:
        return self.step_config.get(key)

    def is_retry(self) -> bool:
        return self.retry_count > 0

    def is_last_retry(self) -> bool:
        return self.retry_count >= self.max_retries - 1

    def get_dependency_result(self, step_name: str) -> Any:
        """The result of a step that this one depends on, out of its envelope; None where there is none."""
        result = self.dependency_results.get(step_name)
        return result["result"] if isinstance(result, Mapping) and "result" in result else result

    def get_dependency_field(self, step_name: str, *path: str) -> Any:
        value = self.get_dependency_result(step_name)
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def get_dependency_result_keys(self) -> List[str]:
        return list(self.dependency_results)

    def get_all_dependency_results(self, prefix: str) -> List[Any]:
        results = [self.get_dependency_result(name) for name in self.dependency_results if name.startswith(prefix)]
        return [result for result in results if result is not None]

    @property
    def checkpoint(self) -> Optional[Json]:
        """What the last attempt that yielded has said; None where there was none."""
        kept = _mapping(self.task_sequence_step.get("workflow_step")).get("checkpoint")
        return kept if isinstance(kept, dict) else None

    @property
    def checkpoint_cursor(self) -> Any:
        return (self.checkpoint or {}).get("cursor")

    @property
    def checkpoint_items_processed(self) -> int:
        return int((self.checkpoint or {}).get("items_processed") or 0)

    @property
    def accumulated_results(self) -> Any:
        return (self.checkpoint or {}).get("accumulated_results")

    def has_checkpoint(self) -> bool:
        return self.checkpoint_cursor is not None


def _or_default(max_retries: Optional[int]) -> int:
    """Said to be 0 is not the same as not said."""
    return 3 if max_retries is None else max_retries
