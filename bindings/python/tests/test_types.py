# SPDX-License-Identifier: MIT
import datetime
import decimal
import enum
import math
import pathlib
import types
import uuid
from dataclasses import dataclass

import pytest

from stepbus import (
    ErrorType,
    ExecutionEvent,
    FfiStepEvent,
    ResultStatus,
    StepContext,
    StepError,
    StepExecutionResult,
    StepHandler,
    StepHandlerResult,
)
from stepbus.encoding import from_json, to_json


def event_of(step=None, **fields):
    return FfiStepEvent(
        event_id=str(uuid.uuid4()),
        task_uuid=str(uuid.uuid4()),
        step_uuid=str(uuid.uuid4()),
        correlation_id=str(uuid.uuid4()),
        task_sequence_step=step or {},
        **fields,
    )


# StepHandler


class Plain(StepHandler):
    def call(self, context):
        return StepHandlerResult.success({})


def test_a_handler_has_the_defaults_of_its_class():
    handler = Plain()
    assert handler.name == "Plain"
    assert handler.version == "1.0.0"
    assert handler.capabilities == ["process"]
    assert handler.config_schema() is None
    assert repr(handler) == "Plain(name='Plain', version='1.0.0')"


def test_a_handler_says_its_own_name_and_version():
    class Named(Plain):
        handler_name = "named"
        handler_version = "2.5.0"

    assert (Named().name, Named().version) == ("named", "2.5.0")


# StepHandlerResult


def test_success_is_a_factory_on_the_class_and_a_fact_on_a_result():
    result = StepHandlerResult.success({"key": "value"}, {"duration_ms": 100})
    assert result.success is True
    assert result.is_success is True
    assert result.is_success_result() and not result.is_failure_result()
    assert result.result == {"key": "value"}
    assert result.metadata == {"duration_ms": 100}
    assert (result.error_message, result.error_type, result.error_code) == (None, None, None)


def test_failure_has_the_defaults_of_the_specification():
    result = StepHandlerResult.failure("Error")
    assert result.success is False
    assert result.is_success is False
    assert result.is_failure_result() and not result.is_success_result()
    assert result.error_message == "Error"
    assert result.error_type == "handler_error"
    assert result.retryable is True
    assert result.metadata == {}
    assert result.error_code is None
    assert result.retry_after is None


def test_failure_keeps_what_is_said():
    result = StepHandlerResult.failure(
        message="m", error_type=ErrorType.TIMEOUT, retryable=False, metadata={"f": 1}, error_code="E1", retry_after=2.5
    )
    assert result.error_type == "timeout"
    assert type(result.error_type) is str
    assert (result.retryable, result.metadata, result.error_code, result.retry_after) == (False, {"f": 1}, "E1", 2.5)


def test_a_result_can_be_made_in_full_and_changed():
    result = StepHandlerResult(success=True, result={"a": 1})
    assert result == StepHandlerResult(is_success=True, result={"a": 1}) == StepHandlerResult.success({"a": 1})
    result.success = False
    assert result.is_success is False
    with pytest.raises(TypeError):
        StepHandlerResult(result={})


def test_results_share_no_metadata():
    first, second = StepHandlerResult.success({}), StepHandlerResult.success({})
    first.metadata["a"] = 1
    assert second.metadata == {}


def test_subclasses_make_their_own_kind():
    class Special(StepHandlerResult):
        pass

    assert type(Special.success({})) is Special
    assert type(Special.failure("x")) is Special


def test_models_can_be_dumped_and_read_back():
    result = StepHandlerResult.failure("Error", retry_after=5)
    dumped = result.model_dump()
    assert dumped["success"] is False
    assert StepHandlerResult.model_validate({**dumped, "unknown": 1}) == result
    step = uuid.uuid4()
    full = StepExecutionResult.failure_result(step_uuid=step, error=StepError("t", "m"))
    assert full.model_dump()["step_uuid"] == step
    assert full.model_dump(mode="json")["step_uuid"] == str(step)
    assert full.model_dump()["error"]["message"] == "m"


# StepExecutionResult


def test_a_result_is_made_from_an_event_or_from_ids():
    event = event_of()
    by_event = StepExecutionResult.success_result(
        event=event, output={"a": 1}, execution_time_ms=5, worker_id="w", metadata={"m": 1}
    )
    by_ids = StepExecutionResult.success_result(
        step_uuid=uuid.UUID(event.step_uuid),
        task_uuid=uuid.UUID(event.task_uuid),
        result={"a": 1},
        execution_time_ms=5,
        worker_id="w",
        correlation_id=uuid.UUID(event.correlation_id),
        metadata={"m": 1},
    )
    assert by_event == by_ids
    assert by_event.output == by_event.result == {"a": 1}
    assert by_event.status == ResultStatus.SUCCESS.value == "completed"


@pytest.mark.parametrize("retryable, status", [(True, "retryable_error"), (False, "permanent_error")])
def test_the_status_of_a_failure_says_whether_to_try_again(retryable, status):
    error = StepError(error_type="t", message="m", retryable=retryable)
    result = StepExecutionResult.failure_result(event=event_of(), error=error, execution_time_ms=1, worker_id="w")
    assert (result.success, result.status, result.error) == (False, status, error)


def test_ids_that_are_none_do_not_lose_a_result():
    event = types.SimpleNamespace(step_uuid="no uuid", task_uuid=None, correlation_id=7)
    result = StepExecutionResult.success_result(event=event, output={})
    assert (result.step_uuid, result.task_uuid, result.correlation_id) == ("no uuid", None, 7)


def test_error_types():
    assert ErrorType.is_standard("timeout") and not ErrorType.is_standard("custom_error")
    assert ErrorType.is_typically_retryable("timeout")
    assert not ErrorType.is_typically_retryable("permanent_error")


