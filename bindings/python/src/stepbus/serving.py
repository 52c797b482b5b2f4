# SPDX-License-Identifier: MIT
"""Runs steps beside an event loop: what ``await app.serve()`` is made of.

The loop's thread polls without waiting when the wake descriptor is readable, starts a task for each step of an async
function, and does nothing else for them; sync functions run on threads of their own, and a further thread hands the
answers in. Nothing here blocks the loop.
"""
from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import Any, Deque, Dict, List, Optional, Tuple

from . import answer
from . import _structs as s
from .answer import Answer
from .errands import Errands
from .errors import Busy, ShutDown, StepbusError
from .execution import Execution
from .function import StepFunction
from .functions import Functions
from .logs import WORKER as LOG
from .pace import Pace
from .settler import Settler
from .settling import Settling
from .step import Step
from .worker import Worker

#: What the loop takes at a time, so that its other work is not held up.
TAKE_COUNT_MAX = 64
TICK_S = 0.5
STALE_S = 1.0
CANCEL_LOOK_S = 0.005
#: For how long tasks that are cancelled may go on.
GRACE_S = 1.0

#: A thread that runs handlers of pure Python would keep the GIL for 5 ms at a time, and so would the next one; after
#: so long it sleeps for a moment, which lets the loop have it.
TURN_NS = 1000000
PAUSE_S = 0.00005


