# SPDX-License-Identifier: MIT
"""The comfortable layer: an app that enqueues steps and runs them with functions of this program.

    app = Stepbus("jobs.db")

    @app.step("greet", retry=3)
    def greet(name):
        return f"Hello, {name}!"

    with app:
        step = app.enqueue("greet", {"name": "Ada"})
        app.drain()
        print(app.result(step))

The store is opened at the first use, so an app may be made before a server forks its processes. A child that is forked
while one is open gets Forked, whatever it tries. All methods may be called on any thread.
"""
from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union

from . import ends
from .asking import Asking, pair
from .clock import Clock
from .drain import Drain
from .duration import Seconds, timeout_ms
from .errands import Errands
from .engine import Engine, check_count
from .errors import InvalidArgument, TimedOut
from .function import StepFunction, Words
from .functions import Functions
from .handle import Handle, StepId, id_bytes
from .logs import APP as LOG
from .retry import RetryLike
from .shift import LoopShift, Shift, seconds
from .signals import Signals
from .spec import HandlerName, Specs, name_of
from .waiter import Waiter
from .worker import Worker

F = TypeVar("F", bound=Callable[..., Any])
Store = Union[str, "os.PathLike[str]", Mapping[str, Any]]
Item = Union[Tuple[HandlerName, Any], Tuple[HandlerName, Any, Mapping[str, Any]]]
AnyShift = Union[Shift, LoopShift]

THREAD_COUNT = 4
TASK_COUNT_MAX = 100


def config_of(store: Store, settings: Mapping[str, Any]) -> Dict[str, Any]:
    """The engine's configuration: of a path, "memory", "sqlite:path", or a whole document."""
    if isinstance(store, Mapping):
        return {**store, **settings}
    name = os.fspath(store)
    if name in ("memory", "memory:"):
        return {"store": "memory:", **settings}
    return {"store": name if name.startswith("sqlite:") else "sqlite:" + name, **settings}


