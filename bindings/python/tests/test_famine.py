# SPDX-License-Identifier: MIT
"""What must not be lost where memory runs out in the middle; tests/bindings/starve.sh tries every such place."""
import threading

import pytest

from stepbus import EventBridge, Stepbus
from stepbus import _native as native
from stepbus import bridge as bridges


def refuse_once(monkeypatch, name):
    """The next call of a function of the library raises MemoryError."""
    real = native.call
    left = [1]

    def call(called, *arguments):
        if called == name and left:
            left.pop()
            raise MemoryError
        real(called, *arguments)

    monkeypatch.setattr(native, "call", call)


def test_a_subscription_that_cannot_be_replaced_stays(monkeypatch):
    heard = []
    bridge = EventBridge()
    bridge.start()
    bridge.subscribe("test.event", heard.append)
    count = len(bridges._entries)
    refuse_once(monkeypatch, "stepbus_bridge_subscribe")
    hear = heard.append
    with pytest.raises(MemoryError):
        bridge.subscribe_once("test.event", hear)
    bridge.publish("test.event", 1)
    bridge.publish("test.event", 2)
    assert heard == [1, 2]
    assert len(bridges._entries) == count
    bridge.stop()


def test_a_subscription_is_replaced_even_where_the_old_one_cannot_be_ended(monkeypatch):
    heard = []
    hear = heard.append
    bridge = EventBridge()
    bridge.start()
    bridge.subscribe("test.event", hear)
    refuse_once(monkeypatch, "stepbus_bridge_unsubscribe")
    with pytest.raises(MemoryError):
        bridge.subscribe_once("test.event", hear)
    bridge.publish("test.event", 1)
    bridge.publish("test.event", 2)
    assert heard == [1]
    bridge.stop()


def test_steps_that_were_polled_and_could_not_be_read_go_back(monkeypatch):
    with Stepbus("memory") as app:
        app.step("x")(lambda: 1)
        app.enqueue("x")
        worker = app.worker()

        def refuse(room, count):
            monkeypatch.undo()
            raise MemoryError

        monkeypatch.setattr(worker, "_read", refuse)
        with pytest.raises(MemoryError):
            worker.poll(4, timeout=10)
        (step,) = worker.poll(4, timeout=10)
        step.complete("done")
        worker.close()


def test_running_raises_at_once_what_keeps_it_from_running(monkeypatch):
    inside = threading.Event()
    with Stepbus("memory") as app:
        app.step("x")(lambda: 1)

        def run(*_, **__):
            raise MemoryError

        monkeypatch.setattr(app, "run", run)
        with pytest.raises(MemoryError):
            with app.running():
                inside.set()
    assert not inside.is_set()
