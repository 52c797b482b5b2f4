# SPDX-License-Identifier: MIT
"""Each step that was polled is answered, whatever its handler returns and whatever the store does meanwhile."""
import asyncio
import sqlite3
import threading
import time
from collections import deque

import pytest

import stepbus.settler
from stepbus import LATER, Stepbus
from stepbus.crew import Crew
from stepbus.errors import Already, Busy, StepbusError
from stepbus.execution import Execution
from stepbus.logs import WORKER
from stepbus.outcome import StepFailed
from stepbus.settling import Settling

TABLES = "select name from sqlite_master where type = 'table' and name not like 'sqlite%'"


class Refusing:
    """Lets a store refuse whatever is written to it, as another program could."""

    def __init__(self, path):
        self.path = path

    def begin(self):
        with sqlite3.connect(self.path, timeout=10) as store:
            for (table,) in list(store.execute(TABLES)):
                for what in ("insert", "update", "delete"):
                    store.execute(
                        "create trigger refuse_%s_%s before %s on %s begin select raise(abort, 'refused'); end"
                        % (what, table, what, table)
                    )
        store.close()

    def end(self):
        with sqlite3.connect(self.path, timeout=10) as store:
            for (name,) in list(store.execute("select name from sqlite_master where name like 'refuse_%'")):
                store.execute("drop trigger " + name)
        store.close()


@pytest.fixture
def refusing(tmp_path):
    return Refusing(tmp_path / "jobs.db")


@pytest.fixture
def app(tmp_path):
    with Stepbus(tmp_path / "jobs.db", lease_ms=1000, breaker={"failure_count": 2, "open_ms": 20}) as made:
        yield made


class Unbound:
    """A proxy of nothing, such as frameworks have them: to ask of what class it is raises."""

    @property
    def __class__(self):
        raise RuntimeError("there is nothing behind this")


class Mute(Exception):
    def __str__(self):
        raise ValueError("no words")


def items_that_raise(error):
    class Items(dict):
        def items(self):
            raise error

    return Items(a=1)


RESULTS = {
    "proxy": Unbound,
    "exit": lambda: items_that_raise(SystemExit()),
    "generator": lambda: items_that_raise(GeneratorExit()),
    "mute": lambda: items_that_raise(Mute()),
}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("name", RESULTS)
def test_a_result_that_raises_when_it_is_looked_at_fails_the_step_and_ends_no_thread(name, is_async):
    app = Stepbus("memory")
    if is_async:

        @app.step("hostile")
        async def hostile():
            return RESULTS[name]()

    else:

        @app.step("hostile")
        def hostile():
            return RESULTS[name]()

    @app.step("fine")
    def fine():
        return "fine"

    with app, app.running(threads=1):
        step = app.enqueue("hostile")
        with pytest.raises(StepFailed, match="bad_result"):
            step.result(timeout=10)
        assert app.enqueue("fine").result(timeout=10) == "fine"


def test_a_drain_keeps_its_answers_until_the_store_takes_them(app, refusing):
    @app.step("a")
    def a():
        refusing.begin()
        threading.Timer(0.3, refusing.end).start()
        return 7

    step = app.enqueue("a")
    assert app.drain() == 1
    assert step.result(timeout=0) == 7
    assert len(step.attempts()) == 1


def test_a_run_ends_though_the_store_takes_no_answers_any_more(app, refusing, monkeypatch, caplog):
    monkeypatch.setattr(stepbus.settler, "LAST_TRIES_S", 0.1)

    @app.step("a")
    def a():
        refusing.begin()
        app.stop()
        return 7

    step = app.enqueue("a")
    ended = threading.Thread(target=app.run, kwargs={"threads": 1, "signals": False}, daemon=True)
    ended.start()
    ended.join(20)
    assert not ended.is_alive()
    assert "1 results could not be kept" in caplog.text
    refusing.end()
    assert step.info()["state"] in ("running", "ready", "scheduled")


def test_a_step_that_was_answered_stays_unreadable_when_a_second_answer_is_put_off(tmp_path, refusing):
    with Stepbus(tmp_path / "jobs.db", lease_ms=1000, breaker={"failure_count": 1, "open_ms": 60000}) as app:

        @app.step("a")
        def a():
            return LATER

        app.enqueue_many([("a", 1), ("a", 2)], correlation_id="c" * 40)
        with app.worker() as worker:
            first, second = worker.poll(1, timeout=5) + worker.poll(1, timeout=5)
            first.complete(1)
            refusing.begin()
            with pytest.raises(StepbusError):
                second.complete(2)
            with pytest.raises(Busy):
                first.complete(1)
            with pytest.raises(Already):
                first.correlation_id
            assert second.correlation_id == "c" * 40
            refusing.end()


class Snatched(deque):
    """A backlog of which another thread takes the last one just when it was found to be there."""

    looks = 0

    def __bool__(self):
        self.looks += 1
        return self.looks == 1


def test_rebalancing_beside_threads_that_take_steps_does_no_harm():
    app = Stepbus("memory")
    with app:
        worker = app.worker()
        crew = Crew(worker, app._functions, 1)
        crew._backlog = Snatched()
        crew.rebalance()
        crew.end(1)


def test_answers_are_handed_in_though_a_log_filter_raises(app, refusing):
    def refuse(record):
        raise RuntimeError("no log today")

    @app.step("a")
    def a(number):
        if number < 0:
            raise ValueError("no")
        return number

    WORKER.addFilter(refuse)
    try:
        steps = app.enqueue_many([("a", number) for number in (-1, 1, 2, 3)])
        worker = app.worker()
        settling = Settling(worker)
        execution = Execution(app._functions)
        for step in worker.poll(10, timeout=5):
            settling.add(execution.run(step))
        end = time.monotonic() + 10
        while len(settling) and time.monotonic() < end:
            try:
                settling.settle()
            except RuntimeError:
                pass
    finally:
        WORKER.removeFilter(refuse)
    assert [step.result(timeout=5) for step in steps[1:]] == [1, 2, 3]
    assert len(steps[0].attempts()) == 1


def test_serving_ends_in_time_though_a_handler_swallows_its_cancellation(caplog):
    app = Stepbus("memory")

    async def main():
        over = asyncio.Event()

        @app.step("deaf")
        async def deaf():
            while not over.is_set():
                try:
                    await over.wait()
                except asyncio.CancelledError:
                    pass

        step = app.enqueue("deaf")
        served = asyncio.create_task(app.serve(1, drain_timeout=0.1))
        while step.info()["state"] != "running":
            await asyncio.sleep(0.01)
        app.stop()
        await asyncio.wait_for(served, 10)
        over.set()
        return step.info()["state"]

    with app:
        assert asyncio.run(main()) in ("ready", "scheduled")
    assert "do not heed" in caplog.text
