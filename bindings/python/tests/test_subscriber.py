# SPDX-License-Identifier: MIT
"""What a result is, and that each step has one, whatever its handler does."""
import asyncio
import itertools
import logging
import threading
import types
import uuid

import pytest

import stepbus
from stepbus import (
    EventBridge,
    EventNames,
    ExecutionEvent,
    FfiStepEvent,
    HandlerRegistry,
    Permanent,
    PermanentError,
    Retryable,
    StepExecutionError,
    StepExecutionSubscriber,
    StepHandler,
    StepHandlerResult,
)
from stepbus.encoding import to_json
from stepbus.subscriber import BACKTRACE_LEN_MAX


def step_of(name="h", step=None, **inner):
    return FfiStepEvent(
        event_id=str(uuid.uuid4()),
        task_uuid=str(uuid.uuid4()),
        step_uuid=str(uuid.uuid4()),
        correlation_id=str(uuid.uuid4()),
        execution_event=ExecutionEvent(name, **inner) if step is None else None,
        task_sequence_step=step or {},
    )


def handler_of(call, **members):
    return type("Made", (StepHandler,), {"handler_name": "h", "call": call, **members})


class Station:
    """A bridge with one subscriber, whose waits are noted instead of waited for."""

    def __init__(self, **options):
        self.bridge = EventBridge()
        self.bridge.start()
        self.registry = HandlerRegistry()
        self.submitted, self.published, self.errors, self.waits, self.yielded = [], [], [], [], []
        options.setdefault("complete", self.take)
        self.subscriber = StepExecutionSubscriber(self.bridge, self.registry, "w1", **options)
        self.subscriber._sleep = self.waits.append
        self.bridge.subscribe(EventNames.STEP_COMPLETION_SENT, self.published.append)
        self.bridge.subscribe(EventNames.HANDLER_ERROR, lambda event, error: self.errors.append((event, error)))
        self.bridge.subscribe(EventNames.STEP_CHECKPOINT_YIELD, self.yielded.append)
        self.subscriber.start()

    def take(self, event, result):
        self.submitted.append(result)

    def run(self, call=None, event=None, **members):
        if call is not None:
            self.registry.register("h", handler_of(call, **members))
        self.bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, event or step_of())
        return self.submitted[-1] if self.submitted else None


@pytest.fixture
def station():
    made = Station()
    yield made
    made.bridge.stop()


# Starting and stopping


def test_starting_and_stopping_may_be_repeated():
    bridge = EventBridge()
    subscriber = StepExecutionSubscriber(bridge, HandlerRegistry(), "worker-123")
    assert subscriber.worker_id == "worker-123"
    subscriber.stop()
    assert not subscriber.is_active
    subscriber.start()
    subscriber.start()
    assert subscriber.is_active
    assert bridge.listener_count(EventNames.STEP_EXECUTION_RECEIVED) == 1
    subscriber.stop()
    subscriber.stop()
    assert not subscriber.is_active
    assert bridge.listener_count(EventNames.STEP_EXECUTION_RECEIVED) == 0


def test_after_a_stop_of_the_bridge_it_can_be_stopped_and_started(station):
    station.bridge.stop()
    station.subscriber.stop()
    station.bridge.start()
    station.subscriber.start()
    assert station.run(lambda self, context: StepHandlerResult.success({})).success


def test_a_registry_without_a_bridge_publishes_on_that_of_the_subscriber(station):
    heard = []
    station.bridge.subscribe(EventNames.HANDLER_REGISTERED, heard.append)
    station.registry.register("h", handler_of(lambda self, context: None))
    assert [name for name, _ in heard] == ["h"]


def test_a_registry_keeps_the_bridge_it_has():
    own = EventBridge()
    registry = HandlerRegistry(own)
    StepExecutionSubscriber(EventBridge(), registry, "w")
    assert registry.event_bridge is own


# What a handler may return and raise


def test_an_instance_is_made_for_each_step_and_gets_the_context(station):
    seen = []

    def call(self, context):
        seen.append(self)
        return StepHandlerResult.success({"n": context.get_input("n"), "retries": context.retry_count})

    event = step_of(input_data={"n": 5}, retry_count=2)
    result = station.run(call, event)
    station.run(None, event)
    assert result.result == {"n": 5, "retries": 2}
    assert seen[0] is not seen[1]
    assert result.worker_id == "w1"
    assert str(result.correlation_id) == event.correlation_id
    assert result.execution_time_ms >= 0


