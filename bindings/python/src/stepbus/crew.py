# SPDX-License-Identifier: MIT
"""Threads that run the handlers of sync functions: what ``app.run`` is made of.

One of the threads polls at a time; the others run what it brought, and whoever finds nothing left polls next. So a
step goes from the library to its handler without changing threads as long as one thread keeps up.
"""
from __future__ import annotations

import threading
import time
from collections import deque
from typing import Deque, List, Optional

from . import answer
from .errors import Busy, ShutDown, StepbusError
from .execution import Execution
from .functions import Functions
from .logs import WORKER as LOG
from .pace import Pace
from .settler import Settler
from .settling import Settling
from .step import Step
from .worker import Worker

#: Steps that were taken and not begun for so long go back.
STALE_S = 1.0
_SLOW_US = 1000
_POLL_MS = 10000


class Crew:
    """A worker with threads, from ``start`` to ``end``."""

    def __init__(self, worker: Worker, functions: Functions, thread_count: int) -> None:
        self.worker = worker
        self.error: Optional[BaseException] = None
        self.lost = 0
        self._execution = Execution(functions)
        self._settling = Settling(worker)
        self._settler = Settler(self._settling, "stepbus-settler")
        self._backlog: Deque[Step] = deque()
        self._pace = Pace(thread_count)
        self._lead = threading.Lock()
        self._stopping = False
        self._filled_at = 0.0
        self._filled = 0
        self.threads: List[threading.Thread] = [
            threading.Thread(target=self._work, name="stepbus-%d" % number, daemon=True)
            for number in range(thread_count)
        ]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def is_alive(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def rebalance(self) -> None:
        """Gives back what waits for too long behind slow handlers. Called now and then."""
        backlog = self._backlog
        try:
            while time.monotonic() - backlog[0]._batch.polled_at > STALE_S:
                self._pace.slow_down()
                self._release_last()
        except IndexError:
            pass  # others take from it
        self._settler.now()

    def end(self, timeout: Optional[float]) -> int:
        """Stops claiming, gives back what was not begun, and waits for what runs.

        Tells how many steps still ran when the time was over; they went back, and their handlers' results will be
        refused.
        """
        self._stopping = True
        end = None if timeout is None else time.monotonic() + timeout
        self._stop_claiming()
        while self._backlog:
            self._release_last()
        for thread in filter(lambda thread: thread.ident, self.threads):
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
        late = sum(thread.is_alive() for thread in self.threads)
        self.lost = self._settler.end()
        if self.lost:
            LOG.error("%d results could not be kept: these steps run again", self.lost)
        return late

    def _stop_claiming(self) -> None:
        try:
            self.worker.stop(0)
        except StepbusError as error:
            LOG.debug("stopping the worker: %s", error)

    def _release_last(self) -> None:
        try:
            self._settling.add(answer.released(self._backlog.pop()))
        except IndexError:
            pass

    def _work(self) -> None:
        try:
            self._run_all()
        except BaseException as error:
            LOG.critical("a worker thread ended: %r", error, exc_info=True)
            self.error = error

    def _run_all(self) -> None:
        backlog, run, settling = self._backlog, self._execution.run, self._settling
        while True:
            try:
                step = backlog.popleft()
            except IndexError:
                self._settler.now()
                if not self._fill():
                    return
                continue
            made = run(step)
            if made is not None:
                settling.add(made)
                if made[4] > _SLOW_US:
                    self._settler.now()
                elif len(settling) == 1:
                    self._settler.soon()

    def _fill(self) -> bool:
        """Polls, unless somebody else has; False when it is time to go."""
        with self._lead:
            if self._backlog:
                return True
            if self._filled:
                self._pace.took(self._filled, time.monotonic() - self._filled_at)
                self._filled = 0
            while not self._stopping:
                steps = self._poll()
                if steps is None:
                    break
                if steps:
                    self._filled, self._filled_at = len(steps), time.monotonic()
                    self._backlog.extend(steps)
                    return True
            return False

    def _poll(self) -> Optional[List[Step]]:
        try:
            return self.worker.poll_once(self._pace.count, _POLL_MS)
        except ShutDown:
            return None
        except Busy:
            time.sleep(0.01)
            return []
        except StepbusError as error:
            self.error = error
            LOG.error("polling failed: %s", error)
            return None
