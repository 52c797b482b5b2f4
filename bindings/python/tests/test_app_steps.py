# SPDX-License-Identifier: MIT
"""Enqueueing, running and asking, one step after another."""
import asyncio
import datetime as dt
import os
import signal
import uuid

import pytest

import stepbus
from stepbus import (
    LATER,
    Already,
    Content,
    Exists,
    Handle,
    InvalidArgument,
    NotFound,
    Permanent,
    Retry,
    Retryable,
    ShutDown,
    Snooze,
    StepCancelled,
    StepFailed,
    Stepbus,
    StepFunction,
    TimedOut,
)


@pytest.fixture
def app():
    with Stepbus("memory", retry={"base_ms": 1, "cap_ms": 10, "jitter_percent": 0}) as made:
        yield made


def run(app, handler, value=None, **options):
    step = app.enqueue(handler, value, **options)
    app.drain()
    return app.result(step, timeout=5)


# What handlers get and give


def test_an_object_becomes_keyword_arguments(app):
    @app.step("add")
    def add(a, b=10):
        return {"sum": a + b}

    assert run(app, "add", {"a": 1}) == {"sum": 11}
    assert run(app, add, {"a": 1, "b": 2}) == {"sum": 3}


@pytest.mark.parametrize("value", ["text", 5, [1, 2], b"\x00\x01"])
def test_another_value_becomes_the_one_argument(app, value):
    @app.step("same")
    def same(value):
        return value

    assert run(app, same, value) == value


def test_no_input_is_no_argument(app):
    @app.step("none")
    def none():
        return "ran"

    assert run(app, none) == "ran"
    assert run(app, none, {}) == "ran"


def test_unpack_can_be_switched_off(app):
    @app.step("whole", unpack=False)
    def whole(document):
        return document

    assert run(app, whole, {"a": 1}) == {"a": 1}
    assert run(app, whole) == {}


def test_a_handler_may_ask_for_its_step(app):
    seen = {}

    @app.step("look", version="2.0", timeout=60)
    def look(step, x):
        seen.update(
            id=step.id, token=step.token, attempt=step.attempt, most=step.attempts_max, name=step.handler_name,
            namespace=step.handler_namespace, version=step.handler_version, queue=step.queue, input=step.input,
            value=step.value, kind=step.content_type, correlation=step.correlation_id, trace=step.traceparent,
            config=step.config, cursor=step.cursor, partial=step.partial, items=step.items, label=step.name,
            cancelled=step.cancelled, on=step.heartbeat(), headers=step.headers, deadline=step.deadline,
            dependencies=step.dependencies, text=repr(step),
        )  # fmt: skip
        return x

    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    step = app.enqueue(
        look, {"x": 1}, queue="mail", retry=4, correlation_id="order-7", traceparent=trace, config={"c": 2}, name="first"
    )
    app.drain()
    assert app.result(step) == 1
    assert seen["id"] == step.id and seen["token"] > 0
    assert (seen["attempt"], seen["most"]) == (1, 4)
    assert (seen["name"], seen["namespace"], seen["version"]) == ("look", "default", "2.0")
    assert (seen["queue"], seen["label"]) == ("mail", "first")
    assert (seen["input"], seen["value"], seen["kind"]) == (b'{"x":1}', {"x": 1}, "application/json")
    assert seen["headers"] == {"correlation_id": "order-7", "traceparent": trace}
    assert (seen["correlation"], seen["trace"]) == ("order-7", trace)
    assert (seen["config"], seen["cursor"], seen["partial"], seen["items"]) == ({"c": 2}, None, None, 0)
    assert (seen["cancelled"], seen["on"], seen["dependencies"]) == (False, True, {})
    assert seen["deadline"] is not None
    assert str(step) in seen["text"]


def test_what_was_not_read_before_the_answer_is_gone_and_the_rest_is_not(app):
    kept = []

    @app.step("keep")
    def keep(step, **_):
        kept.append(step)

    run(app, keep, {"a": 1}, correlation_id="c")
    assert kept[0].value == {"a": 1}
    assert kept[0].attempt == 1
    with pytest.raises(Already, match="was answered"):
        kept[0].correlation_id
    with pytest.raises(Already):
        kept[0].dependencies


def test_async_handlers_run_too(app):
    import asyncio

    @app.step("later")
    async def later(x):
        await asyncio.sleep(0)
        return x * 2

    assert run(app, later, {"x": 4}) == 8


