# SPDX-License-Identifier: MIT
"""Running steps on threads: app.run, app.running, the low-level worker, and how they end."""
import logging
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from stepbus import Busy, InvalidArgument, Reentrant, ShutDown, StepFailed, Stepbus
from stepbus import _structs as s
from stepbus.settling import Settling


@pytest.fixture
def app():
    with Stepbus("memory", retry={"base_ms": 1, "cap_ms": 10, "jitter_percent": 0}) as made:
        yield made


@pytest.mark.parametrize("threads", [1, 4])
def test_running_in_the_background(app, threads):
    app.step("double")(lambda n: 2 * n)
    with app.running(threads=threads):
        steps = app.enqueue_many([("double", {"n": n}) for n in range(2000)])
        assert [app.result(step, 20) for step in steps] == [2 * n for n in range(2000)]
    assert app.count(state="completed") == 2000


def test_slow_handlers_run_beside_each_other(app):
    meet = threading.Barrier(4, timeout=20)

    @app.step("meet")
    def at_the_barrier():
        meet.wait()

    with app.running(threads=4):
        steps = app.enqueue_many([("meet", None)] * 4)
        for step in steps:
            app.result(step, 20)


def test_results_of_fast_handlers_do_not_wait_for_slow_ones(app):
    go = threading.Event()
    app.step("slow")(lambda: go.wait(20))
    app.step("fast")(lambda: "done")
    with app.running(threads=2):
        slow = app.enqueue("slow")
        fast = app.enqueue_many([("fast", None)] * 50)
        assert [app.result(step, 20) for step in fast] == ["done"] * 50
        go.set()
        assert app.result(slow, 20) is True


def test_what_waits_behind_a_slow_handler_goes_back(app, monkeypatch):
    monkeypatch.setattr("stepbus.crew.STALE_S", 0.05)
    monkeypatch.setattr("stepbus.shift.TICK_S", 0.05)
    monkeypatch.setattr("stepbus.pace.WORK_S", 1000)
    go, begun = threading.Event(), threading.Event()

    @app.step("slow")
    def slow():
        begun.set()
        go.wait(20)

    app.step("fast")(lambda: "done")
    with app.running(threads=1):
        for step in app.enqueue_many([("fast", None)] * 20):
            app.result(step, 20)
        app.enqueue_many([("slow", None)] + [("fast", None)] * 5)
        assert begun.wait(20)
        wait_until(lambda: len(app._shifts[0].worker.held()) == 1)
        go.set()
        wait_until(lambda: app.count(state="completed") == 26)


def wait_until(is_true, timeout=20.0):
    end = time.monotonic() + timeout
    while not is_true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.002)


def test_stopping_finishes_what_runs_and_leaves_the_rest(app):
    begun, go = threading.Event(), threading.Event()

    @app.step("slow")
    def slow():
        begun.set()
        assert go.wait(20)
        return "finished"

    steps = app.enqueue_many([("slow", None)] * 3)
    with app.running(threads=1):
        assert begun.wait(20)
        (shift,) = app._shifts
        app.stop()
        wait_until(lambda: shift._crew._stopping)
        go.set()
    states = sorted(app.info(step)["state"] for step in steps)
    assert states == ["completed", "ready", "ready"]


def test_what_does_not_finish_in_time_goes_back_and_its_late_result_is_refused(app, caplog):
    begun, go, left = threading.Event(), threading.Event(), threading.Event()

    @app.step("slow")
    def slow():
        begun.set()
        go.wait(20)
        left.set()
        return "late"

    step = app.enqueue("slow")
    caplog.set_level(logging.INFO, "stepbus")
    with app.running(threads=1, drain_timeout=0.05):
        assert begun.wait(20)
    assert app.info(step)["state"] == "ready"
    assert "1 steps still ran" in caplog.text
    go.set()
    assert left.wait(20)
    app.drain()
    assert app.result(step, 5) == "late"


def test_stopping_waits_for_answers_that_were_left_to_others(app):
    kept = []

    @app.step("later")
    def later(step):
        kept.append(step)
        return step.later()

    step = app.enqueue("later")
    with app.running(threads=1):
        wait_until(lambda: kept)
        app.stop()
        threading.Timer(0.05, kept[0].complete, args=("in time",)).start()
    assert app.result(step, 0) == "in time"

    again = app.enqueue("later")
    with app.running(threads=1, drain_timeout=0.05):
        wait_until(lambda: len(kept) == 2)
    assert app.info(again)["state"] == "ready"


def test_closing_from_inside_a_handler_is_refused(app):
    @app.step("close", retry=1)
    def close():
        app.close()

    with app.running(threads=1):
        with pytest.raises(StepFailed) as caught:
            app.result(app.enqueue("close"), 20)
    assert caught.value.error_type == Reentrant.__name__


