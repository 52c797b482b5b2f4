# SPDX-License-Identifier: MIT
"""Steps on a clock that is told to go on, checkpoints, and the pytest plugin."""
import datetime as dt
import pathlib
import subprocess
import sys

import pytest

import stepbus
from stepbus import Checkpoint, Clock, InvalidArgument, Retry, Snooze, StepFailed, Stepbus, testing
from stepbus.testing import stepbus_app, stepbus_clock  # noqa: F401


def test_what_is_due_later_runs_when_the_clock_has_gone_on(stepbus_app):  # noqa: F811
    app = stepbus_app
    app.step("n")(lambda: "ran")
    step = app.enqueue("n", delay=3600)
    assert app.drain() == 0
    app.clock.advance(3599)
    assert app.drain() == 0
    app.clock.advance(1)
    assert app.drain() == 1
    assert app.result(step, 0) == "ran"


def test_waiting_for_what_was_not_drained_ends_in_time(stepbus_app):  # noqa: F811
    stepbus_app.step("n")(lambda: "ran")
    step = stepbus_app.enqueue("n")
    with pytest.raises(stepbus.TimedOut):
        stepbus_app.result(step, timeout=0.05)


def test_a_time_to_run_at(stepbus_app, stepbus_clock):  # noqa: F811
    app = stepbus_app
    app.step("n")(lambda: "ran")
    step = app.enqueue("n", run_at=stepbus_clock.now + dt.timedelta(days=1))
    assert app.drain() == 0
    stepbus_clock.advance(days=1)
    assert app.drain() == 1
    assert app.result(step, 0) == "ran"


def test_retries_come_at_their_times(stepbus_app):  # noqa: F811
    app = stepbus_app
    runs = []

    @app.step("flaky", retry=Retry(attempts=4, kind="exponential", base=10, cap=1000))
    def flaky():
        runs.append(app.clock.now)
        raise ValueError("again")

    step = app.enqueue(flaky)
    for _ in range(100):
        app.drain()
        app.clock.advance(1)
    gaps = [(after - before).total_seconds() for before, after in zip(runs, runs[1:])]
    assert len(runs) == 4
    assert gaps == [10, 20, 40]
    with pytest.raises(StepFailed) as caught:
        app.result(step, 0)
    assert caught.value.attempts == 4


def test_snoozing_goes_by_the_clock(stepbus_app):  # noqa: F811
    app = stepbus_app
    runs = []

    @app.step("sleepy")
    def sleepy(step):
        runs.append(step.attempt)
        return "awake" if len(runs) > 2 else Snooze(dt.timedelta(hours=1))

    step = app.enqueue(sleepy)
    for _ in range(3):
        assert app.drain() == 1
        app.clock.advance(hours=1)
    assert app.result(step, 0) == "awake"
    assert runs == [1, 1, 1]


def test_cron_goes_by_the_clock(stepbus_app):  # noqa: F811
    app = stepbus_app
    runs = []

    @app.cron("0 3 * * *", "nightly", input={"kind": "daily"})
    def nightly(kind):
        runs.append((kind, app.clock.now.hour))

    app.drain()
    for _ in range(48):
        app.clock.advance(hours=1)
        app.drain()
    assert runs == [("daily", 3), ("daily", 3)]


@pytest.mark.parametrize("how", ["return", "raise"])
def test_a_checkpoint_goes_on_from_its_cursor(stepbus_app, how):  # noqa: F811
    app = stepbus_app
    seen = []

    @app.step("import")
    def import_rows(step, rows):
        at = step.cursor or 0
        seen.append((at, step.partial, step.items, step.attempt))
        total = (step.partial or {"sum": 0})["sum"] + sum(rows[at : at + 2])
        if at + 2 >= len(rows):
            return total
        made = step.checkpoint(at + 2, {"sum": total}, items=at + 2)
        assert isinstance(made, Checkpoint)
        if how == "raise":
            raise made
        return made

    step = app.enqueue("import", {"rows": [1, 2, 3, 4, 5]})
    assert app.drain() == 3
    assert app.result(step, 0) == 15
    assert seen == [(0, None, 0, 1), (2, {"sum": 3}, 2, 1), (4, {"sum": 10}, 4, 1)]