def test_a_callable_object_is_a_handler(app):
    class Adder:
        def __call__(self, a):
            return a + 1

    app.step("adder")(Adder())
    assert run(app, "adder", {"a": 1}) == 2


def test_content_says_its_own_type_and_metadata(app):
    @app.step("picture")
    def picture():
        return Content(b"\x89PNG", "image/png", {"width": 4})

    step = app.enqueue(picture)
    app.drain()
    assert app.result(step) == b"\x89PNG"
    assert app.metadata(step) == {"width": 4}


def test_the_version_that_was_asked_for_runs(app):
    app.step("who", version="1.0")(lambda: "one")
    app.step("who", version="2.0")(lambda: "two")
    assert run(app, "who") == "two"
    assert run(app, "who", version="1.0") == "one"
    assert run(app, "who", version="1.5") == "one"


def test_a_namespace_keeps_handlers_apart(app):
    app.step("who", namespace="a")(lambda: "a")
    app.step("who", namespace="b")(lambda: "b")
    assert run(app, "who", namespace="a") == "a"
    assert run(app, "who", namespace="b") == "b"


def test_a_function_that_was_registered_can_still_be_called(app):
    @app.step("twice")
    def twice(x):
        """Doubles."""
        return 2 * x

    assert isinstance(twice, StepFunction)
    assert twice(3) == 6
    assert twice.__name__ == "twice" and twice.__doc__ == "Doubles."


def test_a_function_enqueues_its_own_steps(app):
    @app.step("pair", queue="pairs")
    def pair(step, a, b=0):
        return [a, b, step.queue]

    for step in (pair.enqueue(1, b=2), pair.enqueue(a=1, b=2), app.enqueue("pair", {"a": 1, "b": 2})):
        app.drain()
        assert app.result(step) == [1, 2, "pairs"]
    with pytest.raises(InvalidArgument):
        pair.enqueue(1, 2, 3)


# How handlers fail


def test_an_exception_is_tried_again_and_its_traceback_kept(app):
    runs = []

    def inner():
        raise ValueError("not yet")

    @app.step("flaky", retry=3)
    def flaky():
        runs.append(1)
        if len(runs) < 3:
            inner()
        return "done"

    step = app.enqueue(flaky)
    while len(runs) < 3:
        app.drain()
    assert app.result(step, 5) == "done"
    first, second, third = app.attempts(step)
    assert first["error_type"] == "ValueError"
    assert "not yet" in first["message"]
    assert "in inner" in first["backtrace"] and "ValueError: not yet" in first["backtrace"]
    assert "stepbus/execution.py" not in first["backtrace"]


def test_the_last_failure_is_raised_with_all_that_is_known(app):
    @app.step("broken", retry=1)
    def broken():
        raise KeyError("gone")

    with pytest.raises(StepFailed) as caught:
        run(app, broken)
    error = caught.value
    assert (error.error_type, error.attempts, error.state) == ("KeyError", 1, "failed")
    assert "in broken" in error.backtrace
    assert "KeyError" in str(error) and str(error.step_id) in str(error)


def test_a_permanent_failure_is_not_tried_again(app):
    class CardDeclined(Permanent):
        pass

    @app.step("pay", retry=5)
    def pay():
        raise CardDeclined("no money", error_code="51", context={"bank": "x"})

    with pytest.raises(StepFailed) as caught:
        run(app, pay)
    error = caught.value
    assert (error.error_type, error.error_code, error.attempts, error.retryable) == ("CardDeclined", "51", 1, False)
    assert error.metadata == {"bank": "x"}


def test_retry_after_goes_before_the_policy(app):
    @app.step("limited", retry=Retry(attempts=2, base=0.001, cap=600))
    def limited():
        raise Retryable("slow down", retry_after=300)

    step = app.enqueue(limited)
    app.drain()
    info = app.info(step)
    assert info["state"] == "scheduled"
    run_at = dt.datetime.fromisoformat(info["due_at"].replace("Z", "+00:00"))
    assert 290 < (run_at - dt.datetime.now(dt.timezone.utc)).total_seconds() < 301


@pytest.mark.parametrize("how", ["raise", "return"])
def test_snoozing_charges_no_attempt(app, how):
    def snoozing(step):
        if how == "raise":
            raise Snooze(3600)
        return step.snooze(3600)

    app.step("sleepy")(snoozing)
    step = app.enqueue("sleepy")
    app.drain()
    info = app.info(step)
    assert info["state"] == "scheduled"


