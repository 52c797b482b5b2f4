# SPDX-License-Identifier: MIT
"""The tests that the specification prints, word for word, and its acceptance criteria."""
from stepbus import (
    EventBridge,
    EventNames,
    ExecutionEvent,
    FfiStepEvent,
    HandlerRegistry,
    StepExecutionSubscriber,
    StepHandler,
    StepHandlerResult,
)

import pytest


def test_event_bridge_publish_subscribe():
    """Test basic pub/sub functionality."""
    bridge = EventBridge()
    bridge.start()

    received = []
    bridge.subscribe("test.event", lambda x: received.append(x))
    bridge.publish("test.event", "data")

    assert received == ["data"]
    bridge.stop()

def test_handler_registry_register_resolve():
    """Test handler registration and resolution."""
    registry = HandlerRegistry()

    class TestHandler(StepHandler):
        handler_name = "test_handler"
        def call(self, context):
            return StepHandlerResult.success({})

    registry.register("test_handler", TestHandler)
    handler = registry.resolve("test_handler")

    assert handler is not None
    assert handler.name == "test_handler"

def test_step_handler_result_factory_methods():
    """Test StepHandlerResult factory methods."""
    success = StepHandlerResult.success({"key": "value"})
    assert success.success is True
    assert success.result == {"key": "value"}

    failure = StepHandlerResult.failure("error", retryable=False)
    assert failure.success is False
    assert failure.retryable is False


# Acceptance criteria


class Greet(StepHandler):
    handler_name = "greet"

    def call(self, context):
        return StepHandlerResult.success({"greeting": "hello, " + context.input_data["name"]})


class Broken(StepHandler):
    handler_name = "broken"

    def call(self, context):
        raise ValueError("no such luck")


def announce(bridge, handler_name, **event):
    inner = ExecutionEvent(handler_name=handler_name, input_data={"name": "world"})
    step = FfiStepEvent(
        event_id="7f1c5a34-57a3-4a9b-9d63-5f8f5d6f3a10",
        task_uuid="0d6a2c1e-8f57-4f0e-8a7a-2b1f6f3c9e01",
        step_uuid="b9f3c7aa-3a55-4a53-8a2c-6d1f0c7e5a02",
        correlation_id="c2a7c6de-9c1d-4c2c-9b5e-7a3e2f8d4b03",
        execution_event=inner,
        **event,
    )
    bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, step)
    return step


@pytest.fixture
def flow(bridge):
    """A subscriber with its registry, and what was submitted and published."""

    class Flow:
        submitted = []
        completed = []
        errors = []

    registry = HandlerRegistry()
    registry.register("greet", Greet)
    registry.register("broken", Broken)
    Flow.bridge = bridge
    Flow.submitted, Flow.completed, Flow.errors = [], [], []
    Flow.subscriber = StepExecutionSubscriber(
        event_bridge=bridge,
        handler_registry=registry,
        worker_id="worker-001",
        complete=lambda event, result: Flow.submitted.append((event, result)),
    )
    bridge.subscribe(EventNames.STEP_COMPLETION_SENT, Flow.completed.append)
    bridge.subscribe(EventNames.HANDLER_ERROR, Flow.errors.append)
    Flow.subscriber.start()
    yield Flow
    Flow.subscriber.stop()


def test_a_handler_without_call_cannot_be_made():
    class Incomplete(StepHandler):
        handler_name = "incomplete"

    with pytest.raises(TypeError):
        Incomplete()


def test_a_step_is_routed_to_its_handler_and_its_result_submitted(flow):
    step = announce(flow.bridge, "greet")
    [(event, result)] = flow.submitted
    assert event is step
    assert result.success is True
    assert result.output == {"greeting": "hello, world"}
    assert result.worker_id == "worker-001"
    assert str(result.step_uuid) == step.step_uuid
    assert str(result.task_uuid) == step.task_uuid
    assert result.status == "completed"
    assert flow.completed == [result]


def test_the_result_is_submitted_before_it_is_published(bridge):
    order = []
    registry = HandlerRegistry()
    registry.register("greet", Greet)
    subscriber = StepExecutionSubscriber(bridge, registry, "w", lambda event, result: order.append("submitted"))
    bridge.subscribe(EventNames.STEP_COMPLETION_SENT, lambda result: order.append("published"))
    subscriber.start()
    announce(bridge, "greet")
    assert order == ["submitted", "published"]


def test_an_exception_of_a_handler_becomes_a_failure(flow):
    step = announce(flow.bridge, "broken")
    [(_, result)] = flow.submitted
    assert result.success is False
    assert result.error.message == "no such luck"
    assert result.error.retryable is True
    assert "ValueError: no such luck" in result.error.metadata["traceback"]
    [(event, error)] = flow.errors
    assert event is step
    assert isinstance(error, ValueError)
    assert flow.completed == [result]


def test_a_step_without_a_handler_fails_for_good(flow):
    announce(flow.bridge, "unheard_of")
    [(_, result)] = flow.submitted
    assert result.error.error_type == "handler_not_found"
    assert result.error.message.startswith("Handler not found: unheard_of")
    assert result.error.retryable is False
    assert result.status == "permanent_error"


def test_a_stopped_subscriber_runs_nothing(flow):
    flow.subscriber.stop()
    assert flow.subscriber.is_active is False
    announce(flow.bridge, "greet")
    assert flow.submitted == []
