# SPDX-License-Identifier: MIT
import gc
import logging
import threading
import weakref

import pytest

import stepbus
from stepbus import EventBridge, EventNames
from stepbus import bridge as bridge_module


def test_instance_is_one_for_the_process_until_it_is_reset():
    first = EventBridge.instance()
    assert EventBridge.instance() is first
    first.start()
    EventBridge.reset_instance()
    assert not first.is_active
    assert EventBridge.instance() is not first


def test_a_bridge_is_not_started_when_it_is_made():
    assert not EventBridge().is_active


def test_start_and_stop_may_be_repeated():
    bridge = EventBridge()
    bridge.stop()
    bridge.start()
    bridge.start()
    assert bridge.is_active
    bridge.stop()
    bridge.stop()
    assert not bridge.is_active


def test_arguments_reach_subscribers_as_they_were_given(bridge):
    received = []
    bridge.subscribe("test.event", lambda *args, **kwargs: received.append((args, kwargs)))
    thing = object()
    bridge.publish("test.event", thing, 2, key="value")
    bridge.publish("test.event")
    assert received == [((thing, 2), {"key": "value"}), ((), {})]
    assert received[0][0][0] is thing


def test_subscribers_are_called_in_order(bridge):
    received = []
    for i in range(5):
        bridge.subscribe("test.event", lambda x, i=i: received.append(i))
    bridge.publish("test.event", None)
    assert received == [0, 1, 2, 3, 4]


def test_unsubscribed_is_not_called(bridge):
    received = []

    def handler(x):
        received.append(x)

    bridge.subscribe("test.event", handler)
    bridge.publish("test.event", "first")
    bridge.unsubscribe("test.event", handler)
    bridge.publish("test.event", "second")
    assert received == ["first"]


def test_unsubscribing_what_is_not_subscribed_is_a_key_error(bridge):
    with pytest.raises(KeyError):
        bridge.unsubscribe("test.event", print)
    with pytest.raises(stepbus.NotFound, match="is not subscribed to test.event"):
        bridge.unsubscribe("test.event", print)


def test_once_is_once(bridge):
    received = []
    bridge.subscribe_once("test.event", received.append)
    assert bridge.listener_count("test.event") == 1
    bridge.publish("test.event", "first")
    bridge.publish("test.event", "second")
    assert received == ["first"]
    assert bridge.listener_count("test.event") == 0
    assert bridge.listeners("test.event") == []
    bridge.subscribe_once("test.event", received.append)
    bridge.publish("test.event", "third")
    assert received == ["first", "third"]


def test_once_is_once_also_where_it_publishes_the_same_event(bridge):
    received = []

    def again(x):
        received.append(x)
        bridge.publish("test.event", x + 1)

    bridge.subscribe_once("test.event", again)
    bridge.publish("test.event", 1)
    assert received == [1]


def test_a_callable_is_subscribed_to_a_name_once(bridge):
    received = []
    handler = received.append
    bridge.subscribe("test.event", handler)
    bridge.subscribe("test.event", handler)
    bridge.publish("test.event", 1)
    assert received == [1]
    bridge.subscribe_once("test.event", handler)
    bridge.publish("test.event", 2)
    bridge.publish("test.event", 3)
    assert received == [1, 2]


def test_an_inactive_bridge_drops_events_with_a_warning(caplog):
    bridge = EventBridge()
    received = []
    bridge.subscribe("test.event", received.append)
    with caplog.at_level(logging.WARNING):
        bridge.publish("test.event", "data")
    assert received == []
    assert "EventBridge not active, dropping event: test.event" in caplog.text
    assert bridge.stats()["refused"] == 1


def test_listeners_are_counted_and_listed_in_order(bridge):
    def first():
        pass

    def second():
        pass

    assert bridge.listener_count("test.event") == 0
    assert bridge.listeners("test.event") == []
    bridge.subscribe("test.event", first)
    bridge.subscribe("test.event", second)
    assert bridge.listener_count("test.event") == 2
    assert bridge.listeners("test.event") == [first, second]


def test_stop_removes_all_subscriptions(bridge):
    received = []
    bridge.subscribe("test.event", received.append)
    bridge.stop()
    assert bridge.listener_count("test.event") == 0
    bridge.start()
    bridge.publish("test.event", 1)
    assert received == []