def test_a_failure_may_be_returned(app):
    app.step("no")(lambda: Permanent("returned"))
    with pytest.raises(StepFailed, match="returned"):
        run(app, "no")


@pytest.mark.parametrize(
    "result",
    [object(), {1, 2}, float("nan"), {"a": object()}, dt.datetime(2026, 1, 1), "\ud800", Exception],
    ids=["object", "set", "nan", "nested", "datetime", "surrogate", "class"],
)
def test_what_cannot_be_written_fails_for_good(app, result):
    runs = []

    @app.step("odd", retry=3)
    def odd():
        runs.append(1)
        return result

    with pytest.raises(StepFailed) as caught:
        run(app, odd)
    assert caught.value.error_type == "bad_result"
    assert len(runs) == 1


def test_a_circular_or_endless_result_fails_for_good(app):
    circle = []
    circle.append(circle)
    deep = []
    for _ in range(100000):
        deep = [deep]
    app.step("circle")(lambda: circle)
    app.step("deep")(lambda: deep)
    for name in ("circle", "deep"):
        with pytest.raises(StepFailed) as caught:
            run(app, name)
        assert caught.value.error_type == "bad_result"


def test_a_coroutine_by_mistake_fails_for_good_and_says_why(app):
    async def inner():
        return 1

    app.step("mistake")(lambda: inner())
    with pytest.raises(StepFailed, match="async def") as caught:
        run(app, "mistake")
    assert caught.value.error_type == "bad_result"


@pytest.mark.parametrize("value", [{"b": 1}, {"a": 1, "b": 2}, [1], "x", {"step": 1}])
def test_input_that_does_not_fit_fails_for_good(app, value):
    @app.step("fit", retry=3)
    def fit(step, a, *, only=1):
        return a

    if value in ([1], "x"):
        assert run(app, fit, value) == value
        return
    with pytest.raises(StepFailed) as caught:
        run(app, fit, value)
    assert caught.value.error_type == "bad_input"


def test_a_type_error_inside_the_handler_is_tried_again(app):
    @app.step("inner", retry=1)
    def inner():
        return len(5)

    with pytest.raises(StepFailed) as caught:
        run(app, inner)
    assert caught.value.error_type == "TypeError"


def test_input_that_is_no_json_fails_for_good(app):
    app.step("read")(lambda **_: None)
    with pytest.raises(StepFailed) as caught:
        run(app, "read", b"{broken", content_type="application/json")
    assert caught.value.error_type == "bad_input"


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, type("Own", (BaseException,), {})])
def test_base_exceptions_end_the_attempt_and_nothing_else(app, kind):
    @app.step("exits", retry=1)
    def exits():
        raise kind("3")

    with pytest.raises(StepFailed) as caught:
        run(app, exits)
    assert caught.value.error_type == kind.__name__


def raise_it():
    raise KeyboardInterrupt


async def raise_it_soon():
    raise KeyboardInterrupt


async def be_interrupted():
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(60)


@pytest.mark.parametrize("act", [raise_it, raise_it_soon, be_interrupted])
def test_a_keyboard_interrupt_fails_the_attempt_and_ends_the_drain(app, act):
    interrupted = app.step("interrupted", retry=1)(act)
    step = app.enqueue(interrupted)
    with pytest.raises(KeyboardInterrupt):
        app.drain()
    with pytest.raises(StepFailed) as caught:
        app.result(step, 5)
    assert caught.value.error_type == "KeyboardInterrupt"


def test_an_exception_whose_text_raises_is_recorded_all_the_same(app):
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    @app.step("mute", retry=1)
    def mute():
        raise Mute

    with pytest.raises(StepFailed, match="cannot be had") as caught:
        run(app, mute)
    assert caught.value.error_type == "Mute"


def test_odd_texts_of_errors_are_kept_as_far_as_they_go(app):
    @app.step("odd", retry=1)
    def odd():
        raise Retryable("\ud800\x00" + "ü" * 100000, error_type="x" * 500, error_code="y" * 500, context={"a": object()})

    with pytest.raises(StepFailed) as caught:
        run(app, odd)
    assert len(caught.value.error_type) <= 128
    assert len(caught.value.message) > 1000
    assert "unserialisable" in caught.value.metadata