# StepContext


def test_a_context_reads_an_execution_event():
    inner = ExecutionEvent("h", {"a": 1}, {"dep": {"result": 5}}, {"limit": 3}, 2, 7)
    event = event_of(execution_event=inner)
    context = StepContext.from_ffi_event(event, "h")
    assert str(context.step_uuid) == event.step_uuid
    assert isinstance(context.task_uuid, uuid.UUID)
    assert context.input_data == {"a": 1}
    assert context.dependency_results == {"dep": {"result": 5}}
    assert context.step_config == {"limit": 3}
    assert (context.retry_count, context.max_retries) == (2, 7)


def test_a_context_reads_a_task_sequence_step():
    step = {
        "workflow_step": {"name": "s", "attempts": 1, "max_attempts": 5, "inputs": {"batch_size": 100}},
        "step_definition": {"name": "s", "handler": {"callable": "h", "initialization": {"timeout": 30}}},
        "task": {"task": {"context": {"key": "value"}}},
        "dependency_results": {"dep1": {"result": "data"}},
    }
    context = StepContext.from_ffi_event(event_of(step), "h")
    assert context.input_data == {"key": "value"}
    assert context.step_config == {"timeout": 30}
    assert context.step_inputs == {"batch_size": 100}
    assert (context.retry_count, context.max_retries) == (1, 5)
    assert context.get_input("key") == "value" and context.get_input("missing") is None
    assert context.get_input_or("missing", 5) == 5 and context.get_input_or("key", 5) == "value"
    assert context.get_config("timeout") == 30 and context.get_config("missing") is None
    assert context.get_dependency_result("dep1") == "data"


NOTHING = [
    {},
    {"task": None, "workflow_step": None, "step_definition": None, "dependency_results": None},
    {"task": {"context": None}, "workflow_step": {"attempts": None, "inputs": None}, "step_definition": {"handler": None}},
    {"task": {"task": None}, "step_definition": {"handler": {"initialization": None}}},
]


@pytest.mark.parametrize("step", NOTHING)
def test_what_is_missing_or_null_is_empty(step):
    context = StepContext.from_ffi_event(event_of(step), "h")
    assert (context.input_data, context.dependency_results, context.step_config, context.step_inputs) == ({}, {}, {}, {})
    assert (context.retry_count, context.max_retries) == (0, 3)
    assert context.checkpoint is None
    assert not context.has_checkpoint()


def test_null_in_an_execution_event_is_empty():
    context = StepContext.from_ffi_event(event_of(execution_event=ExecutionEvent("h")), "h")
    assert (context.input_data, context.dependency_results, context.step_config) == ({}, {}, {})


@pytest.mark.parametrize("attempts, is_retry, is_last", [(0, False, False), (1, True, False), (2, True, True)])
def test_retries(attempts, is_retry, is_last):
    context = StepContext.from_ffi_event(event_of({"workflow_step": {"attempts": attempts, "max_attempts": 3}}), "h")
    assert (context.is_retry(), context.is_last_retry()) == (is_retry, is_last)


def test_dependencies_come_out_of_their_envelopes():
    results = {
        "batch_1": {"result": {"count": 10}},
        "batch_2": {"result": {"count": 20}},
        "plain": 7,
        "nothing": {"result": None},
    }
    context = StepContext.from_ffi_event(event_of({"dependency_results": results}), "h")
    assert context.get_dependency_result("plain") == 7
    assert context.get_dependency_result("missing") is None
    assert context.get_dependency_field("batch_1", "count") == 10
    assert context.get_dependency_field("batch_1", "count", "deeper") is None
    assert context.get_dependency_field("plain", "count") is None
    assert context.get_all_dependency_results("batch_") == [{"count": 10}, {"count": 20}]
    assert context.get_dependency_result_keys() == list(results)


def test_a_checkpoint_is_read():
    kept = {"cursor": 500, "items_processed": 20, "accumulated_results": {"sum": 3}}
    context = StepContext.from_ffi_event(event_of({"workflow_step": {"checkpoint": kept}}), "h")
    assert context.has_checkpoint()
    assert context.checkpoint == kept
    assert (context.checkpoint_cursor, context.checkpoint_items_processed) == (500, 20)
    assert context.accumulated_results == {"sum": 3}


# JSON


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: int


@pytest.mark.parametrize(
    "value, text",
    [
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (datetime.datetime(2026, 1, 2, 3, 4, 5), '"2026-01-02T03:04:05"'),
        (datetime.timedelta(minutes=1), "60.0"),
        (decimal.Decimal("1.10"), '"1.10"'),
        (pathlib.PurePosixPath("/tmp/a"), '"/tmp/a"'),
        (Colour.RED, '"red"'),
        ({"a": {1}}, '{"a":[1]}'),
        ((1, 2), "[1,2]"),
        (Point(1, 2), '{"x":1,"y":2}'),
        (b"bytes", '"bytes"'),
        (StepError("t", "m"), None),
        (2**63, "9223372036854775808"),
        ("\u00e9\ud800", '"\\u00e9\\ud800"'),
        ("nul\0", '"nul\\u0000"'),
        (None, "null"),
    ],
)
def test_what_can_be_written(value, text):
    written = to_json(value)
    assert text is None or written == text.encode()
    from_json(written)


def loop():
    value = []
    value.append(value)
    return value


def deep():
    value = []
    for _ in range(100000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, object(), open, {(1, 2): 3}, loop(), deep(), b"\xff", {1j}], ids=lambda v: type(v).__name__
)
def test_what_cannot_be_written(value):
    with pytest.raises((TypeError, ValueError)):
        to_json(value)


def test_nothing_is_read_as_none():
    assert from_json(b"") is None