def test_event_names_and_schema():
    schema = EventBridge().event_schema
    assert EventNames.STEP_EXECUTION_RECEIVED == "step.execution.received"
    assert EventNames.STEP_COMPLETION_SENT == "step.completion.sent"
    assert EventNames.STEP_CHECKPOINT_YIELD == "step.checkpoint_yield.sent"
    assert EventNames.HANDLER_REGISTERED == "handler.registered"
    assert EventNames.HANDLER_ERROR == "handler.error"
    assert EventNames.POLLER_METRICS == "poller.metrics"
    assert EventNames.POLLER_ERROR == "poller.error"
    assert schema["step.execution.received"] == "FfiStepEvent"
    assert schema["handler.error"] == "tuple[FfiStepEvent, Exception]"
    schema.clear()
    assert EventBridge().event_schema


def test_every_event_name_is_in_the_catalog_of_the_library():
    declared = {event["name"] for event in EventBridge().catalog()}
    names = {value for name, value in vars(EventNames).items() if name.isupper()}
    assert names <= declared


def test_a_subscriber_that_raises_is_logged_and_the_others_are_called(bridge, caplog):
    received = []

    def bad(x):
        raise ValueError("this one is broken")

    bridge.subscribe("test.event", bad)
    bridge.subscribe("test.event", received.append)
    bridge.publish("test.event", "data")
    assert received == ["data"]
    assert "a subscriber of test.event raised an exception" in caplog.text
    assert "this one is broken" in caplog.text


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interrupt_leaves_publish(bridge, interrupt):
    received = []

    def interrupted(x):
        raise interrupt()

    bridge.subscribe("test.event", interrupted)
    bridge.subscribe("test.event", received.append)
    with pytest.raises(interrupt):
        bridge.publish("test.event", 1)
    assert received == []
    bridge.unsubscribe("test.event", interrupted)
    bridge.publish("test.event", 2)
    assert received == [2]


def test_patterns_reach_what_is_published_later(bridge):
    received = []
    bridge.subscribe("order.*", received.append)
    bridge.subscribe("*", received.append)
    bridge.publish("order.paid", 1)
    bridge.publish("custom", 2)
    assert received == [1, 1, 2]
    assert bridge.listener_count("order.paid") == 2


def test_subscribers_may_subscribe_unsubscribe_and_publish(bridge):
    received = []

    def late(x):
        received.append(("late", x))

    def first(x):
        received.append(("first", x))
        bridge.unsubscribe("test.event", first)
        bridge.subscribe("test.event", late)
        bridge.publish("other.event", x)

    bridge.subscribe("test.event", first)
    bridge.subscribe("other.event", lambda x: received.append(("other", x)))
    bridge.publish("test.event", 1)
    bridge.publish("test.event", 2)
    assert received == [("first", 1), ("other", 1), ("late", 2)]


def test_a_subscriber_may_stop_the_bridge(bridge):
    received = []

    def stop(x):
        received.append(x)
        bridge.stop()

    bridge.subscribe("test.event", stop)
    bridge.publish("test.event", 1)
    bridge.publish("test.event", 2)
    assert received == [1]
    assert not bridge.is_active


def test_nesting_too_deep_is_an_error_and_no_crash(bridge, caplog):
    def again(depth):
        bridge.publish("test.event", depth + 1)

    bridge.subscribe("test.event", again)
    bridge.publish("test.event", 0)
    assert "STEPBUS_EREENTRANT" in caplog.text or "nested too deep" in caplog.text


@pytest.mark.parametrize("name", ["", ".", "a..b", "with space", "x" * 129, "ümlaut", "nul\0byte"])
def test_a_name_that_is_none_is_refused(bridge, name):
    with pytest.raises(ValueError):
        bridge.subscribe(name, print)
    with pytest.raises(stepbus.InvalidArgument):
        bridge.publish(name, 1)
    assert bridge_module._publications == {}


@pytest.mark.parametrize("name", [None, 5, ["a"], object()])
def test_a_name_that_is_no_text_is_refused(bridge, name):
    with pytest.raises((TypeError, ValueError)):
        bridge.publish(name, 1)


def test_a_subscriber_that_cannot_be_called_is_refused(bridge):
    with pytest.raises(TypeError, match="must be callable"):
        bridge.subscribe("test.event", 5)