def test_the_time_a_step_took_is_not_that_of_the_wall_clock(station, monkeypatch):
    ticks = itertools.count(1_000_000_000, 250_000_000)
    walls = itertools.count(1000, -10)
    monkeypatch.setattr("stepbus.subscriber.time.monotonic_ns", lambda: next(ticks))
    monkeypatch.setattr("stepbus.subscriber.time.time", lambda: next(walls))
    assert station.run(lambda self, context: StepHandlerResult.success({})).execution_time_ms == 250


@pytest.mark.parametrize("returned", [None, {"a": 1}, 5, "text", StepHandlerResult])
def test_another_type_than_a_result_is_a_failure_for_good(station, returned):
    result = station.run(lambda self, context: returned)
    assert result.error.error_type == "handler_error"
    assert result.error.retryable is False
    assert "no StepHandlerResult" in result.error.message
    assert station.published == [result]


def test_success_without_a_result_is_an_empty_one(station):
    assert station.run(lambda self, context: StepHandlerResult(success=True)).result == {}


@pytest.mark.parametrize("value", [0, [], "", False])
def test_an_empty_result_stays_what_it_is(station, value):
    result = station.run(lambda self, context: StepHandlerResult.success(value)).result
    assert result == value and type(result) is type(value)


class OwnError(Exception):
    pass


class Odd(Exception):
    def __str__(self):
        return ""


