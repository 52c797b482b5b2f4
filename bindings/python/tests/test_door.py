# SPDX-License-Identifier: MIT
"""The seed's classes on an engine: steps that are polled, run by a StepExecutionSubscriber, and completed."""
import ctypes
import json
import uuid

import pytest

import stepbus
from stepbus import EventBridge, EventNames, HandlerRegistry, Permanent, StepExecutionSubscriber, StepHandler, StepHandlerResult
from stepbus import _native as native
from stepbus import _structs as s
from stepbus.door import EngineDoor, completion, milliseconds, step_event


class Engine:
    """An engine in memory with one pull worker, and a subscriber that runs what is polled."""

    def __init__(self):
        self.bridge, self.registry = EventBridge(), HandlerRegistry()
        self.bridge.start()
        options = s.Options(registry=self.registry.handle)
        options.put("config", b'{"store":"memory:","payload_len_max":1048576}')
        self.handle = native.make("stepbus_open", ctypes.byref(options))
        self.worker = native.make("stepbus_worker_start", self.handle, *native.pair('{"pull":true}'))
        self.door = EngineDoor(self.handle)
        self.completed = []
        self.subscriber = StepExecutionSubscriber(
            self.bridge, self.registry, "w1", self.door.complete, self.door.checkpoint, retry_delays=()
        )
        self.subscriber.start()
        self.bridge.subscribe(EventNames.STEP_COMPLETION_SENT, self.completed.append)

    def close(self):
        native.lib.stepbus_worker_free(self.worker)
        native.lib.stepbus_close(self.handle)

    def enqueue(self, value, **fields):
        spec, out = s.StepSpec(**fields), s.Enqueued()
        spec.put("handler_name", b"h")
        spec.put("input", value if isinstance(value, bytes) else json.dumps(value).encode())
        if isinstance(value, bytes):
            spec.put("content_type", b"application/octet-stream")
        spec.put("step_config", b'{"limit":3}')
        spec.put("correlation_id", b"c-1")
        native.call("stepbus_step_enqueue", self.handle, ctypes.byref(spec), 1, ctypes.byref(out))
        return native.id_uuid(out.step_id)

    def poll(self):
        events, count = (s.StepEvent * 4)(), ctypes.c_size_t()
        events[0].size = ctypes.sizeof(s.StepEvent)
        native.call("stepbus_poll", self.worker, events, 4, 10_000, ctypes.byref(count))
        assert count.value == 1
        return step_event(events[0])

    def run_one(self):
        event = self.poll()
        self.bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, event)
        return event

    def info(self, step_id):
        return native.ask_json("stepbus_step_info", self.handle, step_id.bytes)

    def attempts(self, step_id):
        return native.ask_json("stepbus_step_attempts", self.handle, step_id.bytes)

    def register(self, call):
        self.registry.register("h", type("Made", (StepHandler,), {"handler_name": "h", "call": call}))


@pytest.fixture
def engine():
    if not native.lib.has("stepbus_poll"):
        pytest.skip("the library does not hand out steps")
    made = Engine()
    yield made
    made.close()


def test_a_step_of_an_engine_reaches_its_handler_and_its_result_the_engine(engine):
    seen = []

    def call(self, context):
        seen.append(context)
        return StepHandlerResult.success({"doubled": context.get_input("n") * 2})

    engine.register(call)
    step_id = engine.enqueue({"n": 21})
    event = engine.run_one()
    [context] = seen
    assert event.step_uuid == context.step_uuid == step_id
    assert event.event_id == "%s:%d" % (step_id, event.token)
    assert context.task_uuid is None
    assert context.correlation_id == "c-1"
    assert context.step_config == {"limit": 3}
    assert context.retry_count == 0
    info = engine.info(step_id)
    assert info["state"] == "completed"
    assert engine.completed[0].output == {"doubled": 42}
    outcome = native.make("stepbus_step_await", engine.handle, step_id.bytes, 0)
    view = native.lib.stepbus_outcome_completion(outcome).contents
    assert (view.outcome, json.loads(view.get("result"))) == (s.OUTCOME_SUCCESS, {"doubled": 42})
    assert view.get("content_type") == b"application/json"
    native.lib.stepbus_outcome_free(outcome)


def test_bytes_go_in_and_come_out_as_they_are(engine):
    engine.register(lambda self, context: StepHandlerResult.success({"length": len(context.input_data)}))
    engine.enqueue(b"\0\xff" * 5)
    engine.run_one()
    assert engine.completed[0].output == {"length": 10}