def test_pairs_reach_those_who_take_one_and_those_who_take_two(bridge):
    received = []

    class Observer:
        def method(self, first, second):
            received.append(("method", first, second))

    bridge.subscribe("handler.error", lambda pair: received.append(("one", pair)))
    bridge.subscribe("handler.error", lambda first, second: received.append(("two", first, second)))
    bridge.subscribe("handler.error", lambda *args: received.append(("any", args)))
    bridge.subscribe("handler.error", lambda pair, more=None: received.append(("more", pair, more)))
    bridge.subscribe("handler.error", Observer().method)
    bridge.publish_pair("handler.error", 1, 2)
    assert received == [
        ("one", (1, 2)),
        ("two", 1, 2),
        ("any", ((1, 2),)),
        ("more", (1, 2), None),
        ("method", 1, 2),
    ]


# What lives how long


def test_a_subscriber_that_nobody_else_holds_is_not_collected(bridge):
    received = []

    class Listener:
        def hear(self, x):
            received.append(x)

    bridge.subscribe("test.event", Listener().hear)
    bridge.subscribe("test.event", lambda x: received.append(x))
    gc.collect()
    for i in range(100):
        bridge.publish("test.event", i)
        gc.collect(0)
    assert len(received) == 200


def test_an_ended_subscription_lets_go_of_its_callable(bridge):
    class Listener:
        def __call__(self, x):
            pass

    for end in ("unsubscribe", "once", "stop"):
        listener = Listener()
        watch = weakref.ref(listener)
        if end == "once":
            bridge.subscribe_once("test.event", listener)
            bridge.publish("test.event", 1)
        else:
            bridge.subscribe("test.event", listener)
        if end == "unsubscribe":
            bridge.unsubscribe("test.event", listener)
        if end == "stop":
            bridge.stop()
        del listener
        gc.collect()
        assert watch() is None, end


def test_a_bridge_that_nobody_holds_is_freed_with_its_subscriptions():
    bridge = EventBridge()
    watch = weakref.ref(bridge)
    before = len(bridge_module._entries)
    bridge.subscribe("test.event", lambda x: bridge.publish("other.event", x))  # refers to the bridge in turn
    bridge.subscribe("*", print)
    bridge.start()
    assert len(bridge_module._entries) == before + 2
    del bridge
    gc.collect()
    assert watch() is None
    assert len(bridge_module._entries) == before


def test_what_was_published_is_let_go_of(bridge):
    class Thing:
        pass

    bridge.subscribe("test.event", lambda x: None)
    thing = Thing()
    watch = weakref.ref(thing)
    bridge.publish("test.event", thing)
    del thing
    gc.collect()
    assert watch() is None
    assert bridge_module._publications == {}


# Threads


def test_threads_publish_at_once_and_nothing_is_lost(bridge):
    count, threads = 2000, 8
    received = [[] for _ in range(threads)]
    bridge.subscribe("test.event", lambda thread, i: received[thread].append(i))

    def publish(thread):
        for i in range(count):
            bridge.publish("test.event", thread, i)

    running = [threading.Thread(target=publish, args=(n,)) for n in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert received == [list(range(count))] * threads


def test_threads_subscribe_and_unsubscribe_while_others_publish(bridge):
    stop = threading.Event()
    errors = []

    def churn():
        def handler(x):
            if not isinstance(x, int):
                errors.append(x)

        try:
            for _ in range(300):
                bridge.subscribe("test.event", handler)
                bridge.subscribe_once("test.event", lambda x: None)
                bridge.unsubscribe("test.event", handler)
        except Exception as error:
            errors.append(error)

    def publish():
        while not stop.is_set():
            bridge.publish("test.event", 1)

    publishers = [threading.Thread(target=publish) for _ in range(2)]
    churners = [threading.Thread(target=churn) for _ in range(3)]
    for thread in publishers + churners:
        thread.start()
    for thread in churners:
        thread.join()
    stop.set()
    for thread in publishers:
        thread.join()
    bridge.publish("test.event", 1)
    assert errors == []
    assert bridge.listener_count("test.event") == 0


def test_unsubscribe_returns_when_the_handler_has_returned(bridge):
    entered, leave = threading.Event(), threading.Event()
    order = []

    def handler(x):
        entered.set()
        leave.wait(10)
        order.append("returned")

    def unsubscribe():
        bridge.unsubscribe("test.event", handler)
        order.append("unsubscribed")

    bridge.subscribe("test.event", handler)
    publisher = threading.Thread(target=bridge.publish, args=("test.event", 1))
    publisher.start()
    assert entered.wait(10)
    ender = threading.Thread(target=unsubscribe)
    ender.start()
    leave.set()
    publisher.join()
    ender.join()
    assert order == ["returned", "unsubscribed"]