@pytest.mark.parametrize(
    "error, error_type, message, retryable, retry_after, error_code",
    [
        (ValueError("broken"), "ValueError", "broken", True, None, None),
        (OwnError("own"), "OwnError", "own", True, None, None),
        (Odd(), "Odd", "Odd", True, None, None),
        (Retryable("later", retry_after=2.5), "Retryable", "later", True, 2.5, None),
        (Permanent("never", error_code="E1"), "Permanent", "never", False, None, "E1"),
        (PermanentError("never", error_type="bad_input"), "bad_input", "never", False, None, None),
        (StepExecutionError("m", "validation_error", retryable=False), "validation_error", "m", False, None, None),
        (StepExecutionError("m"), "step_execution_error", "m", True, None, None),
        (SystemExit("leaving"), "SystemExit", "leaving", True, None, None),
        (asyncio.CancelledError(), "CancelledError", "CancelledError", True, None, None),
        (RecursionError("deep"), "RecursionError", "deep", True, None, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_is_raised_is_a_failure(station, error, error_type, message, retryable, retry_after, error_code):
    def call(self, context):
        raise error

    event = step_of()
    result = station.run(call, event)
    assert not result.success
    assert (result.error.error_type, result.error.message) == (error_type, message)
    assert result.error.retryable is retryable
    assert result.metadata["retryable"] is retryable
    assert result.status == ("retryable_error" if retryable else "permanent_error")
    assert result.error.retry_after == retry_after
    assert result.error.error_code == error_code
    assert station.errors == [(event, error)]


def test_a_traceback_is_kept_once_and_cut(station):
    def call(self, context):
        raise ValueError("x" * 100_000)

    result = station.run(call)
    assert "ValueError" in result.error.stack_trace or result.error.stack_trace.endswith("x\n")
    assert len(result.error.stack_trace) == BACKTRACE_LEN_MAX
    assert result.error.metadata["traceback"] == result.error.stack_trace
    assert "traceback" not in result.metadata


def test_the_context_of_a_failure_is_kept_as_metadata(station):
    def call(self, context):
        raise Retryable("later", context={"status": 503})

    assert station.run(call).error.metadata["status"] == 503


def test_a_failure_that_is_returned_is_no_handler_error(station):
    result = station.run(
        lambda self, context: StepHandlerResult.failure("no", "declined", False, {"a": 1}, "E7", retry_after=9)
    )
    assert station.errors == []
    error = result.error
    assert (error.error_type, error.message, error.retryable) == ("declined", "no", False)
    assert (error.metadata, error.error_code, error.retry_after) == ({"a": 1}, "E7", 9)


def test_an_interrupt_leaves_the_step_unanswered(station):
    def call(self, context):
        raise KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        station.run(call)
    assert station.submitted == []


# No handler


def test_a_constructor_that_fails_is_not_a_missing_handler(station):
    def __init__(self):
        raise ConnectionError("the database is away")

    result = station.run(lambda self, context: None, __init__=__init__)
    assert result.error.error_type == "handler_factory_error"
    assert result.error.message == "the database is away"
    assert result.error.retryable is True
    assert isinstance(station.errors[0][1], ConnectionError)


def test_a_missing_handler_names_those_there_are(station):
    station.registry.register("charge_card", handler_of(lambda self, context: None))
    result = station.run(event=step_of("charge_cart"))
    assert result.error.error_type == "handler_not_found"
    assert result.error.retryable is False
    assert "charge_card" in result.error.message
    assert station.errors == []


@pytest.mark.parametrize("step", [{}, {"step_definition": None}, {"step_definition": {"handler": None}}])
def test_a_step_that_names_no_handler_is_one_without(station, step):
    result = station.run(event=step_of(step={"x": 1, **step}))
    assert result.error.error_type == "handler_not_found"
    assert "unknown_handler" in result.error.message


@pytest.mark.parametrize(
    "step",
    [
        {"step_definition": {"handler": {"callable": "h"}}},
        {"workflow_step": {"template_step_name": "h"}},
        {"step_template": {"handler_class": "h"}},
    ],
)
def test_the_handler_is_named_in_one_of_three_places(station, step):
    assert station.run(lambda self, context: StepHandlerResult.success({}), step_of(step=step)).success


def test_the_method_of_a_step_is_run(station):
    def refund(self, context):
        return StepHandlerResult.success("refund")

    step = {"step_definition": {"handler": {"callable": "h", "method": "refund"}}}
    result = station.run(lambda self, context: StepHandlerResult.success("call"), step_of(step=step), refund=refund)
    assert result.result == "refund"


def test_a_method_that_is_not_there_fails_the_step(station):
    step = {"step_definition": {"handler": {"callable": "h", "method": "chargeback"}}}
    result = station.run(lambda self, context: StepHandlerResult.success("call"), step_of(step=step))
    assert result.error.error_type == "handler_not_found"
    assert "chargeback" in result.error.message


def test_a_resolver_that_is_not_there_fails_the_step(station):
    step = {"step_definition": {"handler": {"callable": "h", "resolver": "nope"}}}
    result = station.run(lambda self, context: StepHandlerResult.success("call"), step_of(step=step))
    assert result.error.error_type == "resolver_not_found"
    assert result.error.retryable is False


def test_the_version_of_a_step_is_honoured(station):
    for version in ("1.0.0", "2.0.0"):
        made = handler_of(lambda self, context: StepHandlerResult.success(self.version), handler_version=version)
        station.registry.register("h", made)
    assert station.run(event=step_of(handler_version="1.0.0")).result == "1.0.0"
    assert station.run(event=step_of()).result == "2.0.0"


def test_any_object_with_a_resolve_will_do_as_registry(bridge):
    submitted = []
    made = handler_of(lambda self, context: StepHandlerResult.success({}))
    registry = types.SimpleNamespace(resolve=lambda name: made() if name == "h" else None)
    StepExecutionSubscriber(bridge, registry, "w", lambda event, result: submitted.append(result)).start()
    bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, step_of("h"))
    bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, step_of("other"))
    assert [result.success for result in submitted] == [True, False]
    assert submitted[1].error.error_type == "handler_not_found"


def test_any_object_with_the_fields_will_do_as_event(station):
    inner = types.SimpleNamespace(
        handler_name="h", input_data={"a": 1}, dependency_results={}, step_config={}, retry_count=0, max_retries=3
    )
    event = types.SimpleNamespace(
        event_id="e", task_uuid=uuid.uuid4(), step_uuid=uuid.uuid4(), correlation_id=uuid.uuid4(), execution_event=inner
    )
    result = station.run(lambda self, context: StepHandlerResult.success(context.input_data), event)
    assert result.result == {"a": 1}
    assert result.step_uuid == event.step_uuid


@pytest.mark.parametrize("event", [None, 5, {}, types.SimpleNamespace(event_id="e")])
def test_what_is_no_event_is_logged_and_breaks_nothing(station, caplog, event):
    station.bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, event)
    assert station.submitted == []
    assert "raised an exception" in caplog.text
    assert station.run(lambda self, context: StepHandlerResult.success({})).success


# Async handlers


def test_an_async_handler_is_run_to_its_end(station):
    async def call(self, context):
        await asyncio.sleep(0)
        return StepHandlerResult.success("async")

    assert station.run(call).result == "async"


def test_an_async_handler_runs_once_also_where_it_raises_a_runtime_error(station):
    runs = []

    async def call(self, context):
        runs.append(1)
        raise RuntimeError("mine")

    result = station.run(call)
    assert runs == [1]
    assert (result.error.error_type, result.error.message) == ("RuntimeError", "mine")