def test_a_failure_is_kept_with_its_backtrace_and_what_the_handler_said(engine):
    def call(self, context):
        raise Permanent("the card is stolen", error_code="E7")

    engine.register(call)
    step_id = engine.enqueue({})
    engine.run_one()
    assert engine.info(step_id)["state"] == "failed"
    [attempt] = engine.attempts(step_id)
    assert attempt["error_type"] == "Permanent"
    assert attempt["message"] == "the card is stolen"
    assert attempt["error_code"] == "E7"
    assert "test_door.py" in json.dumps(attempt)


def test_retry_after_is_kept(engine):
    engine.register(lambda self, context: StepHandlerResult.failure("later", retry_after=3600))
    step_id = engine.enqueue({}, attempt_count_max=3)
    engine.run_one()
    info = engine.info(step_id)
    assert info["state"] == "scheduled", info
    assert len(engine.attempts(step_id)) == 1


def test_a_result_may_be_submitted_twice_but_not_two_results(engine):
    engine.register(lambda self, context: StepHandlerResult.success({"n": 1}))
    engine.enqueue({})
    event = engine.run_one()
    result = engine.completed[0]
    engine.door.complete(event, result)
    result.result = {"n": 2}
    with pytest.raises(stepbus.Already):
        engine.door.complete(event, result)


def test_refusals_have_classes_of_their_own(engine):
    engine.register(lambda self, context: StepHandlerResult.success({}))
    engine.enqueue({})
    event = engine.run_one()
    result = engine.completed[0]
    event.token += 1
    with pytest.raises((stepbus.Stale, stepbus.NotFound)):
        engine.door.complete(event, result)
    event.step_uuid = uuid.uuid4()
    with pytest.raises(stepbus.NotFound):
        engine.door.complete(event, result)
    event.step_uuid = "no id"
    with pytest.raises(stepbus.InvalidArgument):
        engine.door.complete(event, result)


def test_a_result_that_is_too_large_becomes_a_safe_failure(engine):
    engine.register(lambda self, context: StepHandlerResult.success("x" * 2_000_000))
    step_id = engine.enqueue({})
    engine.run_one()
    info = engine.info(step_id)
    assert info["state"] == "failed"
    assert engine.attempts(step_id)[0]["error_type"] == "FFI_SERIALIZATION_ERROR"


@pytest.mark.skipif(not native.lib.has("stepbus_checkpoint"), reason="the library knows no checkpoints")
def test_a_checkpoint_brings_the_step_back_from_where_it_was(engine):
    seen = []

    def call(self, context):
        seen.append((context.checkpoint_cursor, context.checkpoint_items_processed, context.accumulated_results))
        if not context.has_checkpoint():
            return StepHandlerResult.checkpoint_yield({"row": 500}, 20, {"sum": 3})
        return StepHandlerResult.success({})

    engine.register(call)
    step_id = engine.enqueue({})
    first = engine.run_one()
    second = engine.run_one()
    assert seen == [(None, 0, None), ({"row": 500}, 20, {"sum": 3})]
    assert second.step_uuid == first.step_uuid and second.token > first.token
    assert engine.info(step_id)["state"] == "completed"


@pytest.mark.parametrize("seconds, expected", [(None, -1), (0, 0), (-5, 0), (1.5, 1500), (0.0004, 0), (3600, 3_600_000)])
def test_delays_are_milliseconds(seconds, expected):
    assert milliseconds(seconds) == expected


def test_a_completion_is_filled_in():
    event = stepbus.FfiStepEvent("e", step_uuid=uuid.UUID(int=7), token=9)
    made = completion(event, stepbus.StepExecutionResult.success_result(event=event, result=b"raw", execution_time_ms=3))
    assert bytes(made.step_id) == uuid.UUID(int=7).bytes
    assert (made.token, made.outcome, made.execution_time_us, made.retry_after_ms) == (9, 1, 3000, -1)
    assert (made.result, made.result_len, made.content_type) == (b"raw", 3, b"application/octet-stream")


@pytest.mark.parametrize("seconds, expected", [(None, -1), (-3, 0), (2.5, 2500), (float("inf"), 316224000000), (1e300, 316224000000)])
def test_any_delay_that_a_handler_asks_for_fits_a_completion(seconds, expected):
    assert milliseconds(seconds) == expected