def test_a_long_traceback_keeps_its_end(app):
    @app.step("deep", retry=1)
    def deep(n=40):
        def down(left, text):
            if not left:
                raise ValueError("x" * 70000 + "THE END")
            return down(left - 1, text)

        down(n, "")

    with pytest.raises(StepFailed) as caught:
        run(app, deep)
    assert "THE END" in caught.value.backtrace
    assert len(caught.value.backtrace.encode()) <= 65536


def test_a_bad_retry_after_fails_for_good_instead_of_hanging(app):
    @app.step("bad", retry=5)
    def bad():
        raise Retryable("x", retry_after="soon")

    with pytest.raises(StepFailed) as caught:
        run(app, bad)
    assert caught.value.error_type == "bad_result"


# Answers by hand


def test_an_answer_may_come_later_and_from_another_thread(app):
    import threading

    kept = []

    @app.step("later")
    def later(step):
        kept.append(step)
        return step.later()

    with app.worker() as worker:
        handle = app.enqueue(later)
        (step,) = worker.poll(1, timeout=5)
        thread = threading.Thread(target=step.complete, args=({"by": "hand"},))
        thread.start()
        thread.join()
        assert app.result(handle, 5) == {"by": "hand"}


def test_a_drain_leaves_steps_to_be_answered_later(app):
    kept = []

    @app.step("later")
    def later(step):
        kept.append(step)
        return LATER

    handles = [app.enqueue("later"), app.enqueue("later")]
    assert app.drain() == 2 and app.drain() == 0
    for step in kept:
        step.complete("by hand")
    assert [app.result(handle, 5) for handle in handles] == ["by hand"] * 2
    assert app.drain() == 0 and app._drained == []


def test_completing_twice_is_fine_with_the_same_content_only(app):
    app.step("twice")(lambda: LATER)
    with app.worker() as worker:
        handle = app.enqueue("twice")
        (step,) = worker.poll(1, timeout=5)
        step.complete(1)
        step.complete(1)
        with pytest.raises(Already):
            step.complete(2)
        assert app.result(handle, 5) == 1


def test_a_handler_that_answers_itself_is_not_answered_again(app, caplog):
    @app.step("self")
    def itself(step):
        step.complete("mine")
        return "other"

    assert run(app, itself) == "mine"
    assert "returned a result after its answer" in caplog.text


def test_a_handler_that_answers_and_then_raises_keeps_its_answer(app, caplog):
    @app.step("self")
    def itself(step):
        step.complete("mine")
        raise ValueError("after")

    assert run(app, itself) == "mine"
    assert "raised after its answer" in caplog.text


def test_failing_and_releasing_by_hand(app):
    app.step("hand", retry=1)(lambda: LATER)
    with app.worker() as worker:
        handle = app.enqueue("hand")
        (step,) = worker.poll(1, timeout=5)
        step.release()
        (again,) = worker.poll(1, timeout=5)
        assert again.id == step.id and again.token > step.token and again.attempt == 1
        again.fail(Permanent("by hand"))
        with pytest.raises(StepFailed, match="by hand"):
            app.result(handle, 5)


def test_a_stale_answer_is_refused(app):
    app.step("stale")(lambda: LATER)
    with app.worker() as worker:
        app.enqueue("stale")
        (step,) = worker.poll(1, timeout=5)
        step.release()
        (again,) = worker.poll(1, timeout=5)
        with pytest.raises((stepbus.Stale, Already, NotFound)):
            step.complete(1)
        again.complete(2)


# Enqueueing


def test_many_are_enqueued_in_one_transaction(app):
    app.step("n")(lambda n: n)
    steps = app.enqueue_many([("n", {"n": 1}), ("n", {"n": 2}, {"priority": 1})], queue="q")
    assert len(set(steps)) == 2
    app.drain()
    assert [app.result(step, 5) for step in steps] == [1, 2]
    assert {app.info(step)["queue"] for step in steps} == {"q"}
    assert app.enqueue_many([]) == []


def test_none_of_many_is_enqueued_where_one_is_refused(app):
    app.step("n")(lambda **_: None)
    with pytest.raises(InvalidArgument):
        app.enqueue_many([("n", {}), ("n", {}, {"queue": "no such queue!"})])
    assert app.count() == 0


