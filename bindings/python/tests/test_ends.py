# SPDX-License-Identifier: MIT
"""Forks, ends of the interpreter in the middle of things, and collected objects: an error or nothing, never a crash."""
import pytest

SETUP = """
import atexit, gc, os, sys, threading, weakref
import stepbus
from stepbus import EventBridge, EventNames, ExecutionEvent, FfiStepEvent, HandlerRegistry
from stepbus import StepExecutionSubscriber, StepHandler, StepHandlerResult

class Handler(StepHandler):
    handler_name = "h"

    def call(self, context):
        return StepHandlerResult.success({"n": 1})

class Listener:
    def __init__(self, bridge):
        self.bridge = bridge

    def hear(self, *args):
        self.last = args

    def __del__(self):
        self.gone = True

step = FfiStepEvent("e", "b9f3c7aa-3a55-4a53-8a2c-6d1f0c7e5a02", "b9f3c7aa-3a55-4a53-8a2c-6d1f0c7e5a03", None,
                    execution_event=ExecutionEvent("h"))
bridge = EventBridge.instance()
bridge.start()
registry = HandlerRegistry.instance()
registry.register("h", Handler)
subscriber = StepExecutionSubscriber(bridge, registry, "w")
subscriber.start()
listener = Listener(bridge)
bridge.subscribe("*", listener.hear)
bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, step)
"""


def expect(ran, status=0, out=""):
    assert ran.status == status, ran.err
    assert ran.out.strip() == out
    assert "Fatal" not in ran.err and "Traceback" not in ran.err and "Exception ignored" not in ran.err, ran.err


# Forks


FORKED = (
    SETUP
    + """
def attempt(what):
    try:
        what()
        return "worked"
    except stepbus.Forked as error:
        return error.name
    except BaseException as error:
        return repr(error)

def show(*whats):
    print(" ".join(attempt(what) for what in whats), flush=True)

child = os.fork()
if child == 0:
    %s
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, step)
assert registry.resolve("h") is not None
"""
)


def test_a_forked_child_gets_an_exception_from_each_object(run_program):
    ran = run_program(
        FORKED
        % """show(
        lambda: bridge.publish("x", 1), lambda: bridge.start(), lambda: bridge.stop(),
        lambda: bridge.subscribe("x", print), lambda: bridge.unsubscribe("*", listener.hear),
        lambda: bridge.listener_count("x"), lambda: bridge.stats(),
        lambda: registry.register("x", Handler), lambda: registry.unregister("h"),
        lambda: registry.clear(), lambda: registry.create("h"), lambda: registry.describe())"""
    )
    expect(ran, out=" ".join(["STEPBUS_EFORKED"] * 12))


def test_a_forked_child_may_make_its_own(run_program):
    ran = run_program(
        FORKED
        % """EventBridge.reset_instance(); HandlerRegistry.reset_instance()
    own = EventBridge.instance(); own.start(); heard = []
    own.subscribe("x", heard.append); own.publish("x", 5)
    HandlerRegistry.instance().register("h", Handler)
    print(heard, HandlerRegistry.instance().resolve("h").name, flush=True)"""
    )
    expect(ran, out="[5] h")


def test_a_forked_child_may_collect_what_it_inherited(run_program):
    ran = run_program(
        FORKED
        % """EventBridge.reset_instance(); HandlerRegistry.reset_instance()
    del bridge, registry, subscriber, listener
    gc.collect(); print("collected", flush=True)"""
    )
    expect(ran, out="collected")


def test_a_forked_child_may_end_in_the_usual_way(run_program):
    program = FORKED.replace("os._exit(0)", "sys.exit(0)") % "pass"
    expect(run_program(program))


def test_a_child_of_multiprocessing_ends_cleanly(run_program):
    ran = run_program(
        SETUP
        + """
import multiprocessing

def work(queue):
    try:
        bridge.publish("x", 1)
    except stepbus.Forked:
        queue.put("forked")

context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=work, args=(queue,))
process.start()
print(queue.get(timeout=20))
process.join()
assert process.exitcode == 0
"""
    )
    expect(ran, out="forked")


def test_a_fork_while_threads_register_and_publish(run_program):
    ran = run_program(
        SETUP
        + """
import logging
logging.disable(logging.CRITICAL)
stop = threading.Event()

def churn():
    while not stop.is_set():
        registry.register("h", Handler)
        bridge.publish("x", 1)

threads = [threading.Thread(target=churn) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        for what in (lambda: registry.register("h", Handler), lambda: bridge.publish("x", 1)):
            try:
                what()
                os._exit(1)
            except stepbus.Forked:
                pass
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
print("done")
"""
    )
    expect(ran, out="done")


