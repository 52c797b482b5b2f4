# SPDX-License-Identifier: MIT
"""Running steps beside an event loop: await app.serve(), and the async forms of the calls."""
import asyncio
import contextlib
import logging
import threading
import time

import pytest

from stepbus import NotFound, Reentrant, StepCancelled, StepFailed, Stepbus, TimedOut


@pytest.fixture
def app():
    with Stepbus("memory", retry={"base_ms": 1, "cap_ms": 10, "jitter_percent": 0}) as made:
        yield made


@contextlib.asynccontextmanager
async def serving(app, **options):
    task = asyncio.create_task(app.serve(**options))
    try:
        yield task
    finally:
        while not app._shifts and not task.done():
            await asyncio.sleep(0.001)
        app.stop()
        await asyncio.wait_for(task, 30)


async def wait_until(is_true, timeout=20.0):
    end = time.monotonic() + timeout
    while not is_true():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.002)


def test_async_and_sync_handlers_run_beside_each_other(app):
    threads = set()

    @app.step("async")
    async def async_one(n):
        await asyncio.sleep(0)
        threads.add(threading.current_thread())
        return n

    @app.step("sync")
    def sync_one(n):
        assert threading.current_thread() is not threading.main_thread()
        return -n

    async def main():
        async with serving(app, threads=2):
            a = await app.aenqueue_many([("async", {"n": n}) for n in range(300)])
            b = await app.aenqueue_many([("sync", {"n": n}) for n in range(300)])
            assert await asyncio.gather(*(app.aresult(step, 20) for step in a)) == list(range(300))
            assert [await step for step in b] == [-n for n in range(300)]

    asyncio.run(main())
    assert threads == {threading.main_thread()}


def test_no_more_tasks_run_at_once_than_allowed(app):
    running, most = 0, 0

    @app.step("count")
    async def count():
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1

    async def main():
        async with serving(app, tasks=5):
            steps = await app.aenqueue_many([("count", None)] * 60)
            for step in steps:
                await app.aresult(step, 20)

    asyncio.run(main())
    assert most == 5


def test_a_cancelled_step_cancels_its_task(app, caplog):
    caplog.set_level(logging.INFO, "stepbus.worker")
    begun, cancelled = threading.Event(), threading.Event()

    @app.step("long")
    async def long():
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def main():
        async with serving(app):
            step = await app.aenqueue("long")
            await wait_until(begun.is_set)
            app.cancel(step)
            await wait_until(cancelled.is_set)
            with pytest.raises(StepCancelled):
                await app.aresult(step, 20)

    asyncio.run(main())
    assert "it was cancelled" in caplog.text


def test_an_attempt_that_takes_too_long_is_cancelled_too(app):
    @app.step("long", timeout=0.05, retry=1)
    async def long():
        await asyncio.sleep(60)

    async def main():
        async with serving(app):
            with pytest.raises(StepFailed) as caught:
                await app.aresult(await app.aenqueue("long"), 20)
            assert caught.value.error_type == "timed_out"

    asyncio.run(main())


def test_the_end_of_the_awaiting_task_gives_steps_back(app):
    begun = threading.Event()

    @app.step("long")
    async def long():
        begun.set()
        await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(app.serve())
        step = await app.aenqueue("long")
        await wait_until(begun.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return step

    step = asyncio.run(main())
    info = app.info(step)
    assert info["state"] == "ready" and info["attempt_count"] == 0


def test_stopping_waits_for_tasks(app):
    begun = threading.Event()

    @app.step("slow")
    async def slow():
        begun.set()
        await asyncio.sleep(0.05)
        return "finished"

    async def main():
        step = await app.aenqueue("slow")
        async with serving(app):
            await wait_until(begun.is_set)
        return step

    assert app.result(asyncio.run(main()), 0) == "finished"


def test_tasks_that_do_not_finish_in_time_go_back(app):
    begun = threading.Event()

    @app.step("slow")
    async def slow():
        begun.set()
        await asyncio.sleep(60)

    async def main():
        step = await app.aenqueue("slow")
        async with serving(app, drain_timeout=0.02):
            await wait_until(begun.is_set)
        return step

    assert app.info(asyncio.run(main()))["state"] == "ready"


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, ValueError])
def test_what_an_async_handler_raises_does_not_reach_the_loop(app, kind):
    @app.step("raises", retry=1)
    async def raises():
        raise kind

    @app.step("fine")
    async def fine():
        return 1

    async def main():
        async with serving(app):
            with pytest.raises(StepFailed) as caught:
                await app.aresult(await app.aenqueue("raises"), 20)
            assert await app.aresult(await app.aenqueue("fine"), 20) == 1
            return caught.value.error_type

    assert asyncio.run(main()) == kind.__name__


def test_the_run_of_an_app_with_async_handlers_has_a_loop_of_its_own(app):
    @app.step("async")
    async def one():
        await asyncio.sleep(0)
        return 1

    with app.running():
        assert app.result(app.enqueue("async"), 20) == 1


def test_waiting_for_results(app):
    app.step("n")(lambda n: n)

    async def main():
        steps = await app.aenqueue_many([("n", {"n": n}) for n in range(20)])
        with pytest.raises(TimedOut):
            await app.aresult(steps[0], 0.01)
        waiting = [asyncio.create_task(app.aresult(step, 20)) for step in steps]
        await asyncio.sleep(0.01)
        assert await app.adrain() == 20
        assert await asyncio.gather(*waiting) == list(range(20))
        with pytest.raises(NotFound):
            await app.aresult("00000000-0000-7000-8000-000000000000", 5)

    asyncio.run(main())


def test_an_app_is_an_async_context_too(tmp_path):
    async def main():
        async with Stepbus(tmp_path / "jobs.db") as app:

            @app.step("n")
            async def n():
                return 1

            async with serving(app):
                return await app.aresult(await n.aenqueue(), 20)

    assert asyncio.run(main()) == 1


def test_what_would_hold_up_its_own_loop_for_ever_is_refused(app):
    @app.step("n")
    async def n():
        app.close()

    async def main():
        with pytest.raises(Reentrant):
            app.drain()
        async with serving(app):
            with pytest.raises(StepFailed) as caught:
                await app.aresult(await app.aenqueue("n", retry=1), 20)
            with pytest.raises(Reentrant):
                app.close()
            return caught.value.error_type

    assert asyncio.run(main()) == "Reentrant"


def test_two_loops_one_after_another(app):
    @app.step("n")
    async def n():
        return 1

    async def main():
        async with serving(app):
            return await app.aresult(await app.aenqueue("n"), 20)

    assert [asyncio.run(main()), asyncio.run(main())] == [1, 1]


def test_the_loop_stays_free_while_steps_pass(app):
    """A rough look; bench/bindings/python_loop.py measures it."""
    app.step("sync")(lambda: None)

    @app.step("async")
    async def one():
        pass

    async def main():
        async with serving(app, threads=2):
            await app.aenqueue_many([("sync", None), ("async", None)] * 2000)
            ticks = 0
            while app.count(state="completed") < 4000:
                await asyncio.sleep(0.001)
                ticks += 1
            return ticks

    assert asyncio.run(main()) > 5