@pytest.mark.parametrize(
    "options",
    [
        {"delay": -1}, {"delay": "1"}, {"priority": 0}, {"priority": "high"}, {"run_at": dt.datetime(2026, 1, 1)},
        {"queue": ""}, {"queue": 5}, {"unique_scope": "galaxy"}, {"unique_states": ["gone"]},
        {"retry": 0}, {"timeout": float("nan")}, {"config": {"a": object()}}, {"idempotency_key": "x" * 300},
    ],
    ids=str,
)  # fmt: skip
def test_bad_options_are_refused(app, options):
    app.step("n")(lambda **_: None)
    with pytest.raises((InvalidArgument, TypeError)):
        app.enqueue("n", **options)
    assert app.count() == 0


def test_an_unknown_option_is_an_error_not_an_input(app):
    with pytest.raises(TypeError, match="dealy"):
        app.enqueue("n", dealy=5)


@pytest.mark.parametrize("value", [object(), {1}, float("inf"), "\ud800"])
def test_input_that_cannot_be_written_is_refused(app, value):
    with pytest.raises(InvalidArgument, match="input"):
        app.enqueue("n", value)


@pytest.mark.parametrize("handler", [5, None, b"n", lambda: None])
def test_what_is_no_handler_is_refused(app, handler):
    with pytest.raises(InvalidArgument, match="handler"):
        app.enqueue(handler)


def test_keys(app):
    app.step("n")(lambda **_: None)
    first = app.enqueue("n", idempotency_key="k")
    again = app.enqueue("n", idempotency_key="k")
    assert again == first and again.is_existing and not first.is_existing
    one = app.enqueue("n", unique_key="u", unique_scope="queue", unique_states=["ready"], unique_period=60)
    assert app.enqueue("n", unique_key="u", unique_scope="queue", unique_states=["ready"], unique_period=60) == one
    assert app.enqueue("n", unique_key="u", unique_scope="queue", queue="other") != one


def test_a_handle_is_its_id(app):
    app.step("n")(lambda: 5)
    handle = app.enqueue("n")
    assert isinstance(handle, Handle) and isinstance(handle.id, uuid.UUID)
    assert str(handle) == str(handle.id) and handle == handle.id and hash(handle) == hash(handle.id)
    assert handle.durability == "memory"
    app.drain()
    for form in (handle, handle.id, str(handle), handle.bytes):
        assert app.result(form, 5) == 5
    assert handle.result(0) == 5
    assert handle.info()["state"] == "completed" and len(handle.attempts()) == 1


@pytest.mark.parametrize("step", ["", "no id", b"short", 5, None, uuid.uuid4()])
def test_what_is_no_step_is_refused(app, step):
    with pytest.raises((InvalidArgument, NotFound)):
        app.result(step, 0)


# Asking and controlling


def test_a_result_that_is_not_there_in_time(app):
    app.step("n")(lambda: None)
    step = app.enqueue("n")
    with pytest.raises(TimeoutError):
        app.result(step, 0)
    with pytest.raises(TimedOut):
        app.result(step, timeout=0.05)


def test_cancelling_and_redriving(app):
    app.step("n")(lambda: "ran")
    step = app.enqueue("n", delay=3600)
    app.cancel(step)
    with pytest.raises(StepCancelled, match="was cancelled"):
        app.result(step, 0)
    with pytest.raises(Already):
        app.cancel(step)
    app.redrive(step)
    app.drain()
    assert app.result(step, 5) == "ran"


def test_finding_counting_and_redriving_many(app):
    @app.step("n", retry=1)
    def n(fail):
        if fail:
            raise Permanent("asked to")

    app.enqueue_many([("n", {"fail": i % 2 == 0}, {"tags": ["even" if i % 2 == 0 else "odd"]}) for i in range(10)])
    app.drain()
    assert app.count(state="failed") == 5
    assert app.count(tag="odd", state="completed") == 5
    assert len(list(app.steps(tag="even"))) == 5
    assert len(list(app.steps(limit=3))) == 3
    assert app.redrive_all(state="failed", limit=2) == 2
    with pytest.raises(InvalidArgument):
        app.count(sate="failed")


def test_pages_of_steps_come_one_after_another(app):
    app.step("n")(lambda i: None)
    app.enqueue_many([("n", {"i": i}) for i in range(1500)])
    assert len({step["step_id"]  for step in app.steps()}) == 1500


def test_a_paused_queue_waits(app):
    app.step("n")(lambda: 1)
    app.pause("mail")
    step = app.enqueue("n", queue="mail")
    assert app.drain() == 0
    app.resume("mail")
    assert app.drain() == 1
    assert app.result(step, 0) == 1
    app.set_queue("mail", concurrency_max=3)
    assert any(queue["name"] == "mail" and queue["concurrency_max"] == 3 for queue in app.queues())