# Ends of the interpreter


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "sys.exit(0)",
        "os._exit(0)",
        "del bridge, registry; sys.exit(0)",
        "EventBridge.reset_instance(); HandlerRegistry.reset_instance()",
        "atexit.register(lambda: bridge.publish('x', 1))",
        "atexit.register(lambda: bridge.stop())",
        "keep = [bridge]; keep.append(keep); del bridge",
        "sys.keep = bridge; sys.more = registry",
        "import stepbus.bridge; stepbus.bridge._deliver.keep = bridge",
        "gc.disable(); bridge.subscribe('x', lambda: bridge)",
        "weakref.finalize(listener, lambda: print('', end=''))",
        "bridge.subscribe('end', lambda: sys.exit(0)); bridge.publish('end')",
        "bridge.subscribe('end', lambda: os._exit(0)); bridge.publish('end')",
    ],
)
def test_the_interpreter_ends_with_live_subscriptions(run_program, ending):
    expect(run_program(SETUP + ending))


def test_an_object_that_publishes_when_it_is_collected_at_the_end(run_program):
    ran = run_program(
        SETUP
        + """
class Last:
    def __init__(self):
        self.bridge = bridge

    def __del__(self):
        self.bridge.publish("x", 1)

last = Last()
sys.last = last
"""
    )
    assert ran.status == 0, ran.err
    assert "Fatal" not in ran.err


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "os._exit(0)"])
def test_the_interpreter_ends_while_daemon_threads_publish(run_program, ending):
    ran = run_program(
        SETUP
        + """
import logging
logging.disable(logging.CRITICAL)
running = threading.Barrier(4)

def publish():
    running.wait()
    while True:
        bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, step)
        bridge.publish("x", 1)

for _ in range(3):
    threading.Thread(target=publish, daemon=True).start()
running.wait()
for _ in range(50):
    bridge.publish("x", 1)
"""
        + ending
    )
    assert ran.status == 0, ran.err
    assert "Fatal" not in ran.err and "Segmentation" not in ran.err


def test_the_interpreter_ends_while_a_daemon_thread_is_in_a_handler(run_program):
    ran = run_program(
        SETUP
        + """
entered, never = threading.Event(), threading.Event()

def stuck():
    entered.set()
    never.wait()

bridge.subscribe("stuck", stuck)
threading.Thread(target=bridge.publish, args=("stuck",), daemon=True).start()
entered.wait()
print("leaving")
""",
        timeout=20,
    )
    expect(ran, out="leaving")


def test_ctrl_c_in_a_subscriber_ends_the_program_in_the_usual_way(run_program):
    ran = run_program(
        SETUP
        + """
import signal
bridge.subscribe("x", lambda: signal.raise_signal(signal.SIGINT))
try:
    bridge.publish("x")
except KeyboardInterrupt:
    print("interrupted")
"""
    )
    expect(ran, out="interrupted")


# Collected objects


def test_bridges_and_registries_come_and_go_while_threads_collect(run_program):
    ran = run_program(
        SETUP
        + """
import logging
logging.disable(logging.CRITICAL)
stop = threading.Event()

def collect():
    while not stop.is_set():
        gc.collect()

collector = threading.Thread(target=collect)
collector.start()
for i in range(100):
    made, classes = EventBridge(), HandlerRegistry()
    classes.register("h", type("H", (Handler,), {}))
    other = StepExecutionSubscriber(made, classes, "w")
    other.start()
    made.start()
    results = []
    made.subscribe(EventNames.STEP_COMPLETION_SENT, results.append)
    made.subscribe_once("x", lambda: made)
    made.publish(EventNames.STEP_EXECUTION_RECEIVED, step)
    assert results[0].success, results
    made.publish("x")
stop.set()
collector.join()
del made, classes, other, results
gc.collect()
import stepbus.bridge
print(len(stepbus.bridge._entries), len(stepbus.bridge._publications))
"""
    )
    expect(ran, out="2 0")


def test_a_bridge_that_is_collected_inside_a_subscriber_of_another(run_program):
    ran = run_program(
        SETUP
        + """
def drop():
    inner = EventBridge()
    inner.start()
    inner.subscribe("y", lambda: inner)
    inner.publish("y")
    del inner
    gc.collect()

bridge.subscribe("x", drop)
for _ in range(20):
    bridge.publish("x")
print("done")
"""
    )
    expect(ran, out="done")