def test_a_failure_goes_on_from_the_last_checkpoint_too(stepbus_app):  # noqa: F811
    app = stepbus_app
    seen = []

    @app.step("import", retry=3)
    def import_rows(step):
        seen.append(step.cursor)
        if step.cursor is None:
            return step.checkpoint({"page": 2})
        if len(seen) == 2:
            raise ValueError("lost the connection")
        return step.cursor

    step = app.enqueue("import")
    app.drain()
    app.clock.advance(60)
    app.drain()
    assert app.result(step, 0) == {"page": 2}
    assert seen == [None, {"page": 2}, {"page": 2}]


def test_a_checkpoint_that_is_not_returned_is_an_error(stepbus_app):  # noqa: F811
    app = stepbus_app

    @app.step("forgets")
    def forgets(step):
        step.checkpoint(1)
        return "something else"

    step = app.enqueue("forgets")
    app.drain()
    with pytest.raises(StepFailed, match="not returned"):
        app.result(step, 0)


def test_a_cursor_that_cannot_be_written_is_an_error(stepbus_app):  # noqa: F811
    app = stepbus_app
    app.step("odd")(lambda: Checkpoint(object()))
    step = app.enqueue("odd")
    app.drain()
    with pytest.raises(StepFailed) as caught:
        app.result(step, 0)
    assert caught.value.error_type == "bad_result"


def test_timeouts_go_by_the_clock(stepbus_app):  # noqa: F811
    app = stepbus_app

    @app.step("late", wait_timeout=60, retry=1)
    def late():
        pass

    step = app.enqueue(late)
    app.clock.advance(61)
    with pytest.raises(StepFailed) as caught:
        app.result(step, 20)
    assert caught.value.error_type == "timed_out"


def test_an_app_of_ones_own_in_memory(tmp_path):
    app = Stepbus(tmp_path / "jobs.db", durability="process")
    app.step("n")(lambda: "ran")
    with testing.in_memory(app):
        step = app.enqueue("n", delay=60)
        app.clock.advance(minutes=1)
        app.drain()
        assert app.result(step, 0) == "ran"
        with pytest.raises(RuntimeError):
            with testing.in_memory(app):
                pass
    assert app.clock is None and not (tmp_path / "jobs.db").exists()
    with app:
        assert app.count() == 0


@pytest.mark.parametrize("by", [0, -1, float("nan")])
def test_a_clock_only_goes_forward(by):
    with pytest.raises(InvalidArgument):
        Clock().advance(by)


def test_a_clock_may_begin_anywhere():
    start = dt.datetime(1999, 12, 31, tzinfo=dt.timezone.utc)
    clock = Clock(start)
    with Stepbus("memory", clock=clock) as app:
        app.step("n")(lambda: 1)
        assert app.info(app.enqueue("n"))["created_at"].startswith("1999-12-31")
    clock.advance(days=1)
    assert clock.now == start + dt.timedelta(days=1)


def test_the_plugin_brings_the_fixtures(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "def test_it(stepbus_app, stepbus_clock):\n"
        "    stepbus_app.step('n')(lambda: 1)\n"
        "    step = stepbus_app.enqueue('n', delay=60)\n"
        "    stepbus_clock.advance(60)\n"
        "    stepbus_app.drain()\n"
        "    assert step.result(0) == 1\n"
    )
    source = str(pathlib.Path(stepbus.__file__).parents[1])
    code = "import sys; sys.path.insert(0, %r); import pytest; sys.exit(pytest.main(sys.argv[1:]))" % source
    plugin = [] if "site-packages" in source else ["-p", "stepbus.testing"]
    done = subprocess.run(
        [sys.executable, "-c", code, "-q", "-p", "no:cacheprovider", *plugin, "."], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_host_that_falls_silent_loses_its_step(stepbus_app):  # noqa: F811
    app = stepbus_app
    app.step("n", retry=1)(lambda: 1)
    handle = app.enqueue("n")
    with app.worker(silence_timeout_ms=1000) as worker:
        (step,) = worker.poll(1, timeout=5)
        app.clock.advance(0.9)
        assert step.heartbeat()
        app.clock.advance(0.9)
        assert not step.cancelled
        app.clock.advance(1.1)
        with pytest.raises(StepFailed) as caught:
            app.result(handle, 20)
        assert caught.value.error_type == "host_silent"
        with pytest.raises(stepbus.StepbusError):
            step.complete("late")