def test_an_async_handler_runs_from_within_an_event_loop(station):
    async def call(self, context):
        await asyncio.sleep(0)
        return StepHandlerResult.success("async")

    async def failing(self, context):
        raise ValueError("from elsewhere")

    async def main():
        first = station.run(call)
        return first, station.run(failing)

    first, second = asyncio.run(main())
    assert first.result == "async"
    assert second.error.message == "from elsewhere"


# Results that cannot be written, and completion functions that fail


class Unwritable:
    pass


@pytest.mark.parametrize(
    "value", [{"x": Unwritable()}, {"x": float("nan")}, {(1, 2): 3}, {"x": b"\xff"}], ids=["object", "nan", "key", "bytes"]
)
def test_a_result_that_cannot_be_written_becomes_a_safe_failure(station, value):
    result = station.run(lambda self, context: StepHandlerResult.success(value))
    assert result.success is False
    assert result.status == "error"
    assert result.error.error_type == "FFI_SERIALIZATION_ERROR"
    assert result.error.retryable is False
    assert len(result.error.message) <= 500
    assert result.metadata["original_success"] == "True"
    assert station.published == [result]
    to_json(result.model_dump(mode="json"))


def test_metadata_that_cannot_be_written_becomes_a_safe_failure(station):
    result = station.run(lambda self, context: StepHandlerResult.failure("no", metadata={"x": Unwritable()}))
    assert result.error.error_type == "FFI_SERIALIZATION_ERROR"
    assert result.metadata["original_success"] == "False"


def test_ids_and_dates_can_be_written(station):
    result = station.run(lambda self, context: StepHandlerResult.success({"id": uuid.UUID(int=5)}))
    assert result.success


PASSING = [stepbus.Busy("busy"), stepbus.StoreError("io"), OSError("gone"), stepbus.errors.OutOfMemory("no memory")]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_a_submission_that_fails_for_the_moment_is_tried_again(error):
    answers = [error, error, None]
    seen = []

    def complete(event, result):
        seen.append((event, result))
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    station = Station(complete=complete, retry_delays=(0.1, 0.2, 0.3))
    station.run(lambda self, context: StepHandlerResult.success({}))
    assert len(seen) == 3
    assert seen[0] == seen[1] == seen[2]
    assert station.waits == [0.1, 0.2]
    assert station.published == [seen[0][1]]


def test_a_submission_that_keeps_failing_is_given_up_and_not_published(caplog):
    def complete(event, result):
        raise stepbus.Busy("the breaker is open")

    station = Station(complete=complete, retry_delays=(0.1, 0.2))
    station.run(lambda self, context: StepHandlerResult.success({}))
    assert station.waits == [0.1, 0.2]
    assert station.published == []
    assert "giving up" in caplog.text


FINAL = [
    stepbus.Stale("a newer attempt"),
    stepbus.Already("other content"),
    stepbus.NotFound("no such step"),
    stepbus.Cancelled("cancelled"),
    stepbus.TimedOut("its time was over"),
    stepbus.ShutDown("stopped"),
]


@pytest.mark.parametrize("error", FINAL, ids=lambda error: type(error).__name__)
def test_a_refusal_is_final_and_not_published(caplog, error):
    calls = []

    def complete(event, result):
        calls.append(result)
        raise error

    station = Station(complete=complete)
    station.run(lambda self, context: StepHandlerResult.success({}))
    assert len(calls) == 1
    assert station.waits == []
    assert station.published == []
    assert "was refused" in caplog.text


def test_false_is_a_refusal(caplog):
    station = Station(complete=lambda event, result: False)
    station.run(lambda self, context: StepHandlerResult.success({}))
    assert station.published == []
    assert "was refused" in caplog.text


@pytest.mark.parametrize("answer", [None, True, 0, {}])
def test_anything_but_false_is_an_acceptance(answer):
    station = Station(complete=lambda event, result: answer)
    station.run(lambda self, context: StepHandlerResult.success({}))
    assert len(station.published) == 1


@pytest.mark.parametrize("error", [stepbus.InvalidArgument("too long"), TypeError("odd"), ValueError("odd")])
def test_content_that_is_refused_becomes_a_safe_failure(error):
    calls = []

    def complete(event, result):
        calls.append(result)
        if result.success:
            raise error

    station = Station(complete=complete)
    station.run(lambda self, context: StepHandlerResult.success({"a": 1}))
    assert [result.success for result in calls] == [True, False]
    assert calls[1].error.error_type == "FFI_SERIALIZATION_ERROR"
    assert station.published == [calls[1]]


