# SPDX-License-Identifier: MIT
"""What hosts do to a library: fork, exit, die, forget, and bring another version of it."""
import gc
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
import threading
import weakref

import pytest

import stepbus
from stepbus import Forked, Stepbus, _native

SOURCE = str(pathlib.Path(stepbus.__file__).parents[1])


def program(text, *arguments, timeout=60, source=SOURCE, **environment):
    """Runs a program in an interpreter of its own: (status, what it said)."""
    code = "import sys; sys.path.insert(0, %r)\n" % source + textwrap.dedent(text)
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, env={**os.environ, **environment},
    )  # fmt: skip
    return done.returncode, done.stdout


# fork


def in_child(work):
    """Runs work in a forked child, and gives what it returned as text."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            said = str(work())
        except BaseException as error:
            said = "%s: %s" % (type(error).__name__, error)
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        said = file.read()
    assert os.waitpid(pid, 0)[1] == 0
    return said


def test_a_forked_child_is_told_so(tmp_path):
    with Stepbus(tmp_path / "jobs.db") as app:
        app.step("n")(lambda: 1)
        worker = app.worker()
        step = app.enqueue("n")
        for work in (
            lambda: app.enqueue("n"), lambda: app.result(step, 0), lambda: app.run(), lambda: app.drain(),
            lambda: worker.poll(1), lambda: app.stats(), lambda: app.cancel(step),
        ):  # fmt: skip
            assert in_child(work).startswith(Forked.__name__)
        worker.close()
        assert app.drain() == 1


def test_a_child_that_was_forked_while_a_store_was_open_opens_none(tmp_path):
    with Stepbus(tmp_path / "jobs.db") as app:

        def child():
            app.close()
            app.open()

        assert "forked while its parent had a store open" in in_child(child)
        assert in_child(lambda: Stepbus(tmp_path / "other.db").open()).startswith(Forked.__name__)
        assert in_child(lambda: in_child(lambda: Stepbus("memory").open())).startswith(Forked.__name__)


def test_a_child_that_is_forked_after_closing_opens_the_store(tmp_path):
    app = Stepbus(tmp_path / "jobs.db")
    app.step("n")(lambda: "from the child's step")
    app.open()
    app.close()

    def child():
        with app:
            return app.enqueue("n").id

    for _ in range(5):
        step = in_child(child)
        with app:
            app.drain()
            assert app.result(step, 5) == "from the child's step"


def test_an_app_that_is_not_open_works_on_both_sides_of_a_fork(tmp_path):
    app = Stepbus(tmp_path / "jobs.db")
    app.step("n")(lambda: 1)

    def child():
        with app:
            return app.enqueue("n").id

    step = in_child(child)
    with app:
        app.drain()
        assert app.result(step, 5) == 1


def _in_process(app, queue):
    try:
        queue.put(repr(app.enqueue("n")))
    except Exception as error:
        queue.put(type(error).__name__)


def test_multiprocessing_by_fork_is_told_so():
    with Stepbus("memory") as app:
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        process = context.Process(target=_in_process, args=(app, queue))
        process.start()
        assert queue.get(timeout=20) == "Forked"
        process.join(20)
        assert process.exitcode == 0


def test_a_child_that_exits_leaves_the_parents_app_alone(tmp_path):
    status, out = program(
        """
        import os, sys
        from stepbus import Stepbus
        app = Stepbus(sys.argv[1])
        app.step("n")(lambda: 1)
        step = app.enqueue("n")
        if not os.fork():
            sys.exit(0)
        os.wait()
        app.drain()
        print(app.result(step, 5))
        """,
        tmp_path / "jobs.db",
    )
    assert (status, out) == (0, "1\n")


# The end of the interpreter


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_interpreter_exits_while_steps_run(tmp_path, kind):
    status, out = program(
        """
        import asyncio, sys, threading, time
        from stepbus import Stepbus, ends
        ends.GRACE_S = 0.05
        app = Stepbus(sys.argv[1])
        begun = threading.Event()
        if sys.argv[2] == "sync":
            @app.step("slow")
            def slow():
                begun.set()
                time.sleep(60)
        else:
            @app.step("slow")
            async def slow():
                begun.set()
                await asyncio.sleep(60)
        app.enqueue_many([("slow", None)] * 300)
        threading.Thread(target=app.run, kwargs={"threads": 2, "signals": False}, daemon=True).start()
        begun.wait(20)
        print("leaving", flush=True)
        """,
        tmp_path / "jobs.db", kind,
    )  # fmt: skip
    assert status == 0, out
    assert out.startswith("leaving")
    assert "Fatal" not in out
    with Stepbus(tmp_path / "jobs.db") as app:
        assert app.count(state="ready") == 300


def test_the_interpreter_exits_with_everything_left_open(tmp_path):
    status, out = program(
        """
        import sys
        from stepbus import Stepbus
        app = Stepbus(sys.argv[1])
        app.step("n")(lambda: 1)
        app.enqueue_many([("n", None)] * 10)
        worker = app.worker()
        steps = worker.poll(5, timeout=5)
        kept = [app, worker, steps]
        kept.append(kept)
        """,
        tmp_path / "jobs.db",
    )
    assert (status, out.splitlines()) in ((0, []), (0, ["5 steps went back unfinished, for the next worker"]))
    with Stepbus(tmp_path / "jobs.db") as app:
        assert app.count(state="ready") == 10


def test_steps_of_a_finished_run_are_done_when_the_interpreter_exits(tmp_path):
    status, _ = program(
        """
        import sys, threading
        from stepbus import Stepbus
        app = Stepbus(sys.argv[1])
        app.step("n")(lambda: 1)
        steps = app.enqueue_many([("n", None)] * 100)
        threading.Thread(target=app.run, kwargs={"signals": False}, daemon=True).start()
        for step in steps:
            app.result(step, 20)
        """,
        tmp_path / "jobs.db",
    )
    assert status == 0
    with Stepbus(tmp_path / "jobs.db") as app:
        assert app.count(state="completed") == 100


def test_another_process_takes_over_after_os_exit_in_a_handler(tmp_path):
    status, _ = program(
        """
        import os, sys
        from stepbus import Stepbus
        app = Stepbus(sys.argv[1], lease_ms=1000)
        app.step("n")(lambda: os._exit(7))
        app.enqueue("n")
        app.run()
        """,
        tmp_path / "jobs.db",
    )
    assert status == 7
    with Stepbus(tmp_path / "jobs.db", lease_ms=1000, retry={"base_ms": 1, "cap_ms": 10}) as app:
        (step,) = app.steps()
        app.step("n")(lambda step: step.attempt)
        with app.running(threads=1):
            assert app.result(step["step_id"], 20) == 2
        assert app.info(step["step_id"])["crash_count"] == 1


# Forgotten objects


def test_a_forgotten_app_is_closed():
    app = Stepbus("memory").open()
    app.step("n")(lambda: 1)
    app.enqueue("n")
    gate = app.engine.gate
    kept = weakref.ref(app)
    del app
    gc.collect()
    assert kept() is None and gate.is_closed()


def test_steps_keep_what_they_need_of_a_forgotten_app():
    app = Stepbus("memory").open()
    app.step("n")(lambda: 1)
    app.enqueue("n", correlation_id="c")
    worker = app.worker()
    gate = worker.gate
    (step,) = worker.poll(1, timeout=5)
    del app, worker
    gc.collect()
    assert step.correlation_id == "c"
    step.complete("still works")
    del step
    gc.collect()
    assert gate.is_closed()


def test_a_forgotten_worker_gives_its_steps_back():
    with Stepbus("memory") as app:
        app.step("n")(lambda: 1)
        step = app.enqueue("n")
        app._workers = []
        worker = app.worker()
        app._workers = []
        worker.poll(1, timeout=5)
        del worker
        gc.collect()
        # Nobody can answer it any more: an attempt that was lost, as when a process dies.
        assert app.info(step)["state"] == "scheduled"
        assert app.attempts(step)[0]["error_type"] == "abandoned"


def test_an_app_that_is_forgotten_while_it_runs_goes_on():
    app = Stepbus("memory")
    done = threading.Event()

    @app.step("n")
    def n():
        gc.collect()
        done.set()

    enqueue, stop = app.enqueue, app.stop
    thread = threading.Thread(target=app.run, kwargs={"signals": False})
    thread.start()
    del app, n
    gc.collect()
    enqueue("n")
    assert done.wait(20)
    stop()
    thread.join(20)
    assert not thread.is_alive()


def test_closing_while_others_use_it():
    app = Stepbus("memory")
    app.step("n")(lambda: 1)
    step = app.enqueue("n", delay=3600)
    engine = app.engine
    said = []

    def wait():
        try:
            while True:
                engine.outcome(step.bytes, 1000)
        except stepbus.ShutDown as error:
            said.append(error)

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    app.close()
    for thread in threads:
        thread.join(20)
    assert len(said) == 4


def test_closing_while_threads_poll_read_and_answer():
    """Whatever comes in between: an error of ours or an answer, and no step that is run and lost."""
    for _ in range(15):
        app = Stepbus("memory")
        app.step("n")(lambda **_: None)
        app.enqueue_many([("n", {"i": i}) for i in range(400)], correlation_id="c", config={"a": 1})
        worker = app.worker()
        begun = threading.Barrier(5)
        odd = []

        def work():
            begun.wait()
            try:
                while True:
                    for step in worker.poll(7, timeout=1):
                        assert step.correlation_id == "c" and step.config == {"a": 1} and step.value["i"] >= 0
                        step.cancelled
                        step.heartbeat()
                        worker.complete([(step, step.value)])
            except stepbus.StepbusError:
                pass
            except BaseException as error:
                odd.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        begun.wait()
        for _ in range(3):
            app.count()
        app.close()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        assert not odd


# Other versions of the library

STUB = """
#include <stdint.h>
const char *stepbus_version(void) { return "%s"; }
uint32_t stepbus_abi_version(void) { return %d; }
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("version, abi, says", [("9.0.0", 99, "ABI 99"), ("0.0.1", 0, "0.0.1"), ("0.1.0", 0, "no stepbus_open")])
def test_a_library_of_another_version_is_refused(tmp_path, version, abi, says):
    (tmp_path / "stub.c").write_text(STUB % (version, abi))
    library = tmp_path / "libstepbus.so.0"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "stub.c"], check=True)
    package = pathlib.Path(SOURCE) / "stepbus"
    shutil.copytree(package, tmp_path / "stepbus", ignore=shutil.ignore_patterns("*.so*", "__pycache__"))
    status, out = program(
        """
        from stepbus import LibraryError, Stepbus
        try:
            Stepbus("memory").open()
        except LibraryError as error:
            print(error)
        """,
        source=str(tmp_path),
        STEPBUS_LIBRARY=str(library),
    )
    assert status == 0 and says in out


def test_the_library_that_is_used_is_the_one_of_this_tree():
    assert _native.lib.path.endswith("libstepbus.so.0")