def test_cron_entries(app):
    @app.cron("0 3 * * *", "nightly", zone="Europe/Berlin", input={"kind": "daily"}, queue="reports")
    def nightly(kind):
        return kind

    @app.cron("@hourly")
    @app.step("hourly")
    def hourly():
        pass

    assert {entry["name"] for entry in app.crons()} == {"nightly", "hourly"}
    app.remove_cron("hourly")
    assert {entry["name"] for entry in app.crons()} == {"nightly"}
    with pytest.raises(InvalidArgument):
        app.set_cron("bad", "99 * * * *", "nightly")
    with pytest.raises(NotFound):
        app.remove_cron("never")


def test_what_the_engine_tells(app):
    app.step("n")(lambda: 1)
    run(app, "n")
    assert app.stats()["store"]["name"]
    assert isinstance(app.workers(), list)


def test_draining_stops_at_a_count_and_runs_what_steps_enqueue(app):
    @app.step("chain")
    def chain(left):
        if left:
            app.enqueue("chain", {"left": left - 1})

    app.enqueue("chain", {"left": 4})
    assert app.drain(2) == 2
    assert app.drain() == 3


# The app itself


def test_a_handler_is_registered_once(app):
    app.step("n")(lambda: 1)
    with pytest.raises(Exists, match="n 0.1.0"):
        app.step("n")(lambda: 2)


@pytest.mark.parametrize(
    "options",
    [{"name": "no good!"}, {"name": ""}, {"name": "x" * 200}, {"version": "one two"}, {"timeout": -1}, {"retry": "often"}],
    ids=str,
)
def test_a_bad_registration_is_refused_and_leaves_nothing(app, options):
    name = options.pop("name", "n")
    with pytest.raises(InvalidArgument):
        app.step(name, **options)(lambda: 1)
    app.step("n")(lambda: 2)
    assert run(app, "n") == 2


def test_the_decorator_without_its_parentheses_says_what_it_wants(app):
    with pytest.raises(InvalidArgument, match="app.step"):

        @app.step
        def n():
            pass


def test_a_functions_own_attributes_do_no_harm(app):
    def n():
        return 1

    n.options = n.name = n.unpack = n.queue = "mine"
    app.step("n")(n)
    assert run(app, "n") == 1


def test_what_is_not_callable_is_no_handler(app):
    with pytest.raises(InvalidArgument, match="callable"):
        app.step("n")(5)


def test_the_store_is_opened_at_the_first_use(tmp_path):
    path = tmp_path / "jobs.db"
    app = Stepbus(path)
    app.step("n")(lambda: 1)
    assert not path.exists() and not app.is_open()
    app.enqueue("n")
    assert path.exists()
    app.close()
    app.close()


def test_a_closed_app_opens_again(tmp_path):
    app = Stepbus(tmp_path / "jobs.db")
    app.step("n")(lambda: 1)
    step = app.enqueue("n")
    app.close()
    with app:
        app.drain()
        assert app.result(step, 5) == 1


@pytest.mark.parametrize(
    "store, settings",
    [("memory", {"leas_ms": 5000}), ("memory", {"lease_ms": 1}), ({"stor": "memory:"}, {}), ("/nowhere/at/all/x.db", {})],
)
def test_a_bad_configuration_is_refused_when_it_is_opened(store, settings):
    with pytest.raises(stepbus.StepbusError):
        Stepbus(store, **settings).open()


def test_a_config_may_be_a_whole_document():
    with Stepbus({"store": "memory:", "lease_ms": 5000}) as app:
        app.step("n")(lambda: 1)
        assert run(app, "n") == 1


def test_calls_after_closing_reach_no_freed_engine():
    app = Stepbus("memory")
    engine = app.open().engine
    worker = app.worker()
    app.close()
    for call in (lambda: engine.info(uuid.uuid4()), lambda: worker.poll(1), lambda: worker.metrics(), worker.fileno):
        with pytest.raises(ShutDown):
            call()
    worker.close()


def test_a_large_result_fails_as_the_engine_says():
    with Stepbus("memory", payload_len_max=1000) as app:
        app.step("large")(lambda: "x" * 2000)
        with pytest.raises(StepFailed) as caught:
            run(app, "large")
        assert caught.value.error_type == "bad_result"
        assert caught.value.attempts == 1
        with pytest.raises(InvalidArgument):
            app.enqueue("large", "x" * 2000)