def test_without_a_completion_function_results_are_published():
    station = Station(complete=None)
    station.run(lambda self, context: StepHandlerResult.success({"a": 1}))
    assert [result.result for result in station.published] == [{"a": 1}]


def test_observers_that_fail_do_not_undo_a_completion(station, caplog):
    def broken(result):
        raise ValueError("observer")

    station.bridge.subscribe(EventNames.STEP_COMPLETION_SENT, broken)
    station.bridge.subscribe(EventNames.HANDLER_ERROR, broken)

    def call(self, context):
        raise ValueError("handler")

    result = station.run(call)
    assert len(station.submitted) == 1
    assert result.error.message == "handler"


# Checkpoints


def test_a_checkpoint_goes_its_own_way():
    kept = []
    station = Station(checkpoint=lambda event, data: kept.append((event, data)))
    event = step_of()
    station.run(lambda self, context: StepHandlerResult.checkpoint_yield(500, 20, {"sum": 3}), event)
    data = {
        "step_uuid": event.step_uuid,
        "cursor": 500,
        "items_processed": 20,
        "accumulated_results": {"sum": 3},
    }
    assert kept == [(event, data)]
    assert station.yielded == [data]
    assert station.submitted == [] and station.published == []


def test_a_checkpoint_that_fails_for_the_moment_is_tried_again():
    answers = [stepbus.Busy("busy"), None]

    def checkpoint(event, data):
        answer = answers.pop(0)
        if answer:
            raise answer

    station = Station(checkpoint=checkpoint)
    station.run(lambda self, context: StepHandlerResult.checkpoint_yield(1))
    assert len(station.yielded) == 1


def test_a_checkpoint_that_cannot_be_written_fails_the_step():
    station = Station(checkpoint=lambda event, data: None)
    result = station.run(lambda self, context: StepHandlerResult.checkpoint_yield(Unwritable()))
    assert result.error.error_type == "FFI_SERIALIZATION_ERROR"
    assert station.yielded == []


def test_a_failure_is_no_checkpoint(station):
    result = station.run(lambda self, context: StepHandlerResult.failure("no", metadata={"checkpoint_yield": True}))
    assert result.error.message == "no"
    assert station.yielded == []


# Threads


def test_threads_announce_steps_at_once_and_each_has_one_result(station):
    station.registry.register("h", handler_of(lambda self, context: StepHandlerResult.success(context.get_input("n"))))
    logging.getLogger("stepbus").setLevel(logging.ERROR)

    def announce(thread):
        for i in range(200):
            station.bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, step_of(input_data={"n": (thread, i)}))

    threads = [threading.Thread(target=announce, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.result for result in station.submitted) == [(n, i) for n in range(5) for i in range(200)]


class Mute(Exception):
    def __str__(self):
        raise ValueError("no words")


class Spiteful(dict):
    def __init__(self, error):
        super().__init__(a=1)
        self.error = error

    def items(self):
        raise self.error


class Unbound:
    @property
    def __class__(self):
        raise RuntimeError("there is nothing behind this")


class Untrue(Exception):
    @property
    def retryable(self):
        raise Mute()


def raising(error):
    def call(self, context):
        raise error

    return call


def returning(make):
    return lambda self, context: make()


HOSTILE = {
    "an exception without words": raising(Mute()),
    "an exception whose properties raise": raising(Untrue("no")),
    "an exception whose context is none": raising(Retryable("no", context=None)),
    "GeneratorExit": raising(GeneratorExit()),
    "a BaseException of its own": raising(type("Away", (BaseException,), {})("gone")),
    "a proxy of nothing": returning(Unbound),
    "a result whose items raise": returning(lambda: StepHandlerResult.success(Spiteful(Mute()))),
    "a result whose items leave": returning(lambda: StepHandlerResult.success(Spiteful(SystemExit()))),
    "metadata that is a number": returning(lambda: StepHandlerResult.success({}, metadata=5)),
    "a failure with metadata that is a number": returning(lambda: StepHandlerResult.failure("no", metadata=5)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_handler_does_its_step_has_one_result(name):
    station = Station()
    station.registry.register("h", handler_of(HOSTILE[name]))
    station.bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, step_of())
    assert len(station.submitted) == 1
    assert len(station.published) == 1
    to_json(station.published[0].to_dict() if hasattr(station.published[0], "to_dict") else str(station.published[0]))