class Stepbus(Asking):
    """An app on one store.

    store     a path, "memory", or a dict as in docs/CONFIGURATION.md.
    clock     a Clock to go by, for tests.
    settings  further keys of the engine's configuration: ``lease_ms=5000``, ``durability="process"``.
    """

    def __init__(self, store: Store = "memory", *, clock: Optional[Clock] = None, **settings: Any) -> None:
        self.config = config_of(store, settings)
        self.clock = clock
        self._functions = Functions()
        self._crons: List[Dict[str, Any]] = []
        self._lock = threading.RLock()
        self._engine: Optional[Engine] = None
        self._waiter: Optional[Waiter] = None
        self._shifts: List[AnyShift] = []
        self._workers: List[Worker] = []
        self._drained: List[Worker] = []

    # Opening and closing

    def open(self) -> "Stepbus":
        """Opens the store; other methods do so when they need it."""
        self.engine
        return self

    @property
    def engine(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = self._open()
            return self._engine

    def _open(self) -> Engine:
        engine = Engine(self.config, self.clock)
        try:
            for function in self._functions.all():
                engine.register(function)
            for entry in self._crons:
                _set_cron(engine, entry)
        except BaseException:
            engine.close()
            raise
        self._waiter = Waiter(engine)
        if self.clock is not None:
            self.clock.on_advance(self._wake)
        ends.watch(self)
        LOG.info("opened %s", self.config.get("store"))
        return engine

    def is_open(self) -> bool:
        return self._engine is not None

    def _wake(self) -> None:
        if self._engine is not None and not self._engine.is_closed():
            self._engine.run("stepbus_engine_wake")

    def close(self, timeout: Optional[Seconds] = None) -> None:
        """Stops what runs, waiting for handlers at most so long, and closes the store. Steps that still run go back.

        In a forked child it lets go of the parent's store, and touches nothing.
        """
        with self._lock:
            engine = self._engine
        if engine is None:
            return
        if not engine.gate.is_foreign():
            for shift in list(self._shifts):
                shift.refuse_inside()
            self.stop()
            self._await_shifts(seconds(timeout))
            for worker in [*self._workers, *(shift.worker for shift in list(self._shifts))]:
                worker.close()
        self._forget(engine)
        engine.close()

    def after_fork(self) -> None:
        """In a forked child: what another thread of the parent held there is nobody's here."""
        self._lock = threading.RLock()
        self._functions.after_fork()

    def _forget(self, engine: Engine) -> None:
        with self._lock:
            if self._engine is engine:
                self._engine = None
                self._waiter = None
            self._shifts.clear()
            self._workers.clear()
            self._drained.clear()
        ends.forget(self)
        LOG.info("closed %s", self.config.get("store"))

    def _await_shifts(self, timeout: Optional[float]) -> None:
        end = None if timeout is None else time.monotonic() + timeout
        for shift in list(self._shifts):
            shift.ended.wait(None if end is None else max(0.0, end - time.monotonic()))

    def end_at_exit(self, grace: float) -> None:
        """The interpreter exits: what runs gets a moment, the rest goes back."""
        engine = self._engine
        if engine is None or engine.gate.is_foreign():
            return
        self.stop()
        self._await_shifts(grace)
        late = [shift for shift in self._shifts if not shift.ended.is_set()]
        for worker in [*self._workers, *(shift.worker for shift in late)]:
            worker.end_at_exit()
        if late:
            engine.abandon()
        else:
            engine.close()

    async def aclose(self, timeout: Optional[Seconds] = None) -> None:
        self.stop()
        await asyncio.to_thread(self.close, timeout)

    def __enter__(self) -> "Stepbus":
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> "Stepbus":
        return await asyncio.to_thread(self.open)

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # Handlers

    def step(
        self,
        name: Optional[str] = None,
        *,
        version: Optional[str] = None,
        namespace: Optional[str] = None,
        queue: Optional[str] = None,
        retry: RetryLike = None,
        timeout: Optional[Seconds] = None,
        wait_timeout: Optional[Seconds] = None,
        total_timeout: Optional[Seconds] = None,
        concurrency: Optional[int] = None,
        rate_per_minute: Optional[int] = None,
        permitted_queues: Words = None,
        permitted_callers: Words = None,
        domain: Optional[str] = None,
        description: Optional[str] = None,
        capabilities: Words = None,
        config_schema: Optional[Mapping[str, Any]] = None,
        default: bool = False,
        unpack: bool = True,
    ) -> Callable[[F], StepFunction[F]]:
        """Registers a function, sync or async, as the handler of a name (its own, when not said).

        queue        where its steps wait when ``enqueue`` does not say it.
        retry        a Retry, a dict of its fields, or how many attempts there may be.
        timeout      of one attempt; wait_timeout until the first start, total_timeout of all attempts.
        concurrency  how many of its steps run at once in one process.
        permitted_*  which queues and callers may have it run; all when not said.
        default      the version to run when none fits.
        unpack       False: the input comes as one argument, whatever it is.

        A JSON object as input becomes keyword arguments, another value the one argument; a first parameter named
        ``step`` gets the Step. What it returns is the result, as JSON; bytes come and go as they are.
        """
        if name is not None and not isinstance(name, str):
            raise InvalidArgument('@app.step wants the handler\'s name, or nothing: @app.step("name") or @app.step()')
        options: Dict[str, Any] = dict(
            version=version, namespace=namespace, queue=queue, retry=retry, timeout=timeout, wait_timeout=wait_timeout,
            total_timeout=total_timeout, concurrency=concurrency, rate_per_minute=rate_per_minute,
            permitted_queues=permitted_queues, permitted_callers=permitted_callers, domain=domain,
            description=description, capabilities=capabilities, default=default, unpack=unpack,
            config_schema=None if config_schema is None else json.dumps(config_schema),
        )  # fmt: skip

        def register(function: F) -> StepFunction[F]:
            made: StepFunction[F] = StepFunction(self, function, name or function.__name__, options)
            self._add(made)
            return made

        return register

    def _add(self, function: StepFunction[Any]) -> None:
        function.spec()  # refuses what the library need not be asked for
        with self._lock:
            self._functions.add(function)
            if self._engine is not None:
                try:
                    self._engine.register(function)
                except BaseException:
                    self._functions.remove(function)
                    raise

    def cron(
        self,
        expression: str,
        name: Optional[str] = None,
        *,
        zone: Optional[str] = None,
        catch_up: Optional[str] = None,
        input: Any = None,
        entry: Optional[str] = None,
        **options: Any,
    ) -> Callable[[Any], StepFunction[Any]]:
        """Runs a function at the times of a cron expression, once for all processes that share the store.

        The function is registered under name as by ``step``, unless that has been done: ``@app.cron("@daily")`` may
        stand above ``@app.step("report")``. entry is what the cron entry is called, the handler's name when not
        said. Options are those of a step's document: queue, priority, tags, …
        """

        def register(function: Any) -> StepFunction[Any]:
            made = function if isinstance(function, StepFunction) else self.step(name)(function)
            self.set_cron(
                entry or made.name, expression, made, input, zone=zone, catch_up=catch_up, **options
            )  # fmt: skip
            return made

        return register

    def set_cron(
        self,
        entry: str,
        expression: str,
        handler: HandlerName,
        input: Any = None,
        *,
        zone: Optional[str] = None,
        catch_up: Optional[str] = None,
        paused: Optional[bool] = None,
        **options: Any,
    ) -> None:
        """Sets a cron entry; where the store is not open yet, when it is opened."""
        step = {"handler": name_of(handler), **({} if input is None else {"input": input}), **options}
        said = {"zone": zone, "catch_up": catch_up, "paused": paused}
        document: Dict[str, Any] = {"name": entry, "expression": expression, "step": step}
        document.update({name: value for name, value in said.items() if value is not None})
        with self._lock:
            if self._engine is not None:
                _set_cron(self._engine, document)
            self._crons = [other for other in self._crons if other["name"] != entry] + [document]

    def remove_cron(self, entry: str) -> None:
        with self._lock:
            self._crons = [other for other in self._crons if other["name"] != entry]
        self.engine.run("stepbus_cron_remove", *pair(entry))

    def crons(self) -> List[Dict[str, Any]]:
        found: List[Dict[str, Any]] = self.engine.ask("stepbus_cron_list")
        return found

    # Enqueueing

    def enqueue(
        self,
        handler: HandlerName,
        input: Any = None,
        *,
        queue: Optional[str] = None,
        priority: Optional[int] = None,
        delay: Optional[Seconds] = None,
        run_at: Optional[datetime] = None,
        idempotency_key: Optional[str] = None,
        unique_key: Optional[str] = None,
        tags: Words = None,
        **options: Any,
    ) -> Handle:
        """Enqueues a step and returns when it is durable.

        handler  a name, or what ``@app.step`` made.
        input    what JSON can hold, or bytes.
        options  the rest of stepbus.spec.Options: retry, timeout, correlation_id, unique_scope, …
        """
        options.update(
            queue=queue, priority=priority, delay=delay, run_at=run_at, idempotency_key=idempotency_key,
            unique_key=unique_key, tags=tags,
        )  # fmt: skip
        return self.enqueue_many([(handler, input, options)])[0]

    def enqueue_many(self, items: Iterable[Item], **options: Any) -> List[Handle]:
        """Enqueues steps in one transaction, all or none: (handler, input) or (handler, input, options) of each.

        Options that are given here hold for all that do not say otherwise.
        """
        wanted: Sequence[Tuple[HandlerName, Any, Mapping[str, Any]]] = [
            (self._known(item[0]), item[1], {**options, **item[2]} if len(item) > 2 else options)  # type: ignore[misc]
            for item in items
        ]
        if not wanted:
            return []
        check_count(wanted)
        made = self.engine.enqueue(Specs(wanted))
        return [Handle(self, step_id, bool(was_there), durability) for durability, step_id, was_there in made]

    def _known(self, handler: HandlerName) -> HandlerName:
        """The function of a name, for the options it brings, where this app has exactly one of that name."""
        if isinstance(handler, str):
            found = self._functions.single.get(handler.encode())
            return found if found is not None and found.queue else handler
        return handler

    async def aenqueue(self, handler: HandlerName, input: Any = None, **options: Any) -> Handle:
        """``enqueue`` without holding up the event loop."""
        return await asyncio.to_thread(lambda: self.enqueue(handler, input, **options))

    async def aenqueue_many(self, items: Iterable[Item], **options: Any) -> List[Handle]:
        return await asyncio.to_thread(lambda: self.enqueue_many(items, **options))

    # Waiting

    async def aresult(self, step: StepId, timeout: Optional[Seconds] = None) -> Any:
        """``result`` without holding up the event loop."""
        self.engine
        waiter = self._waiter
        assert waiter is not None
        limit = timeout_ms(timeout)
        try:
            return await asyncio.wait_for(waiter.wait(id_bytes(step)), None if limit < 0 else limit / 1000)
        except asyncio.TimeoutError:
            raise TimedOut("the step is not final after %.3f s" % (limit / 1000)) from None

    # Running steps

    def run(
        self,
        threads: int = THREAD_COUNT,
        *,
        tasks: int = TASK_COUNT_MAX,
        drain_timeout: Optional[Seconds] = None,
        signals: bool = True,
        **worker: Any,
    ) -> None:
        """Runs steps until it is told to stop: by ``stop``, SIGTERM or SIGINT.

        It then claims no more, lets what runs finish, hands the results in and returns. What still runs after
        drain_timeout goes back; a second signal ends the process at once. Async handlers run on an event loop, as
        in ``serve``, at most so many tasks at once. worker has the keys of a worker's configuration: queues, id, …
        """
        if self._functions.has_async():
            asyncio.run(
                self.serve(threads, tasks=tasks, drain_timeout=drain_timeout, signals=signals, **worker)
            )  # fmt: skip
            return
        shift = Shift(self.engine, self._functions, worker, _count(threads, "threads"))
        with self._at_work(shift), Signals(shift.stop, signals):
            shift.wait(seconds(drain_timeout))

    async def serve(
        self,
        threads: int = THREAD_COUNT,
        *,
        tasks: int = TASK_COUNT_MAX,
        drain_timeout: Optional[Seconds] = None,
        signals: bool = False,
        **worker: Any,
    ) -> None:
        """``run`` on the event loop, which it never holds up: sync handlers have threads of their own.

        Where the task that awaits it is cancelled, it cancels the handlers' tasks too, and their steps go back.
        """
        counts = (_count(threads, "threads"), _count(tasks, "tasks"))
        errands = Errands("stepbus-errands")
        try:
            pulled = await errands.run(lambda: Worker(self.engine, worker))
            shift = LoopShift(pulled, self._functions, counts, errands)
            with self._at_work(shift):
                await shift.wait(seconds(drain_timeout), signals)
        finally:
            errands.end()

    @contextmanager
    def running(self, threads: int = THREAD_COUNT, **options: Any) -> Iterator["Stepbus"]:
        """Runs steps in the background, from ``with`` to its end."""
        error: List[BaseException] = []

        def work() -> None:
            try:
                self.run(threads, signals=False, **options)
            except BaseException as caught:
                error.append(caught)

        before = len(self._shifts)
        thread = threading.Thread(target=work, name="stepbus-run", daemon=True)
        self.open()
        thread.start()
        while thread.is_alive() and len(self._shifts) == before:
            time.sleep(0.001)
        if error:  # nothing runs that the body could wait for
            raise error[0]
        try:
            yield self
        finally:
            self.stop()
            thread.join()
        if error:
            raise error[0]

    @contextmanager
    def _at_work(self, shift: AnyShift) -> Iterator[None]:
        with self._lock:
            self._shifts.append(shift)
        try:
            yield
        finally:
            with self._lock:
                if shift in self._shifts:
                    self._shifts.remove(shift)

    def stop(self) -> None:
        """Asks what runs to stop, and returns at once."""
        for shift in list(self._shifts):
            shift.stop()

    def drain(self, count_max: Optional[int] = None, **worker: Any) -> int:
        """Runs what is due now on the calling thread, one step after another, and tells how many it was.

        Steps that these enqueue are run too, and attempts that are due again at once; what is to run later is not.
        """
        drain = Drain(self.engine, self._functions, worker)
        try:
            return drain.run(count_max)
        finally:
            self._keep_or_close(drain.worker)

    async def adrain(self, count_max: Optional[int] = None, **worker: Any) -> int:
        """``drain`` on another thread, for programs with an event loop."""
        return await asyncio.to_thread(self.drain, count_max, **worker)

    def worker(self, **settings: Any) -> Worker:
        """A worker to poll oneself; see stepbus.worker."""
        made = Worker(self.engine, settings)
        self._keep(made)
        return made

    def _keep(self, worker: Worker) -> None:
        """Closes it with the app, unless somebody does so before."""
        with self._lock:
            self._workers = [other for other in self._workers if not other.gate.is_closed()] + [worker]

    def _keep_or_close(self, worker: Worker) -> None:
        """What a drain leaves to be answered later stays answerable; it claims no more."""
        if worker.gate.is_closed():
            return
        worker.stop(0)
        with self._lock:
            drained = [other for other in self._drained if other.held()]
            done = [other for other in [*self._drained, worker] if not other.held()]
            self._drained = drained + ([worker] if worker.held() else [])
        for one in done:
            one.close()
        if worker.held():
            self._keep(worker)


def _count(value: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1024:
        raise InvalidArgument("%s is %r: it must be from 1 to 1024" % (name, value))
    return value


def _set_cron(engine: Engine, entry: Mapping[str, Any]) -> None:
    engine.run("stepbus_cron_set", *pair(json.dumps(entry)))