def test_a_handler_may_stop_the_run(app):
    @app.step("last")
    def last():
        app.stop()
        return "bye"

    step = app.enqueue("last")
    app.run(threads=2)
    assert app.result(step, 5) == "bye"


@pytest.mark.parametrize("threads", [0, -1, True, "2", 10000])
def test_bad_thread_counts_are_refused(app, threads):
    with pytest.raises(InvalidArgument, match="threads"):
        app.run(threads=threads)


def test_a_bad_worker_configuration_is_raised_where_it_was_given(app):
    with pytest.raises(InvalidArgument, match="queus"):
        app.run(queus=["a"])
    with pytest.raises(InvalidArgument):
        with app.running(strategy="whatever"):
            pass


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_base_exceptions_in_handlers_do_not_end_the_threads(app, kind):
    @app.step("exits", retry=1)
    def exits():
        raise kind

    app.step("fine")(lambda: 1)
    with app.running(threads=1):
        with pytest.raises(StepFailed) as caught:
            app.result(app.enqueue("exits"), 20)
        assert app.result(app.enqueue("fine"), 20) == 1
    assert caught.value.error_type == kind.__name__


def test_an_attempt_that_takes_too_long_is_failed_and_its_late_answer_refused(app, caplog):
    go = threading.Event()
    seen = []

    @app.step("stuck", timeout=0.05, retry=1)
    def stuck(step):
        go.wait(20)
        seen.append(step.cancelled)

    caplog.set_level(logging.INFO, "stepbus.worker")
    with app.running(threads=1):
        step = app.enqueue("stuck")
        with pytest.raises(StepFailed) as caught:
            app.result(step, 20)
        assert caught.value.error_type == "timed_out"
        go.set()
    assert seen == [True]
    assert "its time was over before" in caplog.text


def test_a_cancelled_step_is_told_and_its_answer_refused(app, caplog):
    begun = threading.Event()
    heard = []

    @app.step("long")
    def long(step):
        begun.set()
        wait_until(lambda: step.cancelled)
        try:
            step.heartbeat()
        except Exception as error:
            heard.append(type(error).__name__)

    caplog.set_level(logging.INFO, "stepbus.worker")
    with app.running(threads=1):
        step = app.enqueue("long")
        assert begun.wait(20)
        app.cancel(step)
    assert heard == ["Cancelled"]
    assert "it was cancelled" in caplog.text


def test_logs_tell_of_steps(app, caplog):
    caplog.set_level(logging.DEBUG, "stepbus")

    @app.step("fails")
    def fails():
        raise ValueError("oh")

    app.step("fine")(lambda: 1)
    fine, step = app.enqueue("fine"), app.enqueue("fails", retry=2)
    while app.info(step)["state"] != "failed":
        app.drain()
    records = [record for record in caplog.records if getattr(record, "step_id", "") == str(step)]
    assert [record.levelno for record in records] == [logging.INFO, logging.ERROR]
    assert records[1].handler == "fails" and records[1].attempt == 2 and records[1].error_type == "ValueError"
    assert any(getattr(record, "step_id", "") == str(fine) and "completed" in record.message for record in caplog.records)


# Signals

PROGRAM = """
    import sys, threading, time
    from stepbus import Stepbus
    app = Stepbus({path!r})
    begun = threading.Event()

    @app.step("slow")
    {kind}def slow():
        print("begun", flush=True)
        {sleep}
        return "finished"

    app.enqueue_many([("slow", None)] * 3)
    app.run(threads=1, tasks=1)
    app.close()
    print("ended", flush=True)
"""

SYNC = {"kind": "", "sleep": "time.sleep(0.3)"}
ASYNC = {"kind": "async ", "sleep": "await __import__('asyncio').sleep(0.3)"}


def start(path, words):
    import stepbus

    source = str(__import__("pathlib").Path(stepbus.__file__).parents[1])
    program = "import sys; sys.path.insert(0, %r)\n" % source + textwrap.dedent(PROGRAM.format(path=str(path), **words))
    process = subprocess.Popen([sys.executable, "-X", "faulthandler", "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.mark.parametrize("words", [SYNC, ASYNC], ids=["sync", "async"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(tmp_path, number, words):
    process = start(tmp_path / "jobs.db", words)
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out.splitlines()[-1]) == (0, "ended")
    with Stepbus(tmp_path / "jobs.db") as app:
        assert app.count(state="completed") == 1 and app.count(state="ready") == 2


@pytest.mark.parametrize("words", [dict(SYNC, sleep="time.sleep(60)"), dict(ASYNC, sleep="time.sleep(60)")], ids=["sync", "async"])
def test_a_second_signal_ends_the_process_at_once(tmp_path, words):
    process = start(tmp_path / "jobs.db", words)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.2)  # two signals of one kind that come together are one
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGTERM


def test_signal_handlers_are_put_back(app):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    app.step("last")(app.stop)
    app.enqueue("last")
    app.run()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


# The worker itself


def test_polling_completing_and_looking_at_a_worker(app):
    app.step("n")(lambda **_: None)
    handles = app.enqueue_many([("n", {"i": i}) for i in range(10)])
    with app.worker() as worker:
        steps = worker.poll(4, timeout=5)
        assert len(steps) == 4 and worker.metrics()["polled_count"] == 4
        assert worker.metrics()["oldest_step_id"] is not None
        assert worker.complete([(step, step.value["i"]) for step in steps]) == [None] * 4
        assert worker.metrics()["polled_count"] == 0
        assert worker.poll(1, timeout=5)
        assert len(worker.held()) == 1
    assert app.count(state="completed") == 4
    assert app.result(handles[0], 5) == 0


def test_polling_an_empty_queue_gives_nothing(app):
    app.step("n")(lambda: None)
    with app.worker() as worker:
        assert worker.poll(10) == []
        assert worker.poll(10, timeout=0.01) == []


def test_polling_a_stopped_worker(app):
    app.step("n")(lambda: None)
    worker = app.worker()
    thread = threading.Thread(target=worker.stop, args=(5,))
    thread.start()
    with pytest.raises(ShutDown):
        worker.poll(1, timeout=None)
    thread.join()
    worker.close()
    worker.close()


def test_what_was_polled_and_not_answered_goes_back_when_the_worker_is_closed(app):
    app.step("n")(lambda: 1)
    step = app.enqueue("n")
    with app.worker() as worker:
        (polled,) = worker.poll(1, timeout=5)
    assert app.info(step)["state"] == "ready"
    assert app.drain() == 1
    with pytest.raises(Exception):
        polled.correlation_id


def test_unfinished_steps_are_named_when_a_worker_is_stopped(app):
    app.step("n")(lambda: 1)
    handle = app.enqueue("n")
    with app.worker() as worker:
        worker.poll(1, timeout=5)
        (unfinished,) = worker.stop(0.01)
    assert unfinished["step_id"] == str(handle) and unfinished["handler"] == "n"


def test_each_of_many_answers_gets_its_own_status(app):
    app.step("n", retry=1)(lambda: 1)
    app.enqueue_many([("n", None)] * 3)
    with app.worker() as worker:
        first, second, third = worker.poll(3, timeout=5)
        app.cancel(second.id)
        statuses = worker.complete([(first, 1), (second, 2), (third, ValueError("x"))])
    assert statuses[0] is None and statuses[2] is None
    assert statuses[1].code == s.ECANCELLED


def test_an_answer_that_cannot_be_written_answers_nothing(app):
    app.step("n")(lambda: 1)
    app.enqueue("n")
    with app.worker() as worker:
        (step,) = worker.poll(1, timeout=5)
        with pytest.raises(TypeError):
            worker.complete([(step, object())])
        with pytest.raises(TypeError):
            step.complete(step.later())
        step.complete("fine")


class BusyStore:
    """Stands in for the library's completion function: refuses some calls first."""

    def __init__(self, worker, count):
        self.left, self.inner, self.calls = count, worker._complete, 0
        worker._complete = self

    def __call__(self, engine, array, count, each, err):
        self.calls += 1
        if self.left:
            self.left -= 1
            each[:] = [s.EBUSY] * count
            return s.EBUSY
        return self.inner(engine, array, count, each, err)


def test_answers_that_the_store_cannot_take_are_sent_again(app, caplog):
    app.step("n")(lambda: 1)
    handles = app.enqueue_many([("n", None)] * 3)
    with app.worker() as worker:
        store = BusyStore(worker, 2)
        settling = Settling(worker)
        for step in worker.poll(3, timeout=5):
            settling.add((step, s.OUTCOME_SUCCESS, b"7", b"application/json", 0, None))
        wait_until(lambda: settling.settle() == 3)
        assert store.calls == 3
        with pytest.raises(Busy):
            store.left = 1
            app.enqueue("n")
            worker.poll(1, timeout=5)[0].complete(1)
    assert [app.result(handle, 5) for handle in handles] == [7] * 3
    assert "3 results wait" in caplog.text


def test_steps_polled_by_many_threads_are_each_run_once(app):
    runs = []
    app.step("n")(lambda i: runs.append(i))
    app.enqueue_many([("n", {"i": i}) for i in range(3000)])
    with app.running(threads=8):
        wait_until(lambda: app.count(state="completed") == 3000)
    assert sorted(runs) == list(range(3000))