class Serving:
    """A worker on an event loop: made, started and ended on the loop's thread."""

    def __init__(self, worker: Worker, functions: Functions, counts: Tuple[int, int], errands: Errands) -> None:
        thread_count, task_count_max = counts
        self.worker = worker
        self._errands = errands
        self.error: Optional[StepbusError] = None
        self.lost = 0
        self._functions = functions
        self._execution = Execution(functions)
        self._settling = Settling(worker)
        self._settler = Settler(self._settling, "stepbus-settler")
        self._pace = Pace(thread_count)
        self._task_count_max = task_count_max
        self._tasks: Dict[Step, "asyncio.Task[None]"] = {}
        self._jobs: "SimpleQueue[Optional[Step]]" = SimpleQueue()
        self._backlog: Deque[Step] = deque()
        self._loop = asyncio.get_running_loop()
        self._fd = worker.fileno()
        self._is_reading = False
        self._is_looking = False
        self._is_giving_back = False
        self._taken_at = 0.0
        self._taken = 0
        self.stopped = asyncio.Event()
        self._idle = asyncio.Event()
        self.threads: List[threading.Thread] = [
            threading.Thread(target=self._work, name="stepbus-%d" % number, daemon=True)
            for number in range(thread_count)
        ]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()
        self._ticking = self._loop.call_later(TICK_S, self._tick)
        self._read(True)

    # Taking

    def _read(self, on: bool) -> None:
        if on != self._is_reading and not (on and self.stopped.is_set()):
            self._is_reading = on
            if on:
                self._loop.add_reader(self._fd, self._take)
            else:
                self._loop.remove_reader(self._fd)

    def _room(self) -> int:
        """How many steps may be taken now. While sync ones wait, no more are."""
        if self._backlog:
            return 0
        return min(TAKE_COUNT_MAX, self._pace.count, self._task_count_max - len(self._tasks))

    def _take(self) -> None:
        room = self._room()
        if room <= 0:
            self._read(False)
            self._look_soon()
            return
        try:
            steps = self.worker.poll_once(room, 0)
        except Busy:
            self._read(False)
            return
        except ShutDown:
            self.stop()
            return
        except StepbusError as error:
            self.error = error
            LOG.error("polling failed: %s", error)
            self.stop()
            return
        self._start_all(steps)
        self._look_soon()

    def _start_all(self, steps: List[Step]) -> None:
        sync_count = 0
        for step in steps:
            function = self._functions.find(step)
            if function is not None and function.is_async:
                self._tasks[step] = self._loop.create_task(self._run_async(step, function))
            else:
                self._backlog.append(step)
                sync_count += 1
        if sync_count:
            self._taken, self._taken_at = sync_count, time.monotonic()
            for _ in range(min(sync_count, len(self.threads))):
                self._jobs.put(None)

    def _go_on(self) -> None:
        """A thread found nothing left, or a task has ended: there is room again."""
        if self._taken and not self._backlog:
            self._pace.took(self._taken, time.monotonic() - self._taken_at)
            self._taken = 0
        if self._room() > 0:
            self._read(True)

    # Running

    async def _run_async(self, step: Step, function: StepFunction[Any]) -> None:
        made = await self._execution.run_async(step, function)
        if self._is_giving_back and made is not None and made[1] == s.OUTCOME_FAILURE:
            made = answer.released(step)
        self._end_task(step, made)

    def _cancel(self, step: Step, task: "asyncio.Task[None]") -> None:
        """A task that has not begun ends without running anything, so somebody else has to answer."""
        task.cancel()
        task.add_done_callback(lambda _: self._end_task(step, answer.released(step)) if step in self._tasks else None)

    def _end_task(self, step: Step, made: Optional[Answer]) -> None:
        del self._tasks[step]
        self._add(made)
        if not self._tasks:
            self._settler.now()
            self._idle.set()
        self._go_on()

    def _add(self, made: Optional[Answer]) -> None:
        if made is not None:
            self._settling.add(made)
            if len(self._settling) == 1:
                self._settler.soon()

    def _work(self) -> None:
        backlog, run = self._backlog, self._execution.run
        turn_end = 0
        while True:
            try:
                step = backlog.popleft()
            except IndexError:
                self._settler.now()
                self._tell_loop()
                self._jobs.get()
                if self.stopped.is_set() and not backlog:
                    return
                turn_end = time.monotonic_ns() + TURN_NS
                continue
            self._add(run(step))
            if time.monotonic_ns() > turn_end:
                time.sleep(PAUSE_S)
                turn_end = time.monotonic_ns() + TURN_NS

    def _tell_loop(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._go_on)
        except RuntimeError:
            pass  # the loop is closed

    # Watching

    def _tick(self) -> None:
        """Now and then: what waits behind slow handlers goes back."""
        backlog = self._backlog
        try:
            while time.monotonic() - backlog[0]._batch.polled_at > STALE_S:
                self._pace.slow_down()
                self._release_last()
        except IndexError:
            pass  # others take from it
        self._settler.now()
        self._go_on()
        self._look_soon()
        self._ticking = self._loop.call_later(TICK_S, self._tick)

    def _release_last(self) -> None:
        try:
            self._settling.add(answer.released(self._backlog.pop()))
        except IndexError:
            pass

    def _look_soon(self) -> None:
        """The descriptor may have meant that a running step is to stop."""
        if self._tasks and not self._is_looking:
            self._is_looking = True
            self._loop.call_later(CANCEL_LOOK_S, self._look)

    def _look(self) -> None:
        self._is_looking = False
        for step, task in list(self._tasks.items()):
            if not step._gone and self.worker.is_cancelled(step):
                self._cancel(step, task)

    # Ending

    def stop(self) -> None:
        """Takes no more. Called on the loop's thread."""
        self._read(False)
        self.stopped.set()

    def give_back(self) -> None:
        """Cancels the tasks that still run; their steps go back."""
        self._is_giving_back = True
        for step, task in list(self._tasks.items()):
            self._cancel(step, task)

    async def end(self, timeout: Optional[float]) -> int:
        """Waits for what runs, and tells how many steps still ran when the time was over."""
        self.stop()
        self._ticking.cancel()
        await self._errands.run(self._stop_claiming)
        while self._backlog:
            self._release_last()
        for _ in self.threads:
            self._jobs.put(None)
        end = None if timeout is None else time.monotonic() + timeout
        late = await self._finish_tasks(timeout)
        late += await self._errands.run(self._join, end)
        self.lost = await self._errands.run(self._settler.end)
        if self.lost:
            LOG.error("%d results could not be kept: these steps run again", self.lost)
        return late

    async def _finish_tasks(self, timeout: Optional[float]) -> int:
        if not self._tasks:
            return 0
        try:
            await asyncio.wait_for(self._wait_idle(), GRACE_S if self._is_giving_back else timeout)
            return 0
        except asyncio.TimeoutError:
            late = len(self._tasks)
            self.give_back()
        try:
            await asyncio.wait_for(self._wait_idle(), GRACE_S)
        except asyncio.TimeoutError:
            LOG.error("%d handlers do not heed that they are cancelled: they are left alone", len(self._tasks))
        return late

    async def _wait_idle(self) -> None:
        while self._tasks:
            self._idle.clear()
            await self._idle.wait()

    def _join(self, end: Optional[float]) -> int:
        for thread in self.threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
        return sum(thread.is_alive() for thread in self.threads)

    def _stop_claiming(self) -> None:
        try:
            self.worker.stop(0)
        except StepbusError as error:
            LOG.debug("stopping the worker: %s", error)
